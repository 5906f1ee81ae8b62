"""One text cell at a time: exact, with reasons, and slow.

`casting` hands over the few cells that its vectorised casts did not take. The type table itself
is `shared.values.grammar`; here are the dtypes of frames and the sentences of reports.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import cached_property

from services.ingest.domain.outcome import RejectCode
from services.ingest.judge.hints import hint
from services.ingest.judge.numerics import numeric_binary
from services.ingest.plan.dtypes import EARLIEST_US, LATEST_US
from shared.values.faults import Cause, Fault
from shared.values.grammar import Digits, Reader, reader_of
from shared.values.instants import Infinity
from shared.values.intervals import Interval
from shared.values.notation import TYPE_TABLE, Notation
from shared.values.types import INTEGER_BITS, ColumnType, TypeName

WHITE_SPACE = (
    " \t\n\r\x0b\x0c\x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008"
    "\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
)
"""What is trimmed around every cell that is not text: Unicode's White_Space."""

CellValue = int | float | Decimal | bool | str | bytes | date | time
"""A value as a series of the column's dtype takes it; timestamps are its microseconds."""

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - instants in UTC and wall clocks, both without a zone
_MICROSECOND = timedelta(microseconds=1)


class CellError(ValueError):
    """A cell is refused, with a reject code and a message for people."""

    def __init__(self, code: RejectCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True)
class CellReader:
    """Reads text cells of one column type."""

    type: ColumnType
    notation: Notation = TYPE_TABLE

    @cached_property
    def _read(self) -> Reader:
        return reader_of(self.type, self.notation)

    def read(self, text: str) -> CellValue:
        """The value of a cell that is neither empty nor one of the null values.

        White space around it must be gone already, where the type trims. Raises CellError.
        """
        value = self._read(text)
        if isinstance(value, Fault):
            raise CellError(RejectCode(value.code), f"{shown(text)} {self._words(value, text)}")
        if isinstance(value, Interval):
            return interval_binary(value)
        if isinstance(value, Infinity):
            return LATEST_US if value is Infinity.LATEST else EARLIEST_US
        if isinstance(value, datetime):
            return (value - _EPOCH) // _MICROSECOND
        if isinstance(value, Digits):
            if self.type.precision is None:
                return numeric_binary(*value)
            minus, digits, exponent = value
            return Decimal((minus, tuple(map(int, digits)) or (0,), exponent if digits else 0))
        return value

    def _words(self, fault: Fault, text: str) -> str:
        if fault.cause is Cause.SHAPE:
            shape = _SHAPES[self.type.name].format(dates=self.notation.dates.spelled)
            return f"is not {shape}{hint(self.type.name, text)}"
        return _SENTENCES[fault.cause](self.type, fault.limit, text)


def shown(text: str) -> str:
    """A cell's text in a message: quoted, one line, not too long."""
    cut = text if len(text) <= 60 else text[:57] + "..."
    return "'" + cut.replace("\0", "\\0").replace("\n", "\\n").replace("\r", "\\r") + "'"


def interval_binary(interval: Interval) -> bytes:
    """`interval_send`'s form, 16 bytes."""
    return struct.pack(">qii", interval.microseconds, interval.days, interval.months)


def _beyond(kind: ColumnType, _limit: int | None, _text: str) -> str:
    if kind.name not in INTEGER_BITS:
        return f"is outside {kind.name.value}"
    bound = 1 << INTEGER_BITS[kind.name]
    return f"is outside {kind.name.value} ({-bound} to {bound - 1})"


_SHAPES = {
    TypeName.SMALLINT: "a whole number",
    TypeName.INTEGER: "a whole number",
    TypeName.BIGINT: "a whole number",
    TypeName.NUMERIC: "a number",
    TypeName.REAL: "a number",
    TypeName.DOUBLE: "a number",
    TypeName.BOOLEAN: "a truth value (true/false, yes/no, on/off, 1/0)",
    TypeName.DATE: "a date ({dates})",
    TypeName.TIME: "a time (HH:MM[:SS[.ffffff]])",
    TypeName.TIMESTAMP: "a timestamp ({dates} HH:MM[:SS[.ffffff]])",
    TypeName.TIMESTAMPTZ: "a timestamp ({dates} HH:MM[:SS[.ffffff]][±HH:MM])",
    TypeName.INTERVAL: "an interval (an ISO 8601 duration such as P1DT2H, or HH:MM[:SS])",
    TypeName.UUID: "a UUID (32 hexadecimal digits, as 8-4-4-4-12)",
    TypeName.JSON: "valid JSON",
    TypeName.BYTEA: r"bytes (\x and pairs of hexadecimal digits)",
}
_SENTENCES: dict[Cause, Callable[[ColumnType, int | None, str], str]] = {
    Cause.ZONE: lambda *_: "is not a TIMESTAMP: it has a time zone",
    Cause.BOUNDS: _beyond,
    Cause.WHOLE_DIGITS: lambda _, limit, __: f"has more than {limit} digits before the point",
    Cause.FRACTION_DIGITS: lambda _, limit, __: f"has more than {limit} digits after the point",
    Cause.DAY: lambda *_: "is no day of the calendar",
    Cause.TWO_DAYS: lambda *_: "is two days by two of the formats in `date_format`: name the one",
    Cause.CLOCK: lambda *_: "is no time of the day",
    Cause.OFFSET: lambda *_: "has a time zone that does not exist",
    Cause.YEARS: lambda *_: "is outside the years 1 to 9999 in UTC",
    Cause.LENGTH: lambda _, limit, text: f"has {len(text)} characters, at most {limit} fit",
    Cause.NUL: lambda *_: "has the character U+0000, which cannot be stored",
    Cause.SURROGATE: lambda *_: "has half of a character",
    Cause.MEMBERS: lambda *_: (
        "has a member that is there twice in one object, so one would be lost"
    ),
    Cause.DEPTH: lambda *_: "is not JSON that is nested less than a thousand levels deep",
    Cause.VALUES: lambda _, limit, __: f"is JSON of more than {limit:,} values",
    Cause.ESCAPES: lambda *_: (
        "is not JSON that can be stored: it has the escape of NUL or of half a character"
    ),
}
"""What is said behind the cell's text."""
