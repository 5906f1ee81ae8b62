"""Search over everything that the catalog knows, without what the caller may not see."""

from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from services.catalog.clients import RecordsClient
from services.catalog.domain import Hit
from services.catalog.repository import search
from services.catalog.tables import BOOKS
from shared.contracts.auth import Caller
from shared.contracts.records import ColumnFound
from shared.http.peers import PeerUnavailableError
from shared.store.transaction import transaction

MORE = 4
"""As many times more than are shown are looked at: some may be hidden from the caller."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Found:
    """The best hits; `unavailable` names records where tables in `data` had to be left out."""

    hits: Sequence[Hit]
    truncated: bool
    unavailable: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Search:
    """Finds tables, columns and ETLs."""

    engine: AsyncEngine
    records: RecordsClient

    async def best(self, caller: Caller, q: str, *, limit: int) -> Found:
        """The best hits for some words, the best first."""
        ours: Sequence[ColumnFound] = ()
        away: tuple[str, ...] = ()
        try:
            ours = await self.records.columns_with_words(q.split(), caller, limit=limit * MORE)
        except PeerUnavailableError as exc:
            log.warning("peer_away", peer="records", error=exc.detail)
            away = ("records",)
        async with transaction(self.engine, BOOKS) as tx:
            hits = await search.hits(tx.raw, q, ours=ours, limit=limit * MORE)
        tables = {hit.table for hit in hits if hit.table is not None}
        try:
            hidden = await self.records.hidden_among(tables, caller)
        except PeerUnavailableError as exc:
            log.warning("peer_away", peer="records", error=exc.detail)
            hidden, away = frozenset(table for table in tables if table.is_ours), ("records",)
        shown = [hit for hit in hits if hit.table not in hidden]
        return Found(shown[:limit], truncated=len(shown) > limit, unavailable=away)
