"""The outbox's handlers: what follows a commit, done at least once."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.ingest.clients import CatalogClient, RecordsClient
from services.ingest.domain.run import ImportId, State
from services.ingest.feeds import notices
from services.ingest.runs import kept
from services.ingest.runs.endings import IntentKind, MadeTable, MailNotice
from services.ingest.webhooks import events, notice
from services.ingest.work.mails import Mails
from services.ingest.work.publish import Publisher
from services.ingest.work.table_news import TableNewsPublisher
from shared.contracts.catalog import EdgeSeen, EdgeUndone
from shared.store.engine import RawPool
from shared.store.outbox import Handler, Together


@dataclass(frozen=True, slots=True)
class Deliveries:
    """Mails, catalog edges, events for webhooks, and made tables that must go."""

    pool: RawPool
    mails: Mails
    catalog: CatalogClient
    records: RecordsClient
    publisher: Publisher
    table_news: TableNewsPublisher
    published: Callable[[], None]
    """Called when webhooks may have something to be sent."""

    def handlers(self) -> Mapping[str, Handler | Together]:
        """A handler for each kind of intent; each may be called again for the same intent."""
        return {
            IntentKind.MAIL: self._mail,
            IntentKind.EDGE: Together(self._edges),
            IntentKind.EDGE_UNDONE: self._edge_undone,
            IntentKind.DROP_TABLE: self._drop_table,
            events.INTENT: self._publish,
            events.TABLE_NEWS: self._publish_table,
            notice.MAIL_INTENT: self._disabled,
            notices.MAIL_INTENT: self._feed_mail,
        }

    async def _mail(self, payload: Mapping[str, Any]) -> None:
        await self.mails.deliver(MailNotice.model_validate(payload))

    async def _edges(self, payloads: Sequence[Mapping[str, Any]]) -> None:
        edges = [EdgeSeen.model_validate(payload) for payload in payloads]
        # While the catalog was away.
        undone = await kept.undone_of(self.pool, [edge.import_id for edge in edges])
        await self.catalog.saw_edges([edge for edge in edges if edge.import_id not in undone])

    async def _edge_undone(self, payload: Mapping[str, Any]) -> None:
        await self.catalog.undid_edge(EdgeUndone.model_validate(payload))

    async def _publish(self, payload: Mapping[str, Any]) -> None:
        await self.publisher.publish(payload)
        self.published()

    async def _publish_table(self, payload: Mapping[str, Any]) -> None:
        await self.table_news.publish(payload)
        self.published()

    async def _disabled(self, payload: Mapping[str, Any]) -> None:
        await self.mails.mailer.send_disabled(notice.DisabledNotice.model_validate(payload))

    async def _feed_mail(self, payload: Mapping[str, Any]) -> None:
        await self.mails.mailer.send_feed(notices.FeedNotice.model_validate(payload))

    async def _drop_table(self, payload: Mapping[str, Any]) -> None:
        made = MadeTable.model_validate(payload)
        now = await kept.state_of(self.pool, ImportId(made.import_id))
        if now is not None and now.state in (State.QUEUED, State.RUNNING, State.SUCCEEDED):
            # It was tried again: the table is in use, and the new end decides.
            return
        await self.records.drop_made_table(made.table, made.oid)
