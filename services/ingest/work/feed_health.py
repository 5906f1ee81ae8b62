"""Feeds that are late, failing or well again: said once, by whichever worker sees it first."""

import uuid
from dataclasses import dataclass

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from services.ingest.books import BOOKS
from services.ingest.feeds import repository
from services.ingest.feeds.answers import feed_answer
from services.ingest.feeds.domain import Feed, Health
from services.ingest.feeds.notices import MAIL_INTENT, FeedNotice
from services.ingest.webhooks.events import INTENT, Event, EventType
from shared.store.transaction import Transaction, transaction

EVENTS = {
    Health.LATE: EventType.FEED_LATE,
    Health.FAILING: EventType.FEED_FAILING,
    Health.OK: EventType.FEED_RECOVERED,
}

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class FeedHealth:
    """Compares how feeds do with what was said of them."""

    engine: AsyncEngine

    async def tell(self) -> None:
        """Write an event for each feed whose health is another now, one transaction each.

        The owner is mailed when it becomes late, and when it succeeds again after that.
        """
        while await self._next():
            pass

    async def _next(self) -> bool:
        async with transaction(self.engine, BOOKS) as tx:
            changed = await repository.claim_changed(tx.raw)
            if changed is None:
                return False
            feed = await repository.by_id(tx.raw, changed["id"])
            assert feed is not None, "its row is locked"
            if feed.health in EVENTS:
                await _tell(tx, feed, before=Health(changed["told"]))
        return True


async def _tell(tx: Transaction, feed: Feed, *, before: Health) -> None:
    now = await tx.raw.fetchval("SELECT clock_timestamp()")
    event = Event(
        message_id=f"msg_{uuid.uuid4().hex}",
        type=EVENTS[feed.health],
        timestamp=now,
        table=feed.settings.table,
        subject={
            "owner": feed.owner.sub,
            "feed": feed_answer(feed).model_dump(mode="json", by_alias=True),
        },
    )
    await repository.note_told(tx.raw, feed.id, feed.health)
    await tx.intend(INTENT, event.model_dump(mode="json"))
    log.info("feed_health", feed=feed.name, health=feed.health.value)
    if feed.owner.email is None or Health.LATE not in (before, feed.health):
        return
    notice = FeedNotice(
        to=feed.owner.email,
        feed_id=feed.id,
        name=feed.name,
        table=feed.settings.table,
        late=feed.health is Health.LATE,
        every=feed.settings.expect.every,
        last_success_at=feed.last_success_at,
        at=now,
    )
    await tx.intend(MAIL_INTENT, notice.model_dump(mode="json"))
