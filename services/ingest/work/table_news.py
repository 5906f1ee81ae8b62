"""Events about tables turned into deliveries: to the webhooks of those who may see the table."""

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import structlog

from services.ingest.clients import AuthClient
from services.ingest.webhooks import outgoing
from services.ingest.webhooks.domain import DisabledReason, WebhookId
from services.ingest.webhooks.events import Event
from services.ingest.webhooks.notice import MAIL_INTENT
from shared.contracts.auth import Scope
from shared.contracts.events import TableNews
from shared.store.engine import RawPool

OWNER = "owner"
"""The level of admins on any table."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class TableNewsPublisher:
    """Hands what records tells of tables to webhooks."""

    pool: RawPool
    auth: AuthClient

    async def publish(self, payload: Mapping[str, Any]) -> None:
        """One delivery for each webhook, written once however often this is called.

        Who may see the table is what records said of that moment. Raises PeerUnavailableError.
        """
        news = TableNews.model_validate(payload)
        event = Event.model_validate({**payload, "subject": news.data})
        receivers: dict[str, list[WebhookId]] = defaultdict(list)
        for subscriber in await outgoing.subscribers(self.pool, event):
            owner = await self.auth.now(subscriber.owner)
            if owner is None:
                reason = DisabledReason.OWNER
                await outgoing.disable(
                    self.pool, subscriber.id, reason, mail=MAIL_INTENT, last_error=None
                )
                log.warning("webhook_disabled", webhook=subscriber.id, reason=reason.value)
                continue
            level = OWNER if owner.is_admin else news.seen_by.get(owner.sub)
            if level is not None and Scope.TABLES_READ in owner.scopes:
                receivers[level].append(subscriber.id)
        head = news.model_dump(mode="json", include={"type", "timestamp"})
        for level, webhook_ids in receivers.items():
            message = {**head, "data": {**news.data, "level": level}}
            await outgoing.add(
                self.pool,
                webhook_ids,
                message_id=news.message_id,
                type_=news.type.value,
                body=json.dumps(message, ensure_ascii=False),
            )
