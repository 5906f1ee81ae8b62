"""When feeds run by themselves: once a tick, whatever happened before."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

from tests.ingest.connections.driving import Elsewhere
from tests.ingest.connections.test_database_feeds import orders
from tests.ingest.driving import Ingest
from tests.ingest.feeds.driving import call, looked, run
from tests.support.profile import only_in_full

RUNS = "SELECT count(*) FROM ingest.imports WHERE planned_at IS NOT NULL"
DONE = "SELECT count(*) = $1 FROM ingest.imports WHERE state = 'succeeded'"


async def moved(ingest: Ingest, **columns: str) -> None:
    """Change when the feed was to run, as time would."""
    changes = ", ".join(f"{name} = {value}" for name, value in columns.items())
    await ingest.owner.execute(f"UPDATE ingest.feeds SET {changes}")


async def ticked(ingest: Ingest) -> None:
    """Wait until nothing is due."""
    await ingest.until("SELECT every(next_run_at > now()) FROM ingest.feeds")


async def scheduled(elsewhere: Elsewhere, **schedule: Any) -> dict[str, Any]:
    return await orders(elsewhere, schedule=schedule or {"cron": "0 0 1 1 *"})


async def test_a_period_begins_at_once(elsewhere: Elsewhere) -> None:
    await scheduled(elsewhere, every_s=3600)
    ingest = elsewhere.ingest
    async with ingest.working():
        await ingest.until(DONE, 1)
    feed = await looked(ingest, "orders")
    assert (feed["health"], len(feed["history"])) == ("ok", 1)
    planned = await ingest.owner.fetchval("SELECT planned_at FROM ingest.imports")
    following = datetime.fromisoformat(feed["next_run_at"])
    assert following == planned + timedelta(hours=1)


async def test_cron_waits_for_its_time(elsewhere: Elsewhere) -> None:
    feed = await scheduled(elsewhere, cron="30 2 * * *", timezone="Europe/Paris")
    assert feed["schedule"] == {"cron": "30 2 * * *", "timezone": "Europe/Paris"}
    assert feed["next_run_at"] is not None
    assert await elsewhere.ingest.owner.fetchval(RUNS) == 0


async def test_a_time_that_was_missed_often_has_one_run(elsewhere: Elsewhere) -> None:
    await scheduled(elsewhere, every_s=60)
    ingest = elsewhere.ingest
    await moved(ingest, next_run_at="now() - interval '3 days'")
    async with ingest.working():
        await ingest.until(DONE, 1)
        await ticked(ingest)
    assert await ingest.owner.fetchval(RUNS) == 1


@only_in_full
async def test_three_workers_queue_one_import(elsewhere: Elsewhere) -> None:
    await scheduled(elsewhere)
    ingest = elsewhere.ingest
    await moved(ingest, next_run_at="now() - interval '1 second'")
    async with ingest.working(), ingest.working(), ingest.working():
        await ingest.until(DONE, 1)
        await ticked(ingest)
    assert await ingest.owner.fetchval("SELECT count(*) FROM ingest.imports") == 1


async def test_a_tick_beside_an_open_run_is_skipped_and_said(elsewhere: Elsewhere) -> None:
    await scheduled(elsewhere)
    ingest = elsewhere.ingest
    # A worker that takes up ticks and no import: its slots find nothing that is due.
    waiting = await run(ingest, "orders")
    await ingest.owner.execute("UPDATE ingest.imports SET not_before = now() + interval '1 day'")
    await moved(ingest, next_run_at="now() - interval '1 second'")
    async with ingest.working():
        await ticked(ingest)
    feed = await looked(ingest, "orders")
    assert feed["skipped"]["import"] == waiting["id"]
    assert await ingest.owner.fetchval(RUNS) == 0


async def test_a_tick_has_one_run_though_the_clock_goes_back(elsewhere: Elsewhere) -> None:
    await scheduled(elsewhere)
    ingest = elsewhere.ingest
    planned = "date_trunc('minute', now()) - interval '1 minute'"
    for _ in range(2):
        await moved(ingest, next_run_at=planned)
        async with ingest.working():
            await ticked(ingest)
            await ingest.until(DONE, 1)
        planned = "(SELECT max(planned_at) FROM ingest.imports)"
    assert await ingest.owner.fetchval(RUNS) == 1


async def test_what_a_clock_planned_that_was_ahead_is_planned_anew(elsewhere: Elsewhere) -> None:
    await scheduled(elsewhere, every_s=60)
    ingest = elsewhere.ingest
    ahead = "now() + interval '1 year'"
    await moved(ingest, next_run_at=ahead, scheduled_at=ahead)
    async with ingest.working():
        await ingest.until("SELECT next_run_at < now() + interval '61 seconds' FROM ingest.feeds")
    assert await ingest.owner.fetchval(RUNS) == 0


async def test_a_paused_feed_rests_and_goes_on(elsewhere: Elsewhere) -> None:
    await scheduled(elsewhere, every_s=3600)
    ingest = elsewhere.ingest
    answer = await call(ingest, "PATCH", "/api/feeds/orders", {"paused": True})
    assert (answer.json()["health"], answer.json()["next_run_at"]) == ("paused", None)
    await call(ingest, "PATCH", "/api/feeds/orders", {"paused": False})
    async with ingest.working():
        await ingest.until(DONE, 1)


@only_in_full
async def test_ticks_of_many_feeds_are_shared(elsewhere: Elsewhere) -> None:
    feed = await scheduled(elsewhere)
    ingest = elsewhere.ingest
    body = {key: feed[key] for key in ("table", "options", "from", "schedule")}
    answers = await asyncio.gather(
        *(call(ingest, "POST", "/api/feeds", {"name": f"o{at}", **body}) for at in range(7))
    )
    assert {answer.status_code for answer in answers} == {201}
    await moved(ingest, next_run_at="now() - interval '1 second'")
    async with ingest.working(), ingest.working():
        await ingest.until(DONE, 8)
        await ticked(ingest)
    assert await ingest.owner.fetchval(RUNS) == 8
