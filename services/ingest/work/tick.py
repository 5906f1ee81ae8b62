"""The ticks of feeds: what is due is queued, by whichever worker comes first."""

from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from services.ingest.books import BOOKS
from services.ingest.feeds import repository
from services.ingest.feeds.domain import Feed, FeedId
from services.ingest.feeds.queue import queue_run
from services.ingest.feeds.schedule import following
from services.ingest.runs import of_feeds
from services.ingest.work.slots import WorkerSlots
from shared.store.transaction import Transaction, transaction

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Ticks:
    """Queues the runs of feeds at their times."""

    engine: AsyncEngine
    slots: WorkerSlots

    async def tick(self) -> None:
        """Queue every run that is due, one transaction each.

        A time that was missed has one run, however often it was missed. While a run of the feed
        is open its times are skipped, and the feed says so.
        """
        while await self._next():
            pass

    async def _next(self) -> bool:
        async with transaction(self.engine, BOOKS) as tx:
            due = await repository.claim_due(tx.raw)
            if due is None:
                return False
            feed = await repository.by_id(tx.raw, due["id"])
            assert feed is not None, "its row is locked"
            if due["clock_set_back"]:
                await _plan_anew(tx, feed, now=due["now"])
                queued = False
            else:
                queued = await _run(tx, feed, planned=due["next_run_at"], now=due["now"])
        if queued and self.slots.has_room:
            self.slots.start()
        return True


async def _run(tx: Transaction, feed: Feed, *, planned: datetime, now: datetime) -> bool:
    run = await queue_run(tx, feed, planned_at=planned)
    if run is None:
        open_run = await of_feeds.open_run(tx.raw, feed.id)
        # Without one, the tick has had its run: the clock was set back.
        if open_run is not None:
            await repository.note_skipped(tx.raw, feed.id, planned, open_run=open_run)
        log.info("feed_tick_skipped", feed=feed.name, planned=planned, open_import=open_run)
    schedule = feed.settings.schedule
    after = None if schedule is None else following(schedule, planned, now=now)
    await repository.schedule(tx.raw, FeedId(feed.id), after)
    return run is not None


async def _plan_anew(tx: Transaction, feed: Feed, *, now: datetime) -> None:
    """The database's clock was set back: what was planned by it may be far away."""
    schedule = feed.settings.schedule
    log.warning("clock_set_back", feed=feed.name, planned=feed.next_run_at)
    await repository.schedule(
        tx.raw, FeedId(feed.id), None if schedule is None else schedule.next_after(now)
    )
