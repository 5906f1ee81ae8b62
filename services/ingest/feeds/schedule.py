"""When a feed runs: by a cron expression in a time zone, or every so many seconds. Pure.

Cron as Debian's reads it: a time that the clock skips in spring runs at the end of the gap, one
that it shows twice in autumn runs once, if hour and minute are named.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from shared.errors import InvalidInputError

CRON_FIELDS = 5
LEAST_EVERY_S = 60
MOST_EVERY_S = 366 * 86_400
EXPRESSION_LIMIT = 200


class ScheduleError(InvalidInputError):
    """A schedule that never runs, or that nobody can read."""

    code = "invalid_schedule"
    title = "The schedule cannot be used"


@dataclass(frozen=True, slots=True)
class CronSchedule:
    """`expression`: minute, hour, day of month, month, day of week. `timezone`: an IANA name."""

    expression: str
    timezone: str = "UTC"

    @classmethod
    def checked(cls, expression: str, timezone: str) -> "CronSchedule":
        """The schedule, if it ever runs; raises ScheduleError, naming the field."""
        schedule = cls(expression, timezone)
        if len(expression) > EXPRESSION_LIMIT or len(expression.split()) != CRON_FIELDS:
            raise ScheduleError.of(
                "schedule.cron",
                "invalid_cron",
                "give five fields: minute, hour, day of the month, month, day of the week",
            )
        zone = zone_of(timezone)
        try:
            next(CronSim(expression, datetime.now(zone)))
        except CronSimError as exc:
            raise ScheduleError.of(
                "schedule.cron", "invalid_cron", f"{expression!r} is no cron expression: {exc}"
            ) from exc
        except StopIteration as exc:
            raise ScheduleError.of(
                "schedule.cron", "invalid_cron", f"{expression!r} never comes"
            ) from exc
        return schedule

    def next_after(self, moment: datetime) -> datetime:
        """The first time after an aware moment, in UTC."""
        local = moment.astimezone(ZoneInfo(self.timezone))
        return next(CronSim(self.expression, local)).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class EverySchedule:
    """Every so many seconds, counted from the time that was planned before."""

    every_s: int

    @classmethod
    def checked(cls, every_s: int) -> "EverySchedule":
        """The schedule; raises ScheduleError for less than a minute or more than a year."""
        if not LEAST_EVERY_S <= every_s <= MOST_EVERY_S:
            raise ScheduleError.of(
                "schedule.every_s",
                "out_of_range",
                f"give {LEAST_EVERY_S} to {MOST_EVERY_S:,} seconds",
            )
        return cls(every_s)

    def next_after(self, moment: datetime) -> datetime:
        """The time that follows an aware moment, in UTC."""
        return moment.astimezone(UTC) + timedelta(seconds=self.every_s)


Schedule = CronSchedule | EverySchedule


def first(schedule: Schedule, *, now: datetime) -> datetime:
    """When a feed with this schedule runs first: a period begins at once, cron at its next time."""
    return now if isinstance(schedule, EverySchedule) else schedule.next_after(now)


def following(schedule: Schedule, planned: datetime, *, now: datetime) -> datetime:
    """The next time for a run that was planned at `planned` and is taken up at `now`.

    Times that were missed in between are skipped: they are made up by the run of `planned` alone.
    """
    if isinstance(schedule, EverySchedule):
        period = timedelta(seconds=schedule.every_s)
        missed = max(0, (now - planned) // period)
        return schedule.next_after(planned + missed * period)
    return schedule.next_after(max(planned, now))


def zone_of(name: str) -> ZoneInfo:
    """The time zone of a name such as `Europe/Paris`; raises ScheduleError."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as exc:
        raise ScheduleError.of(
            "schedule.timezone",
            "unknown_timezone",
            f"{name!r} is no time zone; give a name such as Europe/Paris or UTC",
        ) from exc
