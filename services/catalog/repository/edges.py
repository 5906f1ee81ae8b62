"""Edges one at a time, and the ETLs, schemas and tables at their ends."""

from datetime import datetime

from sqlalchemy import (
    RowMapping,
    and_,
    case,
    delete,
    func,
    literal,
    or_,
    select,
    tuple_,
)
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.catalog.domain import TableKey
from services.catalog.tables import CatalogTable, Edge, Etl, FormerName, Schema


def absorbing(statement: Insert) -> Insert:
    """The one rule for an edge that is known already: it only ever learns.

    Its first sighting moves back in time, its last one forward, each with its import; a newer scan
    replaces what an older one told. So repeating a statement, or running two in either order,
    leaves the same edge. What would change nothing is not written at all.
    """
    new = statement.excluded
    earlier = new.first_seen < Edge.first_seen
    # An import that is told again is no later sighting, whenever it is told.
    later = and_(
        new.last_import.is_distinct_from(Edge.last_import),
        tuple_(new.last_seen, func.coalesce(new.last_import, 0))
        > tuple_(Edge.last_seen, func.coalesce(Edge.last_import, 0)),
    )
    newer_scan = and_(
        new.scanned_at.is_not(None),
        or_(Edge.scanned_at.is_(None), new.scanned_at > Edge.scanned_at),
    )
    return statement.on_conflict_do_update(
        index_elements=[Edge.etl_id, Edge.table_id],
        set_={
            "first_seen": func.least(Edge.first_seen, new.first_seen),
            "first_import": case((earlier, new.first_import), else_=Edge.first_import),
            "last_seen": case((later, new.last_seen), else_=Edge.last_seen),
            "last_import": case((later, new.last_import), else_=Edge.last_import),
            "columns": case((newer_scan, new.columns), else_=Edge.columns),
            "estimated_rows": case((newer_scan, new.estimated_rows), else_=Edge.estimated_rows),
            "scanned_at": func.greatest(Edge.scanned_at, new.scanned_at),
        },
        where=or_(earlier, later, newer_scan),
    )


async def add_edge(
    connection: AsyncConnection,
    *,
    etl_id: int,
    table_id: int,
    seen_at: datetime,
    import_id: int | None,
) -> None:
    """Make an edge, or let the known one learn of this sighting."""
    statement = insert(Edge).values(
        etl_id=etl_id,
        table_id=table_id,
        first_seen=seen_at,
        last_seen=seen_at,
        first_import=import_id,
        last_import=import_id,
    )
    await connection.execute(absorbing(statement))


async def remove_edge(connection: AsyncConnection, *, etl_id: int, table_id: int) -> bool:
    """Take an edge out; whether there was one."""
    done = await connection.execute(
        delete(Edge).where(Edge.etl_id == etl_id, Edge.table_id == table_id)
    )
    return done.rowcount > 0


async def find_edge(
    connection: AsyncConnection, *, etl_id: int, table_id: int
) -> RowMapping | None:
    """The facts of one edge, if it is there."""
    statement = select(
        Edge.first_seen,
        Edge.last_seen,
        Edge.first_import,
        Edge.last_import,
        Edge.estimated_rows,
        Edge.scanned_at,
    ).where(Edge.etl_id == etl_id, Edge.table_id == table_id)
    return (await connection.execute(statement)).mappings().one_or_none()


async def ensure_etl(connection: AsyncConnection, name: str, *, seen_at: datetime) -> int:
    """The id of an ETL, made if it is new."""
    made = insert(Etl).values(name=name, first_seen=seen_at).on_conflict_do_nothing()
    etl_id = (await connection.execute(made.returning(Etl.id))).scalar_one_or_none()
    if etl_id is not None:
        return etl_id
    return (await connection.execute(select(Etl.id).where(Etl.name == name))).scalar_one()


async def create_etl(
    connection: AsyncConnection, *, name: str, description: str | None
) -> RowMapping | None:
    """A new ETL, or None if the name is taken."""
    statement = (
        insert(Etl)
        .values(name=name, description=description)
        .on_conflict_do_nothing()
        .returning(Etl.name, Etl.description, Etl.first_seen, literal(0).label("table_count"))
    )
    return (await connection.execute(statement)).mappings().one_or_none()


async def find_etl_id(connection: AsyncConnection, name: str) -> int | None:
    """The id of an ETL, if there is one."""
    return (await connection.execute(select(Etl.id).where(Etl.name == name))).scalar_one_or_none()


async def ensure_table(connection: AsyncConnection, key: TableKey, *, seen_at: datetime) -> int:
    """The id of the table that now has this name, made if it is new."""
    table_id = await find_table_id(connection, key)
    if table_id is not None:
        return table_id
    schema = insert(Schema).values(name=key.schema, first_seen=seen_at).on_conflict_do_nothing()
    await connection.execute(schema)
    made = (
        insert(CatalogTable)
        .values(schema_name=key.schema, name=key.name, first_seen=seen_at)
        .on_conflict_do_nothing()
        .returning(CatalogTable.id)
    )
    table_id = (await connection.execute(made)).scalar_one_or_none()
    if table_id is None:
        # Another transaction made it in between; it has committed, so it can be seen now.
        table_id = await find_table_id(connection, key)
    assert table_id is not None
    return table_id


async def find_table_id(connection: AsyncConnection, key: TableKey) -> int | None:
    """The id of the table that now has this name, if there is one."""
    statement = select(CatalogTable.id).where(
        CatalogTable.schema_name == key.schema, CatalogTable.name == key.name
    )
    return (await connection.execute(statement)).scalar_one_or_none()


async def table_as_of(connection: AsyncConnection, key: TableKey, *, at: datetime) -> int:
    """The id of the table that had this name at a time, made if it is new.

    If the name was given up by a rename after that time, the renamed table is meant.
    """
    renamed = (
        select(FormerName.table_id)
        .where(
            FormerName.schema_name == key.schema,
            FormerName.name == key.name,
            FormerName.renamed_at > at,
        )
        .order_by(FormerName.renamed_at)
        .limit(1)
    )
    table_id = (await connection.execute(renamed)).scalar_one_or_none()
    return table_id or await ensure_table(connection, key, seen_at=at)


async def now(connection: AsyncConnection) -> datetime:
    """When this transaction began, by the database's clock."""
    return (await connection.execute(select(func.now()))).scalar_one()
