"""The outbox's handlers: what follows a final state, done at least once."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services.ingest.clients import CatalogClient, RecordsClient
from services.ingest.domain import ImportId, State
from services.ingest.mailer import Mailer
from services.ingest.runs.endings import IntentKind, MadeTable, MailNotice
from services.ingest.runs.kept import KeepingRepository
from shared.contracts.catalog import EdgeSeen
from shared.store.outbox import Handler


@dataclass(frozen=True)
class Deliveries:
    """Mails, catalog edges, and made tables that must go."""

    mailer: Mailer
    catalog: CatalogClient
    records: RecordsClient
    keeping: KeepingRepository

    def handlers(self) -> Mapping[str, Handler]:
        """A handler for each kind of intent; each may be called again for the same intent."""
        return {
            IntentKind.MAIL: self._mail,
            IntentKind.EDGE: self._edge,
            IntentKind.DROP_TABLE: self._drop_table,
        }

    async def _mail(self, payload: Mapping[str, Any]) -> None:
        await self.mailer.tell(MailNotice.model_validate(payload))

    async def _edge(self, payload: Mapping[str, Any]) -> None:
        await self.catalog.saw_edge(EdgeSeen.model_validate(payload))

    async def _drop_table(self, payload: Mapping[str, Any]) -> None:
        made = MadeTable.model_validate(payload)
        now = await self.keeping.state_of(ImportId(made.import_id))
        if now is not None and now.state in (State.QUEUED, State.RUNNING, State.SUCCEEDED):
            # It was tried again: the table is in use, and the new end decides.
            return
        await self.records.drop_made_table(made.table, made.oid)
