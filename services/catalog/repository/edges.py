"""Edges of a few sightings, and the ETLs, schemas and tables at their ends."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
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
    text,
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
    RemovedEdgeRow,
    SchemaRow,
    TableRow,
)

# Where a later rename freed the name, the table that was renamed.
TABLES_AS_OF = text(
    "SELECT coalesce("
    " (SELECT former.table_id FROM catalog.former_names former"
    " WHERE named.namespace = '' AND former.schema_name = named.schema_name"
    " AND former.name = named.name AND former.renamed_at > named.at"
    " ORDER BY former.renamed_at LIMIT 1),"
    " (SELECT known.id FROM catalog.tables known WHERE known.schema_name = named.schema_name"
    " AND known.name = named.name AND known.namespace = named.namespace))"
    " FROM unnest(CAST(:schemas AS text[]), CAST(:names AS text[]), CAST(:namespaces AS text[]),"
    " CAST(:times AS timestamptz[]))"
    " WITH ORDINALITY AS named (schema_name, name, namespace, at, place) ORDER BY named.place"
)


@dataclass(frozen=True, slots=True)
class Sighting:
    """When an edge was first and last seen, and by which imports; None where by none."""

    etl_id: int
    table_id: int
    first_seen: datetime
    last_seen: datetime
    first_import: int | None = None
    last_import: int | None = None
    entered_by: str | None = None
    """The subject who enters it by hand."""


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


async def add_edges(connection: AsyncConnection, sightings: Sequence[Sighting]) -> None:
    """Insert edges, or add these sightings to the known ones; no two are of one edge."""
    # In one order, so that two transactions cannot wait for each other.
    ordered = sorted(sightings, key=lambda one: (one.etl_id, one.table_id))
    await connection.execute(absorbing(insert(EdgeRow)), [asdict(one) for one in ordered])


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
    etl_id = await find_etl_id(connection, key)
    if etl_id is not None:
        return etl_id
    made = (
        insert(EtlRow)
        .values(name=key.name, namespace=key.namespace or NO_NAMESPACE, first_seen=seen_at)
        .on_conflict_do_nothing()
        .returning(EtlRow.id)
    )
    etl_id = (await connection.execute(made)).scalar_one_or_none()
    if etl_id is None:
        # Another transaction inserted it meanwhile; it has committed, so it is visible now.
        etl_id = await find_etl_id(connection, key)
    assert etl_id is not None
    return etl_id


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
    [table_id] = await tables_as_of(connection, [(key, at)])
    return table_id


async def tables_as_of(
    connection: AsyncConnection, named: Sequence[tuple[TableKey, datetime]]
) -> list[int]:
    """As `table_as_of` for several names, in their order."""
    names = [stored(key) for key, _ in named]
    sent = {
        "schemas": [schema for schema, _, _ in names],
        "names": [name for _, name, _ in names],
        "namespaces": [namespace for _, _, namespace in names],
        "times": [at for _, at in named],
    }
    ids: list[int | None] = list((await connection.execute(TABLES_AS_OF, sent)).scalars())
    new: dict[TableKey, datetime] = {}
    for (key, at), table_id in zip(named, ids, strict=True):
        if table_id is None:
            new[key] = min(at, new.get(key, at))
    # In one order, so that two transactions cannot wait for each other; schemas come with tables.
    in_order = sorted(new, key=lambda key: (key.namespace or "", key.schema or "", key.name))
    made = {key: await ensure_table(connection, key, seen_at=new[key]) for key in in_order}
    return [
        made[key] if table_id is None else table_id
        for (key, _), table_id in zip(named, ids, strict=True)
    ]


async def now(connection: AsyncConnection) -> datetime:
    """The time at which this transaction began, by the database's clock."""
    return (await connection.execute(select(func.now()))).scalar_one()
