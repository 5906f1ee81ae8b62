"""The type table, one cell at a time: exact, with reasons, and slow.

`judging` and `casting` hand over the few cells that their vectorised casts did not take.
"""

import json
import math
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import NoReturn

from services.ingest.domain import RejectCode
from services.ingest.judge.dates import DateFormat
from services.ingest.judge.intervals import read_interval
from services.ingest.judge.numerics import numeric_binary
from shared.values.types import (
    FALSE_WORDS,
    INTEGER_BITS,
    NUMERIC_SCALE_LIMIT,
    NUMERIC_WHOLE_LIMIT,
    TRUE_WORDS,
    ColumnType,
    TypeName,
)

WHITE_SPACE = (
    " \t\n\r\x0b\x0c\x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008"
    "\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
)
"""What is trimmed around every cell that is not text: Unicode's White_Space."""

_INTEGER = re.compile(r"([+-]?)0*([0-9]+)", re.ASCII)
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?", re.ASCII)
_CLOCK = r"([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,6}))?)?"
_TIME = re.compile(_CLOCK, re.ASCII)
_AFTER_DATE = re.compile(r"(?:[T ]" + _CLOCK + r"(Z|[+-][0-9]{2}(?::[0-9]{2})?)?)?", re.ASCII)
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", re.ASCII)
_BYTEA = re.compile(r"\\x(?:[0-9a-fA-F]{2})*", re.ASCII)
_SPECIAL_FLOATS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_POWER_LIMIT = 10**9
_ZONE_LIMIT_HOURS = 15

Value = int | float | Decimal | bool | str | bytes | date | datetime | time


class CellError(ValueError):
    """A cell is refused, with a reject code and a message for people."""

    def __init__(self, code: RejectCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class CellReader:
    """Reads text cells of one column type."""

    type: ColumnType
    dates: DateFormat

    def read(self, text: str) -> Value | None:
        """The value of a cell that is neither empty nor one of the null values.

        White space around it must be gone already, where the type trims. None never comes back
        for a text type. Raises CellError.
        """
        return _READERS[self.type.name](self, text)


def mismatch(text: str, what: str) -> NoReturn:
    """Refuse a cell whose shape is not that of its type."""
    raise CellError(RejectCode.TYPE_MISMATCH, f"{shown(text)} is not {what}")


def beyond(text: str, why: str) -> NoReturn:
    """Refuse a cell of the right shape whose value does not fit."""
    raise CellError(RejectCode.OUT_OF_RANGE, f"{shown(text)} {why}")


def shown(text: str) -> str:
    """A cell's text in a message: quoted, one line, not too long."""
    cut = text if len(text) <= 60 else text[:57] + "..."
    return "'" + cut.replace("\0", "\\0").replace("\n", "\\n").replace("\r", "\\r") + "'"


def _integer(reader: CellReader, text: str) -> int:
    found = _INTEGER.fullmatch(text)
    if found is None:
        mismatch(text, "a whole number")
    bound = 1 << INTEGER_BITS[reader.type.name]
    # int() refuses thousands of digits; twenty are too many already.
    value = int(found[1] + found[2]) if len(found[2]) <= 19 else bound
    if not -bound <= value < bound:
        beyond(text, f"is outside {reader.type.name.value} ({-bound} to {bound - 1})")
    return value


def _numeric(reader: CellReader, text: str) -> Decimal | bytes:
    if not _NUMBER.fullmatch(text):
        mismatch(text, "a number")
    sign, digits, exponent = decimal_parts(text)
    decimals = max(0, -exponent)
    before = max(0, len(digits) + exponent) if digits else 0
    precision, scale = reader.type.precision, reader.type.scale or 0
    if precision is None:
        if before > NUMERIC_WHOLE_LIMIT or decimals > NUMERIC_SCALE_LIMIT:
            beyond(text, "has more digits than NUMERIC can hold")
        return numeric_binary(sign, digits, exponent)
    if before > precision - scale:
        beyond(text, f"has more than {precision - scale} digits before the point")
    if decimals > scale:
        beyond(text, f"has more than {scale} digits after the point")
    return Decimal((sign, tuple(map(int, digits)) or (0,), exponent if digits else 0))


def decimal_parts(text: str) -> tuple[int, str, int]:
    """Sign (1 is minus), digits without leading zeros, and exponent of the last digit.

    The exponent is that of the text as written: `1.50` is ("150", -2). Zero has no digits.
    """
    mantissa, _, power = text.lower().partition("e")
    whole, _, fraction = mantissa.lstrip("+-").partition(".")
    size = power.lstrip("+-").lstrip("0")
    # A power of many digits is beyond all limits, and int() refuses thousands of them.
    shift = min(int(size or 0), _POWER_LIMIT) if len(size) < 12 else _POWER_LIMIT
    shift = -shift if power.startswith("-") else shift
    return int(text.startswith("-")), (whole + fraction).lstrip("0"), shift - len(fraction)


def _float(reader: CellReader, text: str) -> float:
    if text in _SPECIAL_FLOATS:
        return _SPECIAL_FLOATS[text]
    if not _NUMBER.fullmatch(text):
        mismatch(text, "a number")
    value = float(text)
    if reader.type.name is TypeName.REAL:
        try:
            (value,) = struct.unpack("f", struct.pack("f", value))
        except OverflowError:
            value = math.inf
    if math.isinf(value):
        beyond(text, f"is outside {reader.type.name.value}")
    return value


def _boolean(_reader: CellReader, text: str) -> bool:
    word = text.lower()
    if word in TRUE_WORDS:
        return True
    if word in FALSE_WORDS:
        return False
    mismatch(text, "a truth value (true/false, yes/no, on/off, 1/0)")


def _date(reader: CellReader, text: str) -> date:
    found = reader.dates.match(text)
    if found is None or found.end != len(text):
        mismatch(text, f"a date ({reader.dates.spelled})")
    if found.day is None:
        beyond(text, "is no day of the calendar")
    return found.day


def _time(_reader: CellReader, text: str) -> time:
    found = _TIME.fullmatch(text)
    if found is None:
        mismatch(text, "a time (HH:MM[:SS[.ffffff]])")
    return _clock(text, *found.groups())


def _clock(text: str, hour: str, minute: str, second: str | None, fraction: str | None) -> time:
    try:
        return time(int(hour), int(minute), int(second or 0), int((fraction or "").ljust(6, "0")))
    except ValueError:
        beyond(text, "is no time of the day")


def _timestamp(reader: CellReader, text: str) -> datetime:
    day = reader.dates.match(text)
    rest = _AFTER_DATE.fullmatch(text, day.end) if day is not None else None
    if day is None or rest is None:
        mismatch(text, f"a timestamp ({reader.dates.spelled} HH:MM[:SS[.ffffff]])")
    hour, minute, second, fraction, zone = rest.groups()
    zoned = reader.type.name is TypeName.TIMESTAMPTZ
    if zone and not zoned:
        mismatch(text, "a TIMESTAMP: it has a time zone")
    if day.day is None:
        beyond(text, "is no day of the calendar")
    clock = _clock(text, hour, minute, second, fraction) if hour else time()
    offset = _offset(text, zone) if zone else UTC
    try:
        instant = datetime.combine(day.day, clock, offset).astimezone(UTC)
    except OverflowError:
        beyond(text, "is outside the years 1 to 9999 in UTC")
    return instant.replace(tzinfo=None)


def _offset(text: str, zone: str) -> timezone:
    if zone == "Z":
        return UTC
    hours, minutes = int(zone[1:3]), int(zone[4:6] or 0)
    if hours > _ZONE_LIMIT_HOURS or minutes > 59:
        beyond(text, "has a time zone that does not exist")
    offset = timedelta(hours=hours, minutes=minutes)
    return timezone(-offset if zone[0] == "-" else offset)


def _interval(_reader: CellReader, text: str) -> bytes:
    found = read_interval(text)
    if found is None:
        mismatch(text, "an interval (an ISO 8601 duration such as P1DT2H, or HH:MM[:SS])")
    if not found.fits:
        beyond(text, "is outside INTERVAL")
    return found.binary()


def _uuid(_reader: CellReader, text: str) -> bytes:
    if not _UUID.fullmatch(text):
        mismatch(text, "a UUID (8-4-4-4-12 hexadecimal digits)")
    return bytes.fromhex(text.replace("-", ""))


def _json(_reader: CellReader, text: str) -> str:
    try:
        json.loads(
            text, parse_constant=_no_constant, parse_int=_json_number, parse_float=_json_number
        )
    except ValueError:
        mismatch(text, "valid JSON")
    except RecursionError:
        mismatch(text, "JSON that is nested less than a thousand levels deep")
    # PostgreSQL's jsonb holds neither NUL nor half of a surrogate pair.
    if "\\u" in text and not _escapes_fit(text):
        mismatch(text, "JSON that can be stored: it has the escape of NUL or of half a character")
    return text


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _json_number(text: str) -> None:
    _, digits, exponent = decimal_parts(text)
    if len(digits) + exponent > NUMERIC_WHOLE_LIMIT or -exponent > NUMERIC_SCALE_LIMIT:
        raise ValueError(text)


def _escapes_fit(text: str) -> bool:
    strings: list[object] = [json.loads(text)]
    while strings:
        item = strings.pop()
        if isinstance(item, str):
            if "\0" in item or any("\ud800" <= char <= "\udfff" for char in item):
                return False
        elif isinstance(item, dict):
            strings += [*item.keys(), *item.values()]
        elif isinstance(item, list):
            strings += item
    return True


def _bytea(_reader: CellReader, text: str) -> bytes:
    if not _BYTEA.fullmatch(text):
        mismatch(text, r"bytes (\x and pairs of hexadecimal digits)")
    return bytes.fromhex(text[2:])


def _text(reader: CellReader, text: str) -> str:
    length = reader.type.length
    if length is not None and len(text) > length:
        raise CellError(
            RejectCode.TOO_LONG, f"{shown(text)} has {len(text)} characters, at most {length} fit"
        )
    return text


_READERS: dict[TypeName, Callable[[CellReader, str], Value]] = {
    TypeName.TEXT: _text,
    TypeName.VARCHAR: _text,
    TypeName.CHAR: _text,
    TypeName.SMALLINT: _integer,
    TypeName.INTEGER: _integer,
    TypeName.BIGINT: _integer,
    TypeName.NUMERIC: _numeric,
    TypeName.REAL: _float,
    TypeName.DOUBLE: _float,
    TypeName.BOOLEAN: _boolean,
    TypeName.DATE: _date,
    TypeName.TIME: _time,
    TypeName.TIMESTAMP: _timestamp,
    TypeName.TIMESTAMPTZ: _timestamp,
    TypeName.INTERVAL: _interval,
    TypeName.UUID: _uuid,
    TypeName.JSON: _json,
    TypeName.BYTEA: _bytea,
}
