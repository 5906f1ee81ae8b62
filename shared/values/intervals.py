"""Intervals as texts: ISO 8601 durations, and PostgreSQL's own words (`1 day 02:03:00`)."""

import re
from dataclasses import dataclass
from decimal import Decimal

_NUMBER = r"([+-]?[0-9]+)"
_DURATION = re.compile(
    rf"([+-]?)P(?=[+-]?[0-9]|T)(?:{_NUMBER}Y)?(?:{_NUMBER}M)?(?:{_NUMBER}W)?(?:{_NUMBER}D)?"
    rf"(?:T(?=[+-]?[0-9])(?:{_NUMBER}H)?(?:{_NUMBER}M)?(?:([+-]?[0-9]+(?:\.[0-9]{{1,6}})?)S)?)?",
    re.ASCII,
)
_CLOCK = r"([+-]?)([0-9]+):([0-5][0-9])(?::([0-5][0-9](?:\.[0-9]{1,6})?))?"
_WORDS = re.compile(rf"(?=.)((?:[+-]?[0-9]+ [a-z]+(?: |\Z))*)(?:{_CLOCK})?(?<! )", re.ASCII)
_HOUR_US = 3_600_000_000
_MINUTE_US = 60_000_000
_SECOND_US = 1_000_000


@dataclass(frozen=True, slots=True)
class Interval:
    """Months, days and microseconds, which PostgreSQL keeps apart."""

    months: int = 0
    days: int = 0
    microseconds: int = 0

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

    @property
    def is_positive(self) -> bool:
        """Whether no part is negative, and one is not zero."""
        parts = (self.months, self.days, self.microseconds)
        return min(parts) >= 0 and any(parts)

    def duration(self) -> str:
        """An ISO 8601 duration with a sign for each part, as PostgreSQL reads it."""
        seconds, microseconds = divmod(abs(self.microseconds), _SECOND_US)
        sign = "-" if self.microseconds < 0 else ""
        return f"P{self.months}M{self.days}DT{sign}{seconds}.{microseconds:06}S"

    def words(self) -> str:
        """In words, as `1 day 2 hours`; for a length that is positive."""
        years, months = divmod(self.months, 12)
        minutes, left = divmod(self.microseconds, _MINUTE_US)
        hours, minutes = divmod(minutes, 60)
        parts: dict[str, int | Decimal] = {"year": years, "month": months, "day": self.days}
        parts |= {"hour": hours, "minute": minutes, "second": Decimal(left) / _SECOND_US}
        return " ".join(
            f"{number} {unit}{'' if number == 1 else 's'}"
            for unit, number in parts.items()
            if number
        )

    def __le__(self, other: "Interval") -> bool:
        return (
            self.months <= other.months
            and self.days <= other.days
            and self.microseconds <= other.microseconds
        )

    def __add__(self, other: "Interval") -> "Interval":
        return Interval(
            self.months + other.months,
            self.days + other.days,
            self.microseconds + other.microseconds,
        )

    def __mul__(self, times: int) -> "Interval":
        return Interval(self.months * times, self.days * times, self.microseconds * times)


_UNITS = {
    "year": Interval(months=12),
    "month": Interval(months=1),
    "week": Interval(days=7),
    "day": Interval(days=1),
    "hour": Interval(microseconds=_HOUR_US),
    "minute": Interval(microseconds=_MINUTE_US),
    "second": Interval(microseconds=_SECOND_US),
}
_CLOCK_UNITS = ("hour", "minute", "second")


def read_duration(text: str) -> Interval | None:
    """An ISO 8601 duration, each part or the whole with a sign; None where the text is none.

    It may be larger than PostgreSQL's.
    """
    match = _DURATION.fullmatch(text)
    if match is None:
        return None
    years, months, weeks, days, hours, minutes = (_int(part) for part in match.groups()[1:7])
    length = Interval(years * 12 + months, weeks * 7 + days, _clock(hours, minutes, match[8]))
    return length * (-1 if match[1] == "-" else 1)


def read_words(text: str) -> Interval | None:
    """Units and a clock as PostgreSQL writes intervals, each unit at most once; None for others.

    `2 days`, `1 year 2 mons`, `1 day 02:03:00`, `-01:02`. It may be larger than PostgreSQL's.
    """
    match = _WORDS.fullmatch(text)
    if match is None:
        return None
    words, sign, hours, minutes, seconds = match.groups()
    length = Interval()
    seen: set[str] = set()
    parts = words.split()
    for number, word in zip(parts[::2], parts[1::2], strict=True):
        unit = {"mon": "month"}.get(word.removesuffix("s"), word.removesuffix("s"))
        if unit not in _UNITS or unit in seen:
            return None
        seen.add(unit)
        length += _UNITS[unit] * _int(number)
    if hours is None:
        return length
    if seen.intersection(_CLOCK_UNITS):
        return None
    clock = Interval(microseconds=_clock(_int(hours), _int(minutes), seconds))
    return length + clock * (-1 if sign == "-" else 1)


def _clock(hours: int, minutes: int, seconds: str | None) -> int:
    microseconds = int(Decimal(seconds) * _SECOND_US) if seconds and len(seconds) < 40 else 0
    if seconds and len(seconds) >= 40:
        microseconds = 1 << 63
    return hours * _HOUR_US + minutes * _MINUTE_US + microseconds


def _int(digits: str | None) -> int:
    """The number; one of more than 30 digits is far beyond every limit whatever it is."""
    if not digits:
        return 0
    return int(digits) if len(digits) <= 30 else 1 << 70
