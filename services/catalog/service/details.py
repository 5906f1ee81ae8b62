"""One table or one ETL in full; what only peers know is asked of them, outside any transaction.

While a peer cannot be reached, the catalog's own part is answered, and `unavailable` names it.
"""

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.catalog.clients import IngestClient, RecordsClient
from services.catalog.domain import (
    Column,
    Columns,
    EtlDetails,
    TableDetails,
    TableKey,
)
from services.catalog.repository import browsing, notes
from services.catalog.repository.notes import ColumnNote
from services.catalog.service.namespaces import Namespaces
from services.catalog.service.naming import require_etl, require_table
from shared.contracts.auth import Caller
from shared.contracts.ingest import ImportSummary
from shared.contracts.records import DATA_SCHEMA, VisibleTable
from shared.http.paging import Position
from shared.http.peers import PeerUnavailableError

RECORDS = "records"
INGEST = "ingest"
SHOWN_IMPORTS = 10

Answer = TypeVar("Answer")
Away = tuple[str, ...]
"""The peers that could not be reached."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Details:
    """Reads that need records, which knows columns, and ingest, which knows imports."""

    engine: AsyncEngine
    namespaces: Namespaces
    records: RecordsClient
    ingest: IngestClient

    async def table(
        self,
        caller: Caller,
        schema: str | None,
        name: str,
        *,
        namespace: str | None,
        limit: int,
        after: Position | None,
    ) -> TableDetails:
        """A table with a page of its edges; raises as `require_table`."""
        stored = await self.namespaces.stored(namespace)
        async with self.engine.connect() as connection:
            table = await require_table(connection, schema, name, namespace=stored)
            edges = await browsing.edges_to(connection, table.id, limit=limit, after=after)
            removed = await browsing.removed_edges(connection, table_id=table.id)
            former_names = await browsing.former_names(connection, table.id)
            seen = await _seen_columns(connection, table.id)
            written = await notes.of_columns(connection, table.id)
        visible, imports, away = await self._known_to_peers(caller, table.key)
        return TableDetails(
            table=table,
            former_names=former_names,
            edges=edges,
            removed=removed,
            columns=_with_notes(_columns(table.key, visible, seen, caller), written),
            imports=imports,
            unavailable=away,
        )

    async def etl(
        self,
        caller: Caller,
        name: str,
        *,
        namespace: str | None,
        limit: int,
        after: Position | None,
    ) -> EtlDetails:
        """An ETL with a page of its edges; raises as `require_etl`."""
        async with self.engine.connect() as connection:
            etl = await require_etl(connection, name, namespace=namespace)
            edges = await browsing.edges_from(connection, etl.id, limit=limit, after=after)
            removed = await browsing.removed_edges(connection, etl_id=etl.id)
        if etl.key.namespace is not None:
            return EtlDetails(etl=etl, edges=edges, removed=removed, runs=(), unavailable=())
        runs, away = await self._visible_runs(caller, name)
        return EtlDetails(etl=etl, edges=edges, removed=removed, runs=runs, unavailable=away)

    async def _known_to_peers(
        self, caller: Caller, key: TableKey
    ) -> tuple[VisibleTable | None, tuple[ImportSummary, ...] | None, Away]:
        """Columns and imports of a table in `data`, if the caller may see it."""
        if not key.is_ours:
            return None, None, ()
        visible, away = await _unless_away(RECORDS, self.records.describe(key.name, caller))
        if visible is None:
            return None, None, away
        asked = self.ingest.last_imports(table=key.name, limit=SHOWN_IMPORTS)
        imports, away = await _unless_away(INGEST, asked)
        return visible, imports, away

    async def _visible_runs(
        self, caller: Caller, etl: str
    ) -> tuple[tuple[ImportSummary, ...] | None, Away]:
        """An ETL's last runs without those into tables that the caller may not see."""
        asked = self.ingest.last_imports(etl=etl, limit=SHOWN_IMPORTS)
        runs, away = await _unless_away(INGEST, asked)
        tables = {run.table for run in runs or () if run.table is not None}
        if runs is None or not tables:
            return runs, away
        visible, away = await _unless_away(RECORDS, self.records.visible_among(tables, caller))
        if visible is None:
            return None, away
        return tuple(run for run in runs if run.table is None or run.table in visible), ()


async def _seen_columns(connection: AsyncConnection, table_id: int) -> Columns | None:
    """The columns as a scan or an event of OpenLineage saw them, whichever is newer."""
    scan = await browsing.newest_scan(connection, table_id)
    reported = await browsing.reported_columns(connection, table_id)
    if scan is None or reported is None or scan.scanned_at is None or reported.scanned_at is None:
        return scan or reported
    return reported if reported.scanned_at > scan.scanned_at else scan


async def _unless_away(peer: str, answer: Awaitable[Answer]) -> tuple[Answer | None, Away]:
    """A peer's answer; None, and the peer's name, when it cannot be reached."""
    try:
        return await answer, ()
    except PeerUnavailableError as exc:
        log.warning("peer_away", peer=peer, error=exc.detail)
        return None, (peer,)


def _with_notes(columns: Columns | None, written: Mapping[str, ColumnNote]) -> Columns | None:
    """The columns with what people wrote of them, which comes before what their source says."""
    if columns is None or not written:
        return columns

    def noted(column: Column) -> Column:
        description, tags = written.get(column.name, (None, ()))
        return replace(column, description=description or column.description, tags=tags)

    return replace(columns, columns=tuple(noted(column) for column in columns.columns))


def _columns(
    key: TableKey, visible: VisibleTable | None, seen: Columns | None, caller: Caller
) -> Columns | None:
    """The columns as records describes them, else as a scan or an event saw them.

    A scanned table has no grants, and the catalog is open to everyone signed in. But a scan that
    met a schema `data` may have met ours: then only those who may see our table see it.
    """
    if visible is not None:
        return Columns(
            columns=tuple(
                Column(column.name, column.type.spelled(), column.nullable, column.description)
                for column in visible.columns
            ),
            source="records",
            estimated_rows=visible.estimated_rows,
        )
    if key.schema == DATA_SCHEMA and not caller.is_admin:
        return None
    return seen
