"""What records and ingest report as it happens: tables created, renamed, dropped; edges seen.

Each event is idempotent: repeated, late and out of order, the catalog ends up the same.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.catalog.domain import EtlKey, Removal, TableKey
from services.catalog.repository import edges, lifecycle, lineage, locks, moving
from services.catalog.service.namespaces import Namespaces
from services.catalog.tables import BOOKS
from shared.contracts.catalog import EdgeSeen, EdgeUndone, TableEvent, TableEventKind, TableRead
from shared.store.transaction import Transaction, transaction


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

    async def edge_seen(self, edge: EdgeSeen) -> None:
        """An import of an ETL fed a table. Raises CatalogBusyError."""
        key = TableKey(schema=edge.schema_name, name=edge.table_name)
        read = edge.read
        namespace = None if read is None else await self.namespaces.resolve(read.namespace)
        async with transaction(self.engine, BOOKS) as tx:
            await locks.write_beside_others(tx.connection)
            etl_id = await edges.ensure_etl(
                tx.connection, EtlKey(edge.etl_name), seen_at=edge.seen_at
            )
            table_id = await edges.table_as_of(tx.connection, key, at=edge.seen_at)
            await edges.add_edge(
                tx.connection,
                etl_id=etl_id,
                table_id=table_id,
                seen_at=edge.seen_at,
                import_id=edge.import_id,
            )
            if edge.read is not None:
                ends = (etl_id, table_id)
                await _note_read(tx, edge.read, ends, namespace=namespace, at=edge.seen_at)

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


async def _note_read(
    tx: Transaction, read: TableRead, ends: tuple[int, int], *, namespace: str | None, at: datetime
) -> None:
    """An import read a table of another database, and fed `ends` (ETL, table) out of it."""
    etl_id, output_id = ends
    key = TableKey(read.schema_name, read.table_name, namespace)
    input_id = await edges.ensure_table(tx.connection, key, seen_at=at)
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
