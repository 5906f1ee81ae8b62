"""The three lists of the catalog: schemas, tables, ETLs, each with its counts."""

from typing import Any

from sqlalchemy import Select, func, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import InstrumentedAttribute

from services.catalog.domain import Etl, Schema, Table, Window
from services.catalog.tables import EdgeRow, EtlRow, SchemaRow, TableRow
from shared.http.paging import Slice, cut

SortKey = tuple[InstrumentedAttribute[str], ...]

TABLES_OF_SCHEMA = (
    select(func.count())
    .select_from(TableRow)
    .where(TableRow.schema_name == SchemaRow.name)
    .scalar_subquery()
)
ETLS_OF_TABLE = (
    select(func.count())
    .select_from(EdgeRow)
    .where(EdgeRow.table_id == TableRow.id)
    .scalar_subquery()
)
TABLES_OF_ETL = (
    select(func.count()).select_from(EdgeRow).where(EdgeRow.etl_id == EtlRow.id).scalar_subquery()
)

# In the order of the fields of the domain's classes.
SCHEMA = (SchemaRow.name, TABLES_OF_SCHEMA, SchemaRow.first_seen)
TABLE = (
    TableRow.id,
    TableRow.schema_name,
    TableRow.name,
    TableRow.description,
    ETLS_OF_TABLE,
    TableRow.first_seen,
    TableRow.dropped_at,
)
ETL = (EtlRow.id, EtlRow.name, EtlRow.description, TABLES_OF_ETL, EtlRow.first_seen)


async def list_schemas(
    connection: AsyncConnection, window: Window, *, q: str | None, counted: bool
) -> Slice[Schema]:
    """Schemas by name."""
    statement = select(*SCHEMA)
    if q is not None:
        statement = statement.where(SchemaRow.name.icontains(q, autoescape=True))
    total = await _count(connection, statement) if counted else None
    rows = await connection.execute(_windowed(statement, (SchemaRow.name,), window))
    return cut(
        [Schema(*row) for row in rows],
        limit=window.limit,
        key=lambda schema: (schema.name,),
        total=total,
    )


async def list_tables(
    connection: AsyncConnection,
    window: Window,
    *,
    q: str | None,
    schema: str | None,
    dropped: bool | None,
    counted: bool,
) -> Slice[Table]:
    """Tables by schema and name; `q` searches `schema.name`."""
    statement = select(*TABLE)
    if q is not None:
        label = TableRow.schema_name.concat(".").concat(TableRow.name)
        statement = statement.where(label.icontains(q, autoescape=True))
    if schema is not None:
        statement = statement.where(TableRow.schema_name == schema)
    if dropped is not None:
        gone = TableRow.dropped_at
        statement = statement.where(gone.is_not(None) if dropped else gone.is_(None))
    total = await _count(connection, statement) if counted else None
    key = (TableRow.schema_name, TableRow.name)
    rows = await connection.execute(_windowed(statement, key, window))
    return cut(
        [Table(*row) for row in rows],
        limit=window.limit,
        key=lambda table: (table.schema, table.name),
        total=total,
    )


async def list_etls(
    connection: AsyncConnection, window: Window, *, q: str | None, counted: bool
) -> Slice[Etl]:
    """ETLs by name; `q` searches names and descriptions."""
    statement = select(*ETL)
    if q is not None:
        statement = statement.where(
            or_(
                EtlRow.name.icontains(q, autoescape=True),
                EtlRow.description.icontains(q, autoescape=True),
            )
        )
    total = await _count(connection, statement) if counted else None
    rows = await connection.execute(_windowed(statement, (EtlRow.name,), window))
    return cut(
        [Etl(*row) for row in rows],
        limit=window.limit,
        key=lambda etl: (etl.name,),
        total=total,
    )


async def _count(connection: AsyncConnection, statement: Select[Any]) -> int:
    # Only the columns that the filters name are needed; the planner drops the counts per row.
    counted = select(func.count()).select_from(statement.subquery())
    return (await connection.execute(counted)).scalar_one()


def _windowed(statement: Select[Any], key: SortKey, window: Window) -> Select[Any]:
    """One row more than the window holds, to see whether any follow."""
    if window.after is not None:
        statement = statement.where(tuple_(*key) > tuple_(*window.after))
    return statement.order_by(*key).limit(window.limit + 1).offset(window.offset)
