"""Tables that were created, renamed or dropped; the events may arrive late and in any order.

Two rules hold for each statement: an event changes a table's state only if no newer one is known,
and a renamed table keeps its edges.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import case, delete, exists, func, insert, literal, or_, select, update
from sqlalchemy.dialects.postgresql import insert as insert_or_absorb
from sqlalchemy.ext.asyncio import AsyncConnection

from services.catalog.domain import TableKey
from services.catalog.repository.edges import absorbing, is_table
from services.catalog.tables import EdgeRow, FormerNameRow, RemovedEdgeRow, TableRow

EDGE_COLUMNS = [column.name for column in EdgeRow.__table__.columns if column.name != "table_id"]


@dataclass(frozen=True, slots=True)
class Named:
    """The table that has a name now, and the time of the newest event known of it."""

    id: int
    state_at: datetime | None


async def find_named(connection: AsyncConnection, key: TableKey) -> Named | None:
    """The table that has this name now, locked, if there is one."""
    statement = select(TableRow.id, TableRow.state_at).where(is_table(key)).with_for_update()
    row = (await connection.execute(statement)).one_or_none()
    return Named(id=row.id, state_at=row.state_at) if row else None


async def mark_present(
    connection: AsyncConnection, table_id: int, *, description: str | None, at: datetime
) -> None:
    """The table was created; it takes over the row of a dropped one of its name."""
    newer = or_(TableRow.state_at.is_(None), TableRow.state_at < at)
    await connection.execute(
        update(TableRow)
        .where(TableRow.id == table_id)
        .values(
            first_seen=func.least(TableRow.first_seen, at),
            description=case(
                (newer, description), else_=func.coalesce(TableRow.description, description)
            ),
            dropped_at=case((newer, None), else_=TableRow.dropped_at),
            state_at=func.greatest(TableRow.state_at, at),
        )
    )


async def mark_dropped(connection: AsyncConnection, table_id: int, *, at: datetime) -> None:
    """The table was dropped; it keeps its edges."""
    await connection.execute(
        update(TableRow)
        .where(
            TableRow.id == table_id,
            or_(TableRow.state_at.is_(None), TableRow.state_at <= at),
        )
        .values(dropped_at=at, state_at=at)
    )


async def mark_renamed(
    connection: AsyncConnection, table_id: int, *, description: str | None, at: datetime
) -> None:
    """The table has had its name since `at`, and keeps its description."""
    newer = or_(TableRow.state_at.is_(None), TableRow.state_at < at)
    await connection.execute(
        update(TableRow)
        .where(TableRow.id == table_id)
        .values(
            description=func.coalesce(
                case((newer, description), else_=TableRow.description),
                TableRow.description,
                description,
            ),
            dropped_at=case((newer, None), else_=TableRow.dropped_at),
            state_at=func.greatest(TableRow.state_at, at),
        )
    )


async def is_renamed(connection: AsyncConnection, key: TableKey, *, at: datetime) -> bool:
    """Whether this very rename is known already."""
    known = exists().where(
        FormerNameRow.schema_name == key.schema,
        FormerNameRow.name == key.name,
        FormerNameRow.renamed_at == at,
    )
    return bool((await connection.execute(select(known))).scalar_one())


async def remember_name(
    connection: AsyncConnection, key: TableKey, table_id: int, *, until: datetime
) -> None:
    """Assign what was seen under this name before `until` to that table."""
    await connection.execute(
        insert(FormerNameRow).values(
            schema_name=key.schema, name=key.name, renamed_at=until, table_id=table_id
        )
    )


async def description_of(connection: AsyncConnection, table_id: int) -> str | None:
    """A table's description."""
    statement = select(TableRow.description).where(TableRow.id == table_id)
    return (await connection.execute(statement)).scalar_one()


async def move_edges(
    connection: AsyncConnection, source_id: int, target_id: int, *, before: datetime | None = None
) -> None:
    """Move a table's edges to another one; with `before`, those that were seen before then.

    An edge that was seen both before and after stays with both.
    """
    seen_before = [] if before is None else [EdgeRow.first_seen < before]
    gone = [] if before is None else [EdgeRow.last_seen < before]
    columns = [EdgeRow.__table__.c[name] for name in EDGE_COLUMNS]
    taken = select(literal(target_id), *columns).where(EdgeRow.table_id == source_id, *seen_before)
    statement = insert_or_absorb(EdgeRow).from_select(
        ["table_id", *EDGE_COLUMNS], taken.order_by(EdgeRow.etl_id)
    )
    await connection.execute(absorbing(statement))
    await connection.execute(delete(EdgeRow).where(EdgeRow.table_id == source_id, *gone))


async def forget_row(connection: AsyncConnection, source_id: int, *, now_id: int) -> None:
    """Delete the row of a name that a rename freed; its former names lead to the renamed table."""
    for row in (FormerNameRow, RemovedEdgeRow):
        await connection.execute(
            update(row).where(row.table_id == source_id).values(table_id=now_id)
        )
    await connection.execute(delete(TableRow).where(TableRow.id == source_id))
