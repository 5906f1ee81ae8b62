"""Why a value does not fit its column: what a service needs to say so in its own words."""

from dataclasses import dataclass
from enum import Enum, StrEnum


class FaultCode(StrEnum):
    """The codes of the type table, as answers and reports of refused rows spell them."""

    TYPE_MISMATCH = "type_mismatch"
    OUT_OF_RANGE = "out_of_range"
    TOO_LONG = "too_long"
    NUL_BYTE = "nul_byte"
    BAD_ENCODING = "bad_encoding"


class Cause(Enum):
    """What is wrong; each cause has one code."""

    SHAPE = "not written as the type is"
    ZONE = "a zone in a type that has none"
    BOUNDS = "outside the bounds of the type"
    WHOLE_DIGITS = "more digits before the point than `limit`"
    FRACTION_DIGITS = "more digits after the point than `limit`"
    DAY = "no day of the calendar"
    TWO_DAYS = "one day in one of the formats, and another day in another"
    CLOCK = "no time of the day"
    OFFSET = "an offset from UTC that no zone has"
    YEARS = "outside the years 1 to 9999 in UTC"
    LENGTH = "more characters than `limit`"
    NUL = "holds NUL"
    SURROGATE = "holds half of a surrogate pair"
    DEPTH = "JSON that is nested too deep"
    MEMBERS = "JSON with a member that is there twice in one object"
    VALUES = "JSON of more values than `limit`"
    ESCAPES = "JSON with the escape of NUL or of half a surrogate pair"


_CODES = {
    Cause.SHAPE: FaultCode.TYPE_MISMATCH,
    Cause.ZONE: FaultCode.TYPE_MISMATCH,
    Cause.TWO_DAYS: FaultCode.TYPE_MISMATCH,
    Cause.DEPTH: FaultCode.TYPE_MISMATCH,
    Cause.MEMBERS: FaultCode.TYPE_MISMATCH,
    Cause.ESCAPES: FaultCode.TYPE_MISMATCH,
    Cause.LENGTH: FaultCode.TOO_LONG,
    Cause.VALUES: FaultCode.TOO_LONG,
    Cause.NUL: FaultCode.NUL_BYTE,
    Cause.SURROGATE: FaultCode.BAD_ENCODING,
}


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a value does not fit; `limit` is the number that some causes need to be told."""

    cause: Cause
    limit: int | None = None

    @property
    def code(self) -> FaultCode:
        """The code of the type table."""
        return _CODES.get(self.cause, FaultCode.OUT_OF_RANGE)


SHAPE = Fault(Cause.SHAPE)
"""The most frequent fault."""
