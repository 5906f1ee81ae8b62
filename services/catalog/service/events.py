"""What records and ingest report as it happens: tables created, renamed, dropped; edges seen.

Each event is idempotent: repeated, late and out of order, the catalog ends up the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.catalog.domain import EtlKey, Removal, TableKey
from services.catalog.repository import edges, lifecycle, lineage, locks, moving
from services.catalog.service.namespaces import Aliases, Namespaces
from services.catalog.tables import BOOKS
from shared.contracts.catalog import EdgeSeen, EdgeUndone, TableEvent, TableEventKind, TableRead
from shared.store.transaction import Transaction, transaction


@dataclass(frozen=True, slots=True)
class _Fed:
    """An edge that was seen, with the ids of its ends."""

    seen: EdgeSeen
    etl_id: int
    table_id: int
    input_id: int | None = None
    """The table that was read; None where none is named."""

    @property
    def edge_key(self) -> tuple[int, int]:
        return self.etl_id, self.table_id


@dataclass(frozen=True, slots=True)
class Events:
    """Writes what other services report."""

    engine: AsyncEngine
    namespaces: Namespaces

    async def table_event(self, event: TableEvent) -> None:
        """A table in `data` was created, renamed or dropped. Raises CatalogBusyError."""
        key = TableKey(schema=event.schema_name, name=event.table_name)
        at = event.occurred_at
        async with transaction(self.engine, BOOKS) as tx:
            if event.new_name is not None:
                await locks.write_alone(tx.connection)
                await _rename(tx.connection, key, TableKey(key.schema, event.new_name), at=at)
                return
            await locks.write_beside_others(tx.connection)
            table_id = await edges.table_as_of(tx.connection, key, at=at)
            if event.kind is TableEventKind.CREATED:
                await lifecycle.mark_present(
                    tx.connection, table_id, description=event.description, at=at
                )
            else:
                await lifecycle.mark_dropped(tx.connection, table_id, at=at)

    async def edges_seen(self, seen: Sequence[EdgeSeen]) -> None:
        """Imports of ETLs fed tables; all of it is entered, or nothing. Raises CatalogBusyError."""
        namespaces = await self._namespaces(seen)
        async with transaction(self.engine, BOOKS) as tx:
            await locks.write_beside_others(tx.connection)
            # ETLs, tables, edges, what was read: each kind in one order and after the one before
            # it, so that two transactions cannot wait for each other.
            fed = await _ends(tx.connection, seen, namespaces)
            await edges.add_edges(tx.connection, _sightings(fed))
            for each in sorted(fed, key=lambda each: each.edge_key):
                if each.seen.read is not None:
                    await _note_read(tx, each, each.seen.read)

    async def _namespaces(self, seen: Sequence[EdgeSeen]) -> Aliases | None:
        """How to resolve the namespaces of what was read; None where nothing was."""
        if all(edge.read is None for edge in seen):
            return None
        return await self.namespaces.aliases()

    async def edge_undone(self, undone: EdgeUndone) -> None:
        """The only import by which an ETL fed a table was undone. Raises CatalogBusyError.

        What was seen since, or has other evidence than imports, stays.
        """
        key = TableKey(schema=undone.schema_name, name=undone.table_name)
        async with transaction(self.engine, BOOKS) as tx:
            await locks.write_beside_others(tx.connection)
            etl_id = await edges.find_etl_id(tx.connection, EtlKey(undone.etl_name))
            if etl_id is None:
                return
            table_id = await edges.table_as_of(tx.connection, key, at=undone.undone_at)
            removed = await edges.remove_edge(
                tx.connection,
                etl_id=etl_id,
                table_id=table_id,
                removed_by=None,
                reason=Removal.UNDONE,
                imported_before=undone.undone_at,
            )
            if removed:
                await lineage.forget_reads(tx.raw, etl_id, table_id)


async def _ends(
    connection: AsyncConnection, seen: Sequence[EdgeSeen], aliases: Aliases | None
) -> list[_Fed]:
    """The ETLs and tables of edges, inserted if they are new."""
    etls = {
        name: await edges.ensure_etl(
            connection,
            EtlKey(name),
            seen_at=min(edge.seen_at for edge in seen if edge.etl_name == name),
        )
        for name in sorted({edge.etl_name for edge in seen})
    }
    named = [(TableKey(edge.schema_name, edge.table_name), edge.seen_at) for edge in seen]
    for edge in seen:
        if edge.read is not None:
            assert aliases is not None
            namespace = aliases.of(edge.read.namespace)
            key = TableKey(edge.read.schema_name, edge.read.table_name, namespace)
            named.append((key, edge.seen_at))
    ids = iter(await edges.tables_as_of(connection, named))
    fed = [_Fed(edge, etls[edge.etl_name], next(ids)) for edge in seen]
    return [each if each.seen.read is None else replace(each, input_id=next(ids)) for each in fed]


def _sightings(fed: Sequence[_Fed]) -> list[edges.Sighting]:
    """One for each edge: the first and the last time."""
    by_edge: dict[tuple[int, int], list[EdgeSeen]] = {}
    for each in fed:
        by_edge.setdefault(each.edge_key, []).append(each.seen)
    sightings = []
    for (etl_id, table_id), times in by_edge.items():
        first = min(times, key=lambda edge: edge.seen_at)
        last = max(times, key=lambda edge: (edge.seen_at, edge.import_id))
        sightings.append(
            edges.Sighting(
                etl_id,
                table_id,
                first_seen=first.seen_at,
                last_seen=last.seen_at,
                first_import=first.import_id,
                last_import=last.import_id,
            )
        )
    return sightings


async def _note_read(tx: Transaction, fed: _Fed, read: TableRead) -> None:
    """An import read a table of another database, and fed its own out of it."""
    etl_id, output_id = fed.edge_key
    input_id, at = fed.input_id, fed.seen.seen_at
    await lineage.put(tx.raw, lineage.INPUTS, [(etl_id, input_id, at, at, None)])
    await lineage.put(tx.raw, lineage.OLDER_COLUMNS, [(etl_id, output_id, at)])
    copied = ("DIRECT", "IDENTITY", False, at)
    columns = [
        (etl_id, output_id, target, input_id, source, *copied)
        for target, source in sorted(read.columns.items())
    ]
    await lineage.put(tx.raw, lineage.COLUMNS, columns)


async def _rename(
    connection: AsyncConnection, old: TableKey, new: TableKey, *, at: datetime
) -> None:
    if await lifecycle.is_renamed(connection, old, at=at):
        return
    target_id = await edges.table_as_of(connection, new, at=at)
    source = await lifecycle.find_named(connection, old)
    await lifecycle.remember_name(connection, old, target_id, until=at)
    description = None
    if source is not None and source.id != target_id:
        description = await lifecycle.description_of(connection, source.id)
        if source.state_at is not None and source.state_at > at:
            # A new table has taken the old name, and its event arrived first.
            await moving.move_earlier(connection, source.id, target_id, before=at)
            description = None
        else:
            await moving.move(connection, source.id, target_id)
    await lifecycle.mark_renamed(connection, target_id, description=description, at=at)
