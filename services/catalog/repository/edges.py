"""Edges one at a time, and the ETLs, schemas and tables at their ends."""

from datetime import datetime

from sqlalchemy import (
    ColumnElement,
    Text,
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

from services.catalog.domain import Etl, EtlKey, Removal, TableKey
from services.catalog.repository.lists import ETL, TABLE_KEY, etl_of, stored
from services.catalog.tables import (
    NO_NAMESPACE,
    EdgeRow,
    EtlRow,
    FormerNameRow,
    RemovedEdgeRow,
    SchemaRow,
    TableRow,
)


def absorbing(statement: Insert) -> Insert:
    """The one rule for an edge that is known already: it only gains.

    Its first sighting moves back in time, its last one forward, each with its import; a newer scan
    replaces an older one. So repeating a statement, or running two in either order, leaves the
    same edge. What would change nothing is not written at all.
    """
    new = statement.excluded
    earlier = new.first_seen < EdgeRow.first_seen
    # An import that is reported again is no later sighting, whenever the report arrives.
    later = and_(
        new.last_import.is_distinct_from(EdgeRow.last_import),
        tuple_(new.last_seen, func.coalesce(new.last_import, 0))
        > tuple_(EdgeRow.last_seen, func.coalesce(EdgeRow.last_import, 0)),
    )
    newer_scan = and_(
        new.scanned_at.is_not(None),
        or_(EdgeRow.scanned_at.is_(None), new.scanned_at > EdgeRow.scanned_at),
    )
    return statement.on_conflict_do_update(
        index_elements=[EdgeRow.etl_id, EdgeRow.table_id],
        set_={
            "first_seen": func.least(EdgeRow.first_seen, new.first_seen),
            "first_import": case((earlier, new.first_import), else_=EdgeRow.first_import),
            "last_seen": case((later, new.last_seen), else_=EdgeRow.last_seen),
            "last_import": case((later, new.last_import), else_=EdgeRow.last_import),
            "columns": case((newer_scan, new.columns), else_=EdgeRow.columns),
            "estimated_rows": case((newer_scan, new.estimated_rows), else_=EdgeRow.estimated_rows),
            "scanned_at": func.greatest(EdgeRow.scanned_at, new.scanned_at),
        },
        where=or_(earlier, later, newer_scan),
    )


async def add_edge(
    connection: AsyncConnection,
    *,
    etl_id: int,
    table_id: int,
    seen_at: datetime,
    import_id: int | None = None,
    entered_by: str | None = None,
) -> None:
    """Insert an edge, or add this sighting to the known one.

    `entered_by` is the subject who enters it by hand.
    """
    statement = insert(EdgeRow).values(
        etl_id=etl_id,
        table_id=table_id,
        first_seen=seen_at,
        last_seen=seen_at,
        first_import=import_id,
        last_import=import_id,
        entered_by=entered_by,
    )
    await connection.execute(absorbing(statement))


async def remove_edge(
    connection: AsyncConnection,
    *,
    etl_id: int,
    table_id: int,
    removed_by: str | None,
    reason: Removal,
    imported_before: datetime | None = None,
) -> bool:
    """Move an edge to the removed ones; returns whether there was one.

    With `imported_before` only one that imports alone have made, and none since then.
    """
    conditions = [EdgeRow.etl_id == etl_id, EdgeRow.table_id == table_id]
    if imported_before is not None:
        conditions += [
            EdgeRow.last_seen < imported_before,
            EdgeRow.entered_by.is_(None),
            EdgeRow.scanned_at.is_(None),
        ]
    deleted = (
        delete(EdgeRow).where(*conditions).returning(*EdgeRow.__table__.columns).cte("deleted")
    )
    names = [column.name for column in deleted.c]
    rows = select(*deleted.c, literal(removed_by, Text), literal(reason.value, Text))
    moved = insert(RemovedEdgeRow).from_select([*names, "removed_by", "reason"], rows)
    return (await connection.execute(moved)).rowcount > 0


async def find_etl_id(connection: AsyncConnection, key: EtlKey) -> int | None:
    """The id of an ETL; None where it is unknown."""
    statement = select(EtlRow.id).where(
        EtlRow.name == key.name, EtlRow.namespace == (key.namespace or NO_NAMESPACE)
    )
    return (await connection.execute(statement)).scalar_one_or_none()


async def ensure_etl(connection: AsyncConnection, key: EtlKey, *, seen_at: datetime) -> int:
    """The id of an ETL, inserted if it is new."""
    namespace = key.namespace or NO_NAMESPACE
    made = (
        insert(EtlRow)
        .values(name=key.name, namespace=namespace, first_seen=seen_at)
        .on_conflict_do_nothing()
        .returning(EtlRow.id)
    )
    etl_id = (await connection.execute(made)).scalar_one_or_none()
    if etl_id is not None:
        return etl_id
    known = select(EtlRow.id).where(EtlRow.name == key.name, EtlRow.namespace == namespace)
    return (await connection.execute(known)).scalar_one()


async def create_etl(
    connection: AsyncConnection, name: str, *, description: str | None
) -> Etl | None:
    """The new ETL; None when the name is taken."""
    made = insert(EtlRow).values(name=name, description=description).on_conflict_do_nothing()
    row = (await connection.execute(made.returning(*ETL))).one_or_none()
    return None if row is None else etl_of(row)


async def ensure_table(connection: AsyncConnection, key: TableKey, *, seen_at: datetime) -> int:
    """The id of the table that has this name now, inserted if it is new."""
    table_id = await find_table_id(connection, key)
    if table_id is not None:
        return table_id
    schema, name, namespace = stored(key)
    await connection.execute(
        insert(SchemaRow)
        .values(name=schema, namespace=namespace, first_seen=seen_at)
        .on_conflict_do_nothing()
    )
    made = (
        insert(TableRow)
        .values(schema_name=schema, name=name, namespace=namespace, first_seen=seen_at)
        .on_conflict_do_nothing()
        .returning(TableRow.id)
    )
    table_id = (await connection.execute(made)).scalar_one_or_none()
    if table_id is None:
        # Another transaction inserted it meanwhile; it has committed, so it is visible now.
        table_id = await find_table_id(connection, key)
    assert table_id is not None
    return table_id


async def find_table_id(connection: AsyncConnection, key: TableKey) -> int | None:
    """The id of the table that has this name now, if there is one."""
    statement = select(TableRow.id).where(is_table(key))
    return (await connection.execute(statement)).scalar_one_or_none()


def is_table(key: TableKey) -> ColumnElement[bool]:
    """Whether the row at hand is the table of a key."""
    return and_(*(column == value for column, value in zip(TABLE_KEY, stored(key), strict=True)))


async def table_as_of(connection: AsyncConnection, key: TableKey, *, at: datetime) -> int:
    """The id of the table that had this name at a time, inserted if it is new.

    Where a later rename freed the name, this is the table that was renamed.
    """
    if key.namespace is not None:
        return await ensure_table(connection, key, seen_at=at)
    renamed = (
        select(FormerNameRow.table_id)
        .where(
            FormerNameRow.schema_name == key.schema,
            FormerNameRow.name == key.name,
            FormerNameRow.renamed_at > at,
        )
        .order_by(FormerNameRow.renamed_at)
        .limit(1)
    )
    table_id = (await connection.execute(renamed)).scalar_one_or_none()
    return table_id or await ensure_table(connection, key, seen_at=at)


async def now(connection: AsyncConnection) -> datetime:
    """The time at which this transaction began, by the database's clock."""
    return (await connection.execute(select(func.now()))).scalar_one()
