"""Oracle's types: which of ours they are, how they are selected, and how their values are read."""

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

import oracledb
import polars as pl

from services.ingest.connections.errors import SourceUnusableError
from services.ingest.plan.source_columns import SourceColumn
from shared.values.types import ColumnType, TypeName

MOST_DIGITS = 38
NO_SCALE = -127
"""What Oracle says of a NUMBER or FLOAT that was declared without one."""
ARROW_FRACTION_DIGITS = 6
"""Arrow counts finer timestamps in nanoseconds, which wrap silently before 1678."""

Convert = Callable[[Sequence[object]], pl.Series]
"""Values as the driver gives them, None for NULL, to a series."""


class Fetched(Enum):
    """The form in which a column is fetched, where that is not its own."""

    AS_IT_IS = "as it is"
    NUMBER_TEXT = "number as text"
    """Digits as they are: a float would round them."""
    JSON_TEXT = "JSON as text"
    JSON_BYTES = "JSON as bytes"


@dataclass(frozen=True, slots=True)
class OracleColumn:
    """A column and the way it is read."""

    source: SourceColumn
    expression: str
    """What stands in the select list; `{}` is the quoted name."""
    convert: Convert
    fetched: Fetched = Fetched.AS_IT_IS
    arrow: bool = True
    """Whether Arrow brings the values exactly."""
    zoned: bool = False
    """Whether the values are instants, in UTC."""


def oracle_column(info: oracledb.FetchInfo) -> OracleColumn:
    """How a column is read; raises SourceUnusableError for a type that cannot be."""
    kind = info.type_code
    if info.is_json or kind is oracledb.DB_TYPE_JSON:
        return _json(info)
    if kind is oracledb.DB_TYPE_NUMBER:
        return _number(info)
    if kind in (oracledb.DB_TYPE_TIMESTAMP, oracledb.DB_TYPE_TIMESTAMP_LTZ):
        exact = (info.scale or 0) <= ARROW_FRACTION_DIGITS
        zoned = kind is oracledb.DB_TYPE_TIMESTAMP_LTZ
        name = TypeName.TIMESTAMPTZ if zoned else TypeName.TIMESTAMP
        return _made(info, name, _moments, arrow=exact, zoned=zoned)
    if kind is oracledb.DB_TYPE_TIMESTAMP_TZ:
        # The driver drops the offset, and cannot read named zones at all.
        return _made(
            info, TypeName.TIMESTAMPTZ, _moments, "SYS_EXTRACT_UTC({})", zoned=True,
            arrow=(info.scale or 0) <= ARROW_FRACTION_DIGITS,
        )  # fmt: skip
    if kind in _LENGTHS:
        length = info.display_size
        named = ColumnType(name=_LENGTHS[kind], length=length) if length else TypeName.TEXT
        return _made(info, named, _texts)
    if kind in _SIMPLE:
        simple = _SIMPLE[kind]
        return _made(info, simple.type, simple.convert, simple.expression, simple.arrow)
    raise SourceUnusableError.of(
        "table",
        "type_not_supported",
        f"the column {info.name} is of the type {_spelled(info)}, which cannot be read: name the"
        " other columns in a `query`",
    )


def type_handler(columns: Sequence[OracleColumn]) -> Callable[..., oracledb.Var | None]:
    """The driver's hook that fetches some columns in another form than their own."""
    wanted = {column.source.name: column.fetched for column in columns}
    forms = {
        Fetched.NUMBER_TEXT: oracledb.DB_TYPE_VARCHAR,
        Fetched.JSON_TEXT: oracledb.DB_TYPE_LONG,
        Fetched.JSON_BYTES: oracledb.DB_TYPE_LONG_RAW,
    }

    def handle(cursor: oracledb.Cursor, info: oracledb.FetchInfo) -> oracledb.Var | None:
        form = forms.get(wanted.get(info.name, Fetched.AS_IT_IS))
        return None if form is None else cursor.var(form, arraysize=cursor.arraysize)

    return handle


def _number(info: oracledb.FetchInfo) -> OracleColumn:
    precision, scale = info.precision or 0, info.scale
    if scale in (None, NO_SCALE) or not precision:
        # Up to 40 digits wherever the point is: only an unbounded NUMERIC holds them all.
        return _made(
            info,
            TypeName.NUMERIC,
            _texts,
            fetched=Fetched.NUMBER_TEXT,
            arrow=False,
        )
    assert scale is not None
    if scale == 0 and precision <= 9:
        return _made(info, TypeName.INTEGER, _whole(pl.Int32()))
    if scale == 0 and precision <= 18:
        return _made(info, TypeName.BIGINT, _whole(pl.Int64()))
    # NUMBER(5,-2) is whole hundreds of seven digits; NUMBER(2,5) has five digits after the point.
    digits, decimals = max(precision - min(scale, 0), scale), max(scale, 0)
    return _made(
        info,
        ColumnType(name=TypeName.NUMERIC, precision=digits, scale=decimals)
        if digits <= MOST_DIGITS
        else TypeName.NUMERIC,
        _texts,
        fetched=Fetched.NUMBER_TEXT,
        arrow=0 <= scale <= precision,
    )


def _json(info: oracledb.FetchInfo) -> OracleColumn:
    if info.type_code is oracledb.DB_TYPE_JSON:
        # Its text, made by Oracle: the driver's objects would lose the digits of numbers.
        return _made(info, TypeName.JSON, _texts, "JSON_SERIALIZE({} RETURNING CLOB)")
    if info.type_code in (oracledb.DB_TYPE_BLOB, oracledb.DB_TYPE_RAW):
        return _made(info, TypeName.JSON, _utf8, fetched=Fetched.JSON_BYTES, arrow=False)
    return _made(info, TypeName.JSON, _texts, fetched=Fetched.JSON_TEXT, arrow=False)


def _made(
    info: oracledb.FetchInfo,
    kind: ColumnType | TypeName,
    convert: Convert,
    expression: str = "{}",
    arrow: bool = True,  # noqa: FBT001, FBT002 - internal
    *,
    fetched: Fetched = Fetched.AS_IT_IS,
    zoned: bool = False,
) -> OracleColumn:
    column_type = ColumnType(name=kind) if isinstance(kind, TypeName) else kind
    source = SourceColumn(info.name, column_type, _spelled(info), bool(info.null_ok))
    return OracleColumn(source, expression, convert, fetched, arrow, zoned)


def _spelled(info: oracledb.FetchInfo) -> str:
    return str(info.type_code.name).removeprefix("DB_TYPE_").replace("_", " ")


def _texts(values: Sequence[object]) -> pl.Series:
    return pl.Series(values, dtype=pl.String)


def _utf8(values: Sequence[object]) -> pl.Series:
    texts = [
        value.decode(errors="replace") if isinstance(value, bytes) else None for value in values
    ]
    return pl.Series(texts, dtype=pl.String)


def _whole(dtype: pl.DataType) -> Convert:
    return lambda values: pl.Series(values, dtype=dtype)


def _moments(values: Sequence[object]) -> pl.Series:
    return pl.Series(values, dtype=pl.Datetime("us"))


def _bytes(values: Sequence[object]) -> pl.Series:
    return pl.Series(values, dtype=pl.Binary)


def _booleans(values: Sequence[object]) -> pl.Series:
    return pl.Series(values, dtype=pl.Boolean)


def _reals(values: Sequence[object]) -> pl.Series:
    return pl.Series(values, dtype=pl.Float32)


def _doubles(values: Sequence[object]) -> pl.Series:
    return pl.Series(values, dtype=pl.Float64)


def _durations(values: Sequence[object]) -> pl.Series:
    texts = [None if value is None else duration_text(value) for value in values]
    return pl.Series(texts, dtype=pl.String)


def duration_text(value: object) -> str:
    """An interval as an ISO 8601 duration; days, and years and months, stay what they are."""
    if isinstance(value, oracledb.IntervalYM):
        return f"P{value.years}Y{value.months}M"
    assert isinstance(value, dt.timedelta)
    sign, whole = ("-", -value) if value < dt.timedelta(0) else ("", value)
    hours, rest = divmod(whole.seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    fraction = f".{whole.microseconds:06}" if whole.microseconds else ""
    return f"{sign}P{whole.days}DT{hours}H{minutes}M{seconds}{fraction}S"


@dataclass(frozen=True, slots=True)
class _Simple:
    type: TypeName
    convert: Convert
    expression: str = "{}"
    arrow: bool = True


_LENGTHS = {
    oracledb.DB_TYPE_VARCHAR: TypeName.VARCHAR,
    oracledb.DB_TYPE_NVARCHAR: TypeName.VARCHAR,
    oracledb.DB_TYPE_CHAR: TypeName.CHAR,
    oracledb.DB_TYPE_NCHAR: TypeName.CHAR,
}
_SIMPLE = {
    oracledb.DB_TYPE_DATE: _Simple(TypeName.TIMESTAMP, _moments),
    oracledb.DB_TYPE_BINARY_FLOAT: _Simple(TypeName.REAL, _reals),
    oracledb.DB_TYPE_BINARY_DOUBLE: _Simple(TypeName.DOUBLE, _doubles),
    oracledb.DB_TYPE_BOOLEAN: _Simple(TypeName.BOOLEAN, _booleans),
    oracledb.DB_TYPE_RAW: _Simple(TypeName.BYTEA, _bytes),
    oracledb.DB_TYPE_LONG_RAW: _Simple(TypeName.BYTEA, _bytes),
    oracledb.DB_TYPE_BLOB: _Simple(TypeName.BYTEA, _bytes),
    oracledb.DB_TYPE_CLOB: _Simple(TypeName.TEXT, _texts),
    oracledb.DB_TYPE_NCLOB: _Simple(TypeName.TEXT, _texts),
    oracledb.DB_TYPE_LONG: _Simple(TypeName.TEXT, _texts),
    oracledb.DB_TYPE_LONG_NVARCHAR: _Simple(TypeName.TEXT, _texts),
    oracledb.DB_TYPE_XMLTYPE: _Simple(TypeName.TEXT, _texts, "XMLSERIALIZE(CONTENT {} AS CLOB)"),
    oracledb.DB_TYPE_ROWID: _Simple(TypeName.TEXT, _texts, arrow=False),
    oracledb.DB_TYPE_UROWID: _Simple(TypeName.TEXT, _texts, arrow=False),
    oracledb.DB_TYPE_INTERVAL_DS: _Simple(TypeName.INTERVAL, _durations, arrow=False),
    oracledb.DB_TYPE_INTERVAL_YM: _Simple(TypeName.INTERVAL, _durations, arrow=False),
}
