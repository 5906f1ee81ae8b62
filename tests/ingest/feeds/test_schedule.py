"""When feeds run, across changes of the clock and times that were missed."""

from datetime import UTC, datetime, timedelta

import pytest

from services.ingest.feeds.schedule import (
    CronSchedule,
    EverySchedule,
    Schedule,
    ScheduleError,
    following,
)


def at(text: str) -> datetime:
    """An aware moment."""
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("cron", "timezone", "after", "times"),
    [
        ("0 2 * * *", "Europe/Paris", "2026-01-01T00:00Z", ["2026-01-01T01:00Z"]),
        # 02:30 does not exist on 29 March: it runs when the gap ends, and only once.
        (
            *("30 2 * * *", "Europe/Paris", "2026-03-28T12:00Z"),
            ["2026-03-29T01:00Z", "2026-03-30T00:30Z"],
        ),
        # 02:30 comes twice on 25 October: it runs the first time.
        (
            *("30 2 * * *", "Europe/Paris", "2026-10-24T12:00Z"),
            ["2026-10-25T00:30Z", "2026-10-26T01:30Z"],
        ),
        # A quarter of an hour is one, whatever the clock shows.
        (
            *("*/15 * * * *", "Europe/Paris", "2026-10-25T00:44Z"),
            ["2026-10-25T00:45Z", "2026-10-25T01:00Z", "2026-10-25T01:15Z"],
        ),
        ("0 0 29 2 *", "UTC", "2026-01-01T00:00Z", ["2028-02-29T00:00Z"]),
        ("0 9 * * MON-FRI", "UTC", "2026-11-28T12:00Z", ["2026-11-30T09:00Z"]),
    ],
)
def test_cron_runs_as_the_clock_on_the_wall(
    cron: str, timezone: str, after: str, times: list[str]
) -> None:
    schedule = CronSchedule.checked(cron, timezone)
    moment = at(after)
    for time in times:
        moment = schedule.next_after(moment)
        assert moment == at(time)
        assert moment.tzinfo is UTC


@pytest.mark.parametrize(
    ("cron", "timezone", "field"),
    [
        ("61 * * * *", "UTC", "schedule.cron"),
        ("0 0 30 2 *", "UTC", "schedule.cron"),
        ("* * * * * *", "UTC", "schedule.cron"),
        ("@daily", "UTC", "schedule.cron"),
        ("", "UTC", "schedule.cron"),
        ("*/0 * * * *", "UTC", "schedule.cron"),
        ("0 2 * * *", "Europe/Paradise", "schedule.timezone"),
        ("0 2 * * *", "../../etc/passwd", "schedule.timezone"),
        ("0 2 * * *", "", "schedule.timezone"),
    ],
)
def test_what_never_runs_is_refused_by_field(cron: str, timezone: str, field: str) -> None:
    with pytest.raises(ScheduleError) as refused:
        CronSchedule.checked(cron, timezone)
    assert [error.field for error in refused.value.errors] == [field]


@pytest.mark.parametrize("every_s", [0, 59, -600, 10**9])
def test_a_period_is_a_minute_to_a_year(every_s: int) -> None:
    with pytest.raises(ScheduleError):
        EverySchedule.checked(every_s)
    assert EverySchedule.checked(60) == EverySchedule(60)


@pytest.mark.parametrize(
    ("schedule", "now", "after"),
    [
        (EverySchedule(600), "2026-01-01T00:00:01Z", "2026-01-01T00:10Z"),
        (EverySchedule(600), "2026-01-01T00:10:00Z", "2026-01-01T00:20Z"),
        (EverySchedule(600), "2026-01-03T05:55:00Z", "2026-01-03T06:00Z"),
        (EverySchedule(600), "2025-12-31T00:00:00Z", "2026-01-01T00:10Z"),
        (CronSchedule("0 * * * *"), "2026-01-01T00:00:01Z", "2026-01-01T01:00Z"),
        (CronSchedule("0 * * * *"), "2026-01-03T05:55:00Z", "2026-01-03T06:00Z"),
        # A clock that jumped back does not make the same tick come again.
        (CronSchedule("0 * * * *"), "2025-12-31T00:00:00Z", "2026-01-01T01:00Z"),
    ],
)
def test_times_that_were_missed_are_made_up_by_one_run(
    schedule: Schedule, now: str, after: str
) -> None:
    planned = at("2026-01-01T00:00Z")
    assert following(schedule, planned, now=at(now)) == at(after)
    assert following(schedule, planned, now=at(now)) > planned + timedelta(0)
