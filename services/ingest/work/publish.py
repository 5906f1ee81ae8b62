"""Events turned into deliveries: for each webhook that subscribes and may see what it is about."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import structlog

from services.ingest.answers import ImportEvent, import_answer
from services.ingest.clients import AuthClient, RecordsClient
from services.ingest.feeds.answers import FeedAnswer
from services.ingest.feeds.notices import FeedEvent
from services.ingest.runs.row import run_of_snapshot
from services.ingest.webhooks import outgoing
from services.ingest.webhooks.domain import DisabledReason, WebhookId
from services.ingest.webhooks.events import Event
from services.ingest.webhooks.notice import MAIL_INTENT
from services.ingest.webhooks.outgoing import Subscriber
from shared.contracts.auth import Caller, Scope
from shared.store.engine import RawPool

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _About:
    """What an event is about: seen by its owner, and of an import by the owner of its table."""

    owner: str
    table: str | None
    body: str


@dataclass(frozen=True, slots=True)
class Publisher:
    """Hands events to the webhooks of those who may see what they are about."""

    pool: RawPool
    auth: AuthClient
    records: RecordsClient

    async def publish(self, payload: Mapping[str, Any]) -> None:
        """One delivery for each webhook, written once however often this is called.

        Rights are those of this moment. Raises PeerUnavailableError.
        """
        event = Event.model_validate(payload)
        subscribers = await outgoing.subscribers(self.pool, event)
        if not subscribers:
            return
        about = _about(event)
        told: list[WebhookId] = []
        answers: dict[Caller, bool] = {}
        for subscriber in subscribers:
            if subscriber.owner not in answers:
                answers[subscriber.owner] = await self._may_see(about, subscriber)
            if answers[subscriber.owner]:
                told.append(subscriber.id)
        await outgoing.add(
            self.pool,
            told,
            message_id=event.message_id,
            type_=event.type.value,
            body=about.body,
        )

    async def _may_see(self, about: _About, subscriber: Subscriber) -> bool:
        owner = await self.auth.now(subscriber.owner)
        if owner is None:
            await outgoing.disable(
                self.pool,
                subscriber.id,
                DisabledReason.OWNER,
                mail=MAIL_INTENT,
                last_error=None,
            )
            log.warning("webhook_disabled", webhook=subscriber.id, reason=DisabledReason.OWNER)
            return False
        if Scope.IMPORTS_WRITE not in owner.scopes:
            return False
        if owner.is_admin or about.owner == owner.sub:
            return True
        return about.table is not None and await self.records.owns(about.table, owner)


def _about(event: Event) -> _About:
    if "feed" in event.subject:
        feed = FeedAnswer.model_validate(event.subject["feed"])
        about_feed = FeedEvent(type=event.type.value, timestamp=event.timestamp, data=feed)
        body = about_feed.model_dump_json(by_alias=True)
        return _About(owner=event.subject["owner"], table=None, body=body)
    run = run_of_snapshot(event.subject)
    message = ImportEvent(type=event.type.value, timestamp=event.timestamp, data=import_answer(run))
    return _About(
        owner=run.caller.sub, table=run.table, body=message.model_dump_json(by_alias=True)
    )
