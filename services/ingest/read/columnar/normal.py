"""Arrow arrays in the few types that the rest of the pipeline takes, without loss.

A column is sent in the type that its table wants where every value of it fits exactly, else as the
text of its values, which is then judged as any cell of a file is.
"""

import json
import re
from datetime import date
from decimal import Decimal
from itertools import islice, repeat
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from services.ingest.read.columnar.types import is_uuid, storage

US = pa.timestamp("us")
US_UTC = pa.timestamp("us", tz="UTC")
UTC = frozenset({None, "UTC", "Z", "Etc/UTC", "+00:00"})
FIRST_DAY, LAST_DAY = date(1, 1, 1), date(9999, 12, 31)
NO_NUMBERS = frozenset({"NaN", "Infinity", "-Infinity"})


def fitted(column: pa.Array, wanted: str) -> tuple[pa.Array, list[int]]:
    """The column in the type that `wanted` names, or as text; and rows whose text is not UTF-8.

    `wanted`: a type of the type table, in its first spelling, without limits.
    """
    plain = _plain(column)
    target = _ARROW_TYPES.get(wanted)
    if target is not None and plain.type != target and _may_cast(plain.type, target):
        try:
            plain = pc.cast(plain, target, safe=True)
        except pa.ArrowInvalid:
            return texts(plain)
    if plain.type == target and _in_calendar(plain):
        return plain, []
    if wanted == "NUMERIC" and pa.types.is_decimal(plain.type) and plain.type.scale >= 0:
        return plain, []
    if wanted == "DATE" and pa.types.is_timestamp(plain.type) and plain.type.tz not in UTC:
        # An instant is a day in its own zone, perhaps another than in UTC.
        written, wrong = texts(plain)
        return pc.binary_join_element_wise(written, f"[{plain.type.tz}]", ""), wrong
    return texts(plain)


_NO_FRACTION = re.compile(r"\.0+(?=Z?$)")
_ARROW_TYPES = {
    "BOOLEAN": pa.bool_(),
    "SMALLINT": pa.int16(),
    "INTEGER": pa.int32(),
    "BIGINT": pa.int64(),
    "REAL": pa.float32(),
    "DOUBLE PRECISION": pa.float64(),
    "DATE": pa.date32(),
    "TIME": pa.time64("us"),
    "TIMESTAMP": US,
    "TIMESTAMPTZ": US_UTC,
    "UUID": pa.binary(),
    "BYTEA": pa.binary(),
}


def _may_cast(source: pa.DataType, target: pa.DataType) -> bool:
    """Whether a checked cast either keeps each value as it is or says that it does not."""
    if pa.types.is_floating(source) and pa.types.is_floating(target):
        return bool(source.bit_width < target.bit_width)
    if pa.types.is_timestamp(source) and pa.types.is_timestamp(target):
        return (source.tz is None) == (target.tz is None)
    alike = (pa.types.is_integer, pa.types.is_date, pa.types.is_time)
    return any(holds(source) and holds(target) for holds in alike)


def _in_calendar(column: pa.Array) -> bool:
    """Whether all days are of the years 1 to 9999; other columns have none."""
    kind = column.type
    if not (pa.types.is_date(kind) or pa.types.is_timestamp(kind)) or len(column) == 0:
        return True
    extremes = pc.min_max(column.cast(pa.int32() if pa.types.is_date(kind) else pa.int64()))
    if not extremes["min"].is_valid:
        return True
    days = 1 if pa.types.is_date(kind) else 86_400_000_000
    first = (FIRST_DAY - date(1970, 1, 1)).days * days
    last = ((LAST_DAY - date(1970, 1, 1)).days + 1) * days
    return bool(first <= extremes["min"].as_py() and extremes["max"].as_py() < last)


def _plain(column: pa.Array) -> pa.Array:  # noqa: PLR0911 - one line a type
    kind = column.type
    if is_uuid(kind):
        return column.storage.cast(pa.binary())
    if isinstance(kind, pa.BaseExtensionType):
        return _plain(column.storage)
    if pa.types.is_run_end_encoded(kind):
        return _plain(pc.run_end_decode(column))
    if pa.types.is_dictionary(kind):
        return _plain(column.dictionary_decode())
    if pa.types.is_nested(kind):
        values = _nested(column)
        return pa.array([None if value is None else _json(value) for value in values], pa.string())
    if pa.types.is_null(kind):
        return column.cast(pa.string())
    return column.cast(storage(kind)) if storage(kind) != kind else column


def texts(column: pa.Array) -> tuple[pa.Array, list[int]]:  # noqa: PLR0911 - one line a type
    r"""The values as text of the type table; and the rows whose text is not UTF-8.

    Those rows hold what could be read, undecodable bytes as `\xNN`.
    """
    kind = column.type
    if pa.types.is_string(kind):
        return _checked(column)
    if pa.types.is_binary(kind) or pa.types.is_fixed_size_binary(kind):
        return pa.array([_hex(value) for value in column.to_pylist()], pa.string()), []
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        utc = column.cast(pa.timestamp(kind.unit))
        return pc.binary_join_element_wise(_clock_text(utc), "Z", ""), []
    if pa.types.is_timestamp(kind) or pa.types.is_time(kind):
        return _clock_text(column), []
    if pa.types.is_duration(kind):
        counts = column.cast(pa.int64()).to_pylist()
        return pa.array([_seconds(count, kind.unit) for count in counts], pa.string()), []
    if kind == pa.month_day_nano_interval():
        return pa.array([_interval(value) for value in column.to_pylist()], pa.string()), []
    if pa.types.is_floating(kind):
        return pa.array([_float(value) for value in column.cast(pa.string()).to_pylist()]), []
    if pa.types.is_decimal(kind):
        return pa.array([_digits(value) for value in column.to_pylist()], pa.string()), []
    return column.cast(pa.string()), []


def _clock_text(column: pa.Array) -> pa.Array:
    """Timestamps or times as text; nanoseconds only where there are some."""
    text = column.cast(pa.string())
    return pc.replace_substring_regex(text, r"(\.\d{6})000$", r"\1")


_PLACES = {"s": 0, "ms": 3, "us": 6, "ns": 9}


def _seconds(count: int | None, unit: str) -> str | None:
    """An ISO 8601 duration of so many seconds, or fractions of them."""
    if count is None:
        return None
    return f"PT{format(Decimal(count).scaleb(-_PLACES[unit]), 'f')}S"


def _interval(value: Any) -> str | None:
    if value is None:
        return None
    seconds = format(Decimal(value.nanoseconds).scaleb(-9), "f")
    return f"P{value.months}M{value.days}DT{seconds}S"


def _checked(column: pa.Array) -> tuple[pa.Array, list[int]]:
    """Arrow trusts a file that its text is UTF-8; PostgreSQL does not."""
    try:
        column.validate(full=True)
    except pa.ArrowInvalid:
        values = column.cast(pa.binary()).to_pylist()
    else:
        return column, []
    wrong: list[int] = []
    read: list[str | None] = []
    for row, value in enumerate(values):
        try:
            read.append(None if value is None else value.decode())
        except UnicodeDecodeError:
            wrong.append(row)
            read.append(value.decode(errors="backslashreplace"))
    return pa.array(read, pa.string()), wrong


def _hex(value: bytes | None) -> str | None:
    return None if value is None else "\\x" + value.hex()


def _float(text: str | None) -> str | None:
    spelled = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}
    return None if text is None else spelled.get(text, text)


def _digits(value: Decimal | None) -> str | None:
    return None if value is None else format(value, "f")


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _nested(column: pa.Array) -> list[Any]:  # noqa: PLR0911 - one line a type
    """The values in JSON's types; a map is its pairs, and what JSON has no number for is text."""
    kind = column.type
    if pa.types.is_struct(kind):
        names = [kind.field(at).name for at in range(kind.num_fields)]
        rows = zip(*map(_nested, column.flatten()), strict=True) if names else repeat(())
        known = zip(column.is_valid().to_pylist(), rows, strict=bool(names))
        return [dict(zip(names, row, strict=True)) if valid else None for valid, row in known]
    if pa.types.is_map(kind):
        pair = pa.struct([("key", kind.key_type), ("value", kind.item_type)])
        maps = _nested(column.cast(pa.list_(pair)))
        return [each and [[pair["key"], pair["value"]] for pair in each] for each in maps]
    if pa.types.is_nested(kind) and not pa.types.is_union(kind):
        items = iter(_nested(pc.list_flatten(column)))
        lengths = pc.list_value_length(column).to_pylist()
        return [None if length is None else list(islice(items, length)) for length in lengths]
    if pa.types.is_union(kind):
        return [_in_json(value) for value in column.to_pylist()]
    plain = _plain(column)
    if pa.types.is_floating(plain.type):  # REAL by its own digits, not those of the double
        spelled = [_float(text) for text in plain.cast(pa.string()).to_pylist()]
        return [text if text is None or text in NO_NUMBERS else float(text) for text in spelled]
    if pa.types.is_timestamp(plain.type) or pa.types.is_time(plain.type):
        return [text and _iso(text) for text in texts(plain)[0].to_pylist()]
    if pa.types.is_integer(plain.type) or pa.types.is_boolean(plain.type):
        return list(plain.to_pylist())
    return list(texts(plain)[0].to_pylist())


def _iso(text: str) -> str:
    """A timestamp or time as JSON's readers expect it."""
    return _NO_FRACTION.sub("", text.replace(" ", "T"))


def _in_json(value: Any) -> Any:
    return value if value is None or isinstance(value, bool | int | str) else str(value)
