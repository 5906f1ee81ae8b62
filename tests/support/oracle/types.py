"""Oracle's column types: how they are described, spelled in the dictionary, and encoded."""

import datetime as dt
import struct
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from zoneinfo import ZoneInfo

from tests.support.oracle.primitives import byte_string, ub

NULL_ROWID = b"\0"
NO_SCALE = -127
"""The scale of a NUMBER or FLOAT that was declared without one."""
MIDDLE = 1 << 31
REGION = 0x80
"""In a zone's hour byte: a named zone follows instead of an offset."""

Encoder = Callable[[object], bytes]


@dataclass(frozen=True, slots=True)
class Encoded:
    """A value that stands on the wire as it is, for what Python's types cannot say."""

    data: bytes


@dataclass(frozen=True, slots=True)
class OracleType:
    """One column type: `number` is TTC's; `form` is 1 for database text, 2 for national text."""

    name: str
    number: int
    encode: Encoder
    size: int
    precision: int = 0
    scale: int = 0
    length_chars: int = 0
    form: int = 0
    is_json: bool = False

    @property
    def is_lob(self) -> bool:
        """Whether the driver asks for it again as LONG or LONG RAW."""
        return self.number in (112, 113)

    @property
    def spelled(self) -> str:
        """As `DATA_TYPE` in ALL_TAB_COLUMNS spells it."""
        return self.name

    @property
    def declared(self) -> str:
        """As CREATE TABLE spells it."""
        if self.name in ("VARCHAR2", "CHAR"):
            return f"{self.name}({self.length_chars} CHAR)"
        if self.name in ("NVARCHAR2", "NCHAR"):
            return f"{self.name}({self.length_chars})"
        if self.name == "RAW":
            return f"RAW({self.size})"
        if self.name == "NUMBER" and self.precision:
            return f"NUMBER({self.precision},{self.scale})"
        return self.name


def _decimal(value: object) -> bytes:
    number = Decimal(str(value))
    if number == 0:
        return b"\x01\x80"
    sign, digits, exponent = number.as_tuple()
    assert isinstance(exponent, int)
    text = "".join(map(str, digits)).lstrip("0")
    if exponent % 2:
        text, exponent = text + "0", exponent - 1
    text = text.rjust(len(text) + len(text) % 2, "0")
    pairs = [int(text[at : at + 2]) for at in range(0, len(text), 2)]
    first = len(pairs) + exponent // 2 - 1
    while pairs[-1] == 0:
        pairs.pop()
    if sign == 0:
        return byte_string(bytes([first + 193, *(pair + 1 for pair in pairs)]))
    tail = [102] if len(pairs) < 20 else []
    return byte_string(bytes([62 - first, *(101 - pair for pair in pairs), *tail]))


def number_decoded(data: bytes) -> Decimal:
    """A NUMBER off the wire."""
    if data == b"\x80":
        return Decimal(0)
    positive = bool(data[0] & 0x80)
    exponent = data[0] - 193 if positive else 62 - data[0]
    pairs = [byte - 1 if positive else 101 - byte for byte in data[1:] if positive or byte != 102]
    value = Decimal(0)
    for pair in pairs:
        value = value * 100 + pair
    value = value.scaleb(2 * (exponent - len(pairs) + 1))
    return value if positive else -value


def _day(value: dt.datetime) -> bytes:
    century, year = divmod(value.year, 100)
    fields = (value.month, value.day, value.hour + 1, value.minute + 1, value.second + 1)
    return bytes([century + 100, year + 100, *fields])


def _fraction(value: dt.datetime) -> bytes:
    return struct.pack(">I", value.microsecond * 1000)


def _date(value: object) -> bytes:
    assert isinstance(value, dt.datetime)
    return byte_string(_day(value))


def _timestamp(value: object) -> bytes:
    assert isinstance(value, dt.datetime)
    return byte_string(_day(value) + _fraction(value))


def _timestamp_tz(value: object) -> bytes:
    assert isinstance(value, dt.datetime)
    instant = value.astimezone(dt.UTC)
    if isinstance(value.tzinfo, ZoneInfo):
        return byte_string(_day(instant) + _fraction(instant) + bytes([REGION | 2, 4]))
    offset = value.utcoffset()
    assert offset is not None
    hours, minutes = divmod(int(offset.total_seconds()) // 60, 60)
    return byte_string(_day(instant) + _fraction(instant) + bytes([hours + 20, minutes + 60]))


def _float(width: str) -> Encoder:
    def encode(value: object) -> bytes:
        assert isinstance(value, float)
        data = struct.pack(width, value)
        if data[0] & 0x80:
            return byte_string(bytes(byte ^ 0xFF for byte in data))
        return byte_string(bytes([data[0] | 0x80]) + data[1:])

    return encode


def _interval_ds(value: object) -> bytes:
    assert isinstance(value, dt.timedelta)
    sign = -1 if value < dt.timedelta(0) else 1
    whole = abs(value)
    hours, rest = divmod(whole.seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    return byte_string(
        struct.pack(
            ">IBBBI",
            sign * whole.days + MIDDLE,
            sign * hours + 60,
            sign * minutes + 60,
            sign * seconds + 60,
            sign * whole.microseconds * 1000 + MIDDLE,
        )
    )


def _interval_ym(value: object) -> bytes:
    assert isinstance(value, tuple)
    years, months = value
    return byte_string(struct.pack(">IB", years + MIDDLE, months + 60))


def _rowid(value: object) -> bytes:
    assert isinstance(value, tuple)
    object_number, file_number, block, slot = value
    return b"\x0e" + ub(object_number) + ub(file_number) + b"\0" + ub(block) + ub(slot)


def _boolean(value: object) -> bytes:
    return byte_string(b"\x01\x01" if value else b"\x00")


def _text(form: int) -> Encoder:
    encoding = "utf-16-be" if form == 2 else "utf-8"
    return lambda value: byte_string(str(value).encode(encoding))


def _raw(value: object) -> bytes:
    assert isinstance(value, bytes)
    return byte_string(value)


def _character(name: str, number: int, length: int, form: int) -> OracleType:
    size = length * (2 if form == 2 else 4)
    return OracleType(name, number, _text(form), size=size, length_chars=length, form=form)


def number_(precision: int | None = None, scale: int | None = None) -> OracleType:
    """NUMBER, NUMBER(p) or NUMBER(p,s); int, Decimal or text as values."""
    if precision is None:
        return OracleType("NUMBER", 2, _decimal, size=22, scale=NO_SCALE)
    return OracleType("NUMBER", 2, _decimal, size=22, precision=precision, scale=scale or 0)


def varchar2(length: int) -> OracleType:
    return _character("VARCHAR2", 1, length, 1)


def nvarchar2(length: int) -> OracleType:
    return _character("NVARCHAR2", 1, length, 2)


def char_(length: int) -> OracleType:
    return _character("CHAR", 96, length, 1)


def nchar(length: int) -> OracleType:
    return _character("NCHAR", 96, length, 2)


def raw_(length: int) -> OracleType:
    return OracleType("RAW", 23, _raw, size=length)


def timestamp(precision: int = 6) -> OracleType:
    name = f"TIMESTAMP({precision})"
    return OracleType(name, 180, _timestamp, size=11, scale=precision)


FLOAT = OracleType("FLOAT", 2, _decimal, size=22, precision=126, scale=NO_SCALE)
DATE = OracleType("DATE", 12, _date, size=7)
TIMESTAMP_TZ = OracleType("TIMESTAMP(6) WITH TIME ZONE", 181, _timestamp_tz, size=13, scale=6)
TIMESTAMP_LTZ = OracleType("TIMESTAMP(6) WITH LOCAL TIME ZONE", 231, _timestamp, size=11, scale=6)
BINARY_FLOAT = OracleType("BINARY_FLOAT", 100, _float(">f"), size=4)
BINARY_DOUBLE = OracleType("BINARY_DOUBLE", 101, _float(">d"), size=8)
INTERVAL_DS = OracleType(
    "INTERVAL DAY(9) TO SECOND(6)", 183, _interval_ds, size=11, precision=9, scale=6
)
INTERVAL_YM = OracleType("INTERVAL YEAR(4) TO MONTH", 182, _interval_ym, size=5, precision=4)
ROWID = OracleType("ROWID", 11, _rowid, size=18)
BOOLEAN = OracleType("BOOLEAN", 252, _boolean, size=4)
CLOB = OracleType("CLOB", 112, _text(1), size=4000, form=1)
NCLOB = OracleType("NCLOB", 112, _text(2), size=4000, form=2)
BLOB = OracleType("BLOB", 113, _raw, size=4000)
JSON_TEXT = OracleType("CLOB", 112, _text(1), size=4000, form=1, is_json=True)
"""A CLOB with an IS JSON constraint, as 19c has it."""
JSON = OracleType("JSON", 119, _text(1), size=8200, is_json=True)
"""The native type; as such it cannot be fetched here, only through JSON_SERIALIZE."""
LONG = OracleType("LONG", 8, _text(1), size=0, form=1)
LONG_RAW = OracleType("LONG RAW", 24, _raw, size=0)


def encoded(type_: OracleType, value: object) -> bytes:
    """One value in a row; LOBs come as LONG, with an indicator and a code behind."""
    if value is None:
        data = NULL_ROWID
    elif isinstance(value, Encoded):
        data = byte_string(value.data)
    else:
        data = type_.encode(value)
    return data + b"\0\0" if type_.is_lob or type_.number in (8, 24) else data
