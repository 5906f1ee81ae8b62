"""Tables that were made, renamed or dropped, told late and in any order.

What each statement must keep: an event changes a table's state only if no newer one is known, and
a renamed table takes its edges along.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import case, delete, exists, func, insert, literal, or_, select, update
from sqlalchemy.dialects.postgresql import insert as insert_or_absorb
from sqlalchemy.ext.asyncio import AsyncConnection

from services.catalog.domain import TableKey
from services.catalog.repository.edges import absorbing
from services.catalog.tables import CatalogTable, Edge, FormerName

EDGE_COLUMNS = [column.name for column in Edge.__table__.columns if column.name != "table_id"]


@dataclass(frozen=True, slots=True)
class Named:
    """The table that has a name now, and the time of the newest event known of it."""

    id: int
    state_at: datetime | None


async def find_named(connection: AsyncConnection, key: TableKey) -> Named | None:
    """The table that has this name now, locked, if there is one."""
    statement = (
        select(CatalogTable.id, CatalogTable.state_at)
        .where(CatalogTable.schema_name == key.schema, CatalogTable.name == key.name)
        .with_for_update()
    )
    row = (await connection.execute(statement)).one_or_none()
    return Named(id=row.id, state_at=row.state_at) if row else None


async def mark_present(
    connection: AsyncConnection, table_id: int, *, description: str | None, at: datetime
) -> None:
    """The table was made; an older one of its name, dropped before, lives on in it."""
    newer = or_(CatalogTable.state_at.is_(None), CatalogTable.state_at < at)
    await connection.execute(
        update(CatalogTable)
        .where(CatalogTable.id == table_id)
        .values(
            first_seen=func.least(CatalogTable.first_seen, at),
            description=case(
                (newer, description), else_=func.coalesce(CatalogTable.description, description)
            ),
            dropped_at=case((newer, None), else_=CatalogTable.dropped_at),
            state_at=func.greatest(CatalogTable.state_at, at),
        )
    )


async def mark_dropped(connection: AsyncConnection, table_id: int, *, at: datetime) -> None:
    """The table is gone; it keeps its edges."""
    await connection.execute(
        update(CatalogTable)
        .where(
            CatalogTable.id == table_id,
            or_(CatalogTable.state_at.is_(None), CatalogTable.state_at <= at),
        )
        .values(dropped_at=at, state_at=at)
    )


async def mark_renamed(
    connection: AsyncConnection, table_id: int, *, description: str | None, at: datetime
) -> None:
    """The table has this name since then, and brought its description along."""
    newer = or_(CatalogTable.state_at.is_(None), CatalogTable.state_at < at)
    await connection.execute(
        update(CatalogTable)
        .where(CatalogTable.id == table_id)
        .values(
            description=func.coalesce(
                case((newer, description), else_=CatalogTable.description),
                CatalogTable.description,
                description,
            ),
            dropped_at=case((newer, None), else_=CatalogTable.dropped_at),
            state_at=func.greatest(CatalogTable.state_at, at),
        )
    )


async def is_renamed(connection: AsyncConnection, key: TableKey, *, at: datetime) -> bool:
    """Whether this very rename is known."""
    known = exists().where(
        FormerName.schema_name == key.schema,
        FormerName.name == key.name,
        FormerName.renamed_at == at,
    )
    return bool((await connection.execute(select(known))).scalar_one())


async def remember_name(
    connection: AsyncConnection, key: TableKey, table_id: int, *, until: datetime
) -> None:
    """What was seen under this name before `until` belongs to that table."""
    await connection.execute(
        insert(FormerName).values(
            schema_name=key.schema, name=key.name, renamed_at=until, table_id=table_id
        )
    )


async def description_of(connection: AsyncConnection, table_id: int) -> str | None:
    """A table's description."""
    statement = select(CatalogTable.description).where(CatalogTable.id == table_id)
    return (await connection.execute(statement)).scalar_one()


async def move_edges(
    connection: AsyncConnection, source_id: int, target_id: int, *, before: datetime | None = None
) -> None:
    """Give a table's edges to another one; with `before`, those that were seen before then.

    An edge that was seen before and after is then with both.
    """
    seen_before = [] if before is None else [Edge.first_seen < before]
    gone = [] if before is None else [Edge.last_seen < before]
    columns = [Edge.__table__.c[name] for name in EDGE_COLUMNS]
    taken = select(literal(target_id), *columns).where(Edge.table_id == source_id, *seen_before)
    statement = insert_or_absorb(Edge).from_select(
        ["table_id", *EDGE_COLUMNS], taken.order_by(Edge.etl_id)
    )
    await connection.execute(absorbing(statement))
    await connection.execute(delete(Edge).where(Edge.table_id == source_id, *gone))


async def forget_row(connection: AsyncConnection, source_id: int, *, now_id: int) -> None:
    """Take out the row of a name that was given up; its former names lead to the renamed table."""
    await connection.execute(
        update(FormerName).where(FormerName.table_id == source_id).values(table_id=now_id)
    )
    await connection.execute(delete(CatalogTable).where(CatalogTable.id == source_id))
