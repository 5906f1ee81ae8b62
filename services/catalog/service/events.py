"""What records and ingest tell as it happens: tables made, renamed, dropped; edges seen."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.catalog.domain import TableKey
from services.catalog.repository import edges, lifecycle, locks
from shared.contracts.catalog import EdgeSeen, TableEvent, TableEventKind


async def take_table_event(engine: AsyncEngine, event: TableEvent) -> None:
    """Let the catalog learn of a table; repeated, late and out of order it comes to the same."""
    key = TableKey(schema=event.schema_name, name=event.table_name)
    at = event.occurred_at
    async with engine.begin() as connection:
        if event.kind is TableEventKind.RENAMED:
            assert event.new_name is not None
            await locks.write_alone(connection)
            new_key = TableKey(schema=event.schema_name, name=event.new_name)
            await _rename(connection, key, new_key, at=at)
            return
        await locks.write_beside_others(connection)
        table_id = await edges.table_as_of(connection, key, at=at)
        if event.kind is TableEventKind.CREATED:
            await lifecycle.mark_present(connection, table_id, description=event.description, at=at)
        else:
            await lifecycle.mark_dropped(connection, table_id, at=at)


async def take_edge(engine: AsyncEngine, edge: EdgeSeen) -> None:
    """Let the catalog learn that an import of an ETL fed a table."""
    key = TableKey(schema=edge.schema_name, name=edge.table_name)
    async with engine.begin() as connection:
        await locks.write_beside_others(connection)
        etl_id = await edges.ensure_etl(connection, edge.etl_name, seen_at=edge.seen_at)
        table_id = await edges.table_as_of(connection, key, at=edge.seen_at)
        await edges.add_edge(
            connection,
            etl_id=etl_id,
            table_id=table_id,
            seen_at=edge.seen_at,
            import_id=edge.import_id,
        )


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
            # Somebody made a new table under the old name, and that news came first.
            await lifecycle.move_edges(connection, source.id, target_id, before=at)
            description = None
        else:
            await lifecycle.move_edges(connection, source.id, target_id)
            await lifecycle.forget_row(connection, source.id, now_id=target_id)
    await lifecycle.mark_renamed(connection, target_id, description=description, at=at)
