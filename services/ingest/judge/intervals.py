"""ISO forms of an interval: 8601 durations, and hours, minutes and seconds."""

import re
import struct
from dataclasses import dataclass
from decimal import Decimal

_NUMBER = r"([+-]?[0-9]+)"
_DURATION = re.compile(
    rf"([+-]?)P(?=[+-]?[0-9]|T)(?:{_NUMBER}Y)?(?:{_NUMBER}M)?(?:{_NUMBER}W)?(?:{_NUMBER}D)?"
    rf"(?:T(?=[+-]?[0-9])(?:{_NUMBER}H)?(?:{_NUMBER}M)?(?:([+-]?[0-9]+(?:\.[0-9]{{1,6}})?)S)?)?",
    re.ASCII,
)
_CLOCK = re.compile(r"([+-]?)([0-9]{2,}):([0-5][0-9])(?::([0-5][0-9](?:\.[0-9]{1,6})?))?", re.ASCII)
_HOUR_US = 3_600_000_000
_MINUTE_US = 60_000_000
_SECOND_US = 1_000_000


@dataclass(frozen=True, slots=True)
class Interval:
    """Months, days and microseconds, which PostgreSQL keeps apart."""

    months: int
    days: int
    microseconds: int

    @property
    def fits(self) -> bool:
        """Whether PostgreSQL has room for it (its least and greatest values are infinities)."""
        return (
            abs(self.months) < 1 << 31
            and abs(self.days) < 1 << 31
            and abs(self.microseconds) < 1 << 63
            and (self.months, self.days, self.microseconds)
            != ((1 << 31) - 1, (1 << 31) - 1, (1 << 63) - 1)
        )

    def binary(self) -> bytes:
        """`interval_send`'s form, 16 bytes."""
        return struct.pack(">qii", self.microseconds, self.days, self.months)


def read_interval(text: str) -> Interval | None:
    """The interval, or None when the text has neither form; it may be too large."""
    if found := _CLOCK.fullmatch(text):
        sign, hours, minutes, seconds = found.groups()
        total = _clock(_int(hours), _int(minutes), seconds)
        return Interval(0, 0, -total if sign == "-" else total)
    found = _DURATION.fullmatch(text)
    if found is None:
        return None
    sign = -1 if found[1] == "-" else 1
    years, months, weeks, days, hours, minutes = (_int(part) for part in found.groups()[1:7])
    return Interval(
        sign * (years * 12 + months),
        sign * (weeks * 7 + days),
        sign * _clock(hours, minutes, found[8]),
    )


def _clock(hours: int, minutes: int, seconds: str | None) -> int:
    microseconds = int(Decimal(seconds) * _SECOND_US) if seconds and len(seconds) < 40 else 0
    if seconds and len(seconds) >= 40:
        microseconds = 1 << 63
    return hours * _HOUR_US + minutes * _MINUTE_US + microseconds


def _int(digits: str | None) -> int:
    """The number; one of more than 30 digits is far beyond every limit whatever it is."""
    if not digits:
        return 0
    return int(digits) if len(digits) <= 30 else 1 << 63
