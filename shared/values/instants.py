"""Dates, times and timestamps as texts."""

import re
from datetime import UTC, date, datetime, time, timedelta, timezone
from enum import Enum

from shared.values.dates import DateFormat, DateMatch, day_of
from shared.values.faults import SHAPE, Cause, Fault

_OFFSET_LIMIT_HOURS = 15


class Infinity(Enum):
    """Timestamps before and after all others."""

    EARLIEST = "-infinity"
    LATEST = "infinity"


_FRACTION = r"(?:\.([0-9]{1,6})0*)?"
_CLOCK = rf"([0-9]{{2}}):([0-9]{{2}})(?::([0-9]{{2}}){_FRACTION})?"
_ZONE = r"(?: ?(Z|z|UTC|[+-][0-9]{2}(?::?[0-9]{2})?|[+-]00:?00 UTC))?"
_TIME = re.compile(_CLOCK, re.ASCII)
_AFTER_ISO = re.compile(rf"(?:[Tt ]{_CLOCK}(){_ZONE})?", re.ASCII)
_AFTER_DATE = re.compile(
    rf"(?:[Tt ,]+([0-9]{{1,2}}):([0-9]{{2}})(?::([0-9]{{2}}){_FRACTION})?"
    rf"(?:[ \u00a0\u202f]?([AaPp])\.?[Mm]\.?)?{_ZONE})?",
    re.ASCII,
)
"""Behind a date in a format of its own: an hour may have one digit, and AM or PM."""
_BASIC = re.compile(
    rf"([0-9]{{4}})([0-9]{{2}})([0-9]{{2}})[Tt]([0-9]{{2}})([0-9]{{2}})(?:([0-9]{{2}}){_FRACTION})?{_ZONE}",
    re.ASCII,
)
"""ISO 8601's basic format."""
_INFINITIES = {"infinity": Infinity.LATEST, "-infinity": Infinity.EARLIEST}


def read_date(text: str, *, dates: DateFormat) -> date | Fault:
    """The day that a text is; a time of exactly midnight behind it is no loss."""
    match = dates.match(text)
    if match is None:
        instant = dates.instant(text)
        return SHAPE if instant is None or instant.time() != time() else instant.date()
    if match.end != len(text):
        # A time behind it says nothing where it is the beginning of the very day.
        parts = _parts_behind(text, match)
        clock = None if parts is None else _clock(*parts[:5])
        if parts is None or clock != time() or (parts[5] and _offset(parts[5]) != UTC):
            return SHAPE
    return _checked(match)


def _checked(match: DateMatch) -> date | Fault:
    if match.other is not None:
        return Fault(Cause.TWO_DAYS)
    return Fault(Cause.DAY) if match.day is None else match.day


def _parts_behind(text: str, match: DateMatch) -> tuple[str | None, ...] | None:
    """Hour, minute, second, fraction, A or P, and zone behind a date; None for anything else."""
    behind = (_AFTER_ISO if match.iso else _AFTER_DATE).fullmatch(text, match.end)
    return None if behind is None else behind.groups()


def read_time(text: str) -> time | Fault:
    """The time of a day."""
    match = _TIME.fullmatch(text)
    return SHAPE if match is None else _clock(*match.groups())


def _clock(
    hour: str | None,
    minute: str | None,
    second: str | None = None,
    fraction: str | None = None,
    half: str | None = None,
) -> time | Fault:
    """The time of a day; midnight where none was written."""
    hours = int(hour or 0)
    if half:
        if not 1 <= hours <= 12:
            return Fault(Cause.CLOCK)
        hours = hours % 12 + (12 if half in "Pp" else 0)
    microseconds = int((fraction or "").ljust(6, "0"))
    try:
        return time(hours, int(minute or 0), int(second or 0), microseconds)
    except ValueError:
        return Fault(Cause.CLOCK)


def read_timestamp(  # noqa: PLR0911 - one per cause
    text: str, *, zoned: bool, dates: DateFormat
) -> datetime | Infinity | Fault:
    """The wall clock's time without a zone, or with `zoned` the instant in UTC; both are naive."""
    match = dates.match(text)
    if match is not None:
        day, parts = _checked(match), _parts_behind(text, match)
    else:
        basic = _BASIC.fullmatch(text)
        if basic is None:
            counted = dates.instant(text)
            return _INFINITIES.get(text.lower(), SHAPE) if counted is None else counted
        year, month, of_month, *clock_parts, zone = basic.groups()
        day = _checked(DateMatch(day_of(int(year), int(month), int(of_month)), 8))
        parts = (*clock_parts, None, zone)
    if parts is None:
        return SHAPE
    *clock_parts, zone = parts
    if zone and not zoned:
        return Fault(Cause.ZONE)
    if isinstance(day, Fault):
        return day
    clock = _clock(*clock_parts)
    if isinstance(clock, Fault):
        return clock
    offset = _offset(zone) if zone else UTC
    if offset is None:
        return Fault(Cause.OFFSET)
    try:
        instant = datetime.combine(day, clock, offset).astimezone(UTC)
    except OverflowError:
        return Fault(Cause.YEARS)
    return instant.replace(tzinfo=None)


def _offset(zone: str) -> timezone | None:
    zone = zone.strip().removesuffix("UTC").rstrip()
    if zone in ("", "Z", "z"):
        return UTC
    hours, minutes = int(zone[1:3]), int(zone[3:].lstrip(":") or 0)
    if hours > _OFFSET_LIMIT_HOURS or minutes > 59:
        return None
    offset = timedelta(hours=hours, minutes=minutes)
    return timezone(-offset if zone[0] == "-" else offset)
