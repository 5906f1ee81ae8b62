"""The three lists of the catalog: schemas, tables, ETLs, each with its counts."""

from typing import Any

from sqlalchemy import Select, func, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import InstrumentedAttribute

from services.catalog.domain import Slice, Window, cut
from services.catalog.schemas import EtlItem, SchemaItem, TableItem
from services.catalog.tables import CatalogTable, Edge, Etl, Schema

SortKey = tuple[InstrumentedAttribute[str], ...]


async def list_schemas(
    connection: AsyncConnection, window: Window, *, q: str | None, counted: bool
) -> Slice[SchemaItem]:
    """Schemas by name."""
    tables = (
        select(func.count())
        .select_from(CatalogTable)
        .where(CatalogTable.schema_name == Schema.name)
        .scalar_subquery()
    )
    statement = select(Schema.name, Schema.first_seen, tables.label("table_count"))
    if q is not None:
        statement = statement.where(Schema.name.icontains(q, autoescape=True))
    total = await _count(connection, statement) if counted else None
    rows = await connection.execute(_windowed(statement, (Schema.name,), window))
    return cut(
        [SchemaItem.model_validate(row) for row in rows.mappings()],
        limit=window.limit,
        key=lambda item: (item.name,),
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
) -> Slice[TableItem]:
    """Tables by schema and name; `q` looks into `schema.name`."""
    statement = select(
        CatalogTable.schema_name,
        CatalogTable.name,
        CatalogTable.description,
        CatalogTable.first_seen,
        CatalogTable.dropped_at,
        etl_count().label("etl_count"),
    )
    if q is not None:
        label = CatalogTable.schema_name.concat(".").concat(CatalogTable.name)
        statement = statement.where(label.icontains(q, autoescape=True))
    if schema is not None:
        statement = statement.where(CatalogTable.schema_name == schema)
    if dropped is not None:
        gone = CatalogTable.dropped_at
        statement = statement.where(gone.is_not(None) if dropped else gone.is_(None))
    total = await _count(connection, statement) if counted else None
    key = (CatalogTable.schema_name, CatalogTable.name)
    rows = await connection.execute(_windowed(statement, key, window))
    return cut(
        [TableItem.model_validate(row) for row in rows.mappings()],
        limit=window.limit,
        key=lambda item: (item.schema_name, item.name),
        total=total,
    )


async def list_etls(
    connection: AsyncConnection, window: Window, *, q: str | None, counted: bool
) -> Slice[EtlItem]:
    """ETLs by name; `q` looks into names and descriptions."""
    statement = select(
        Etl.name, Etl.description, Etl.first_seen, table_count().label("table_count")
    )
    if q is not None:
        statement = statement.where(
            or_(
                Etl.name.icontains(q, autoescape=True),
                Etl.description.icontains(q, autoescape=True),
            )
        )
    total = await _count(connection, statement) if counted else None
    rows = await connection.execute(_windowed(statement, (Etl.name,), window))
    return cut(
        [EtlItem.model_validate(row) for row in rows.mappings()],
        limit=window.limit,
        key=lambda item: (item.name,),
        total=total,
    )


def etl_count() -> Any:
    """How many ETLs feed the table of the row at hand."""
    return (
        select(func.count())
        .select_from(Edge)
        .where(Edge.table_id == CatalogTable.id)
        .scalar_subquery()
    )


def table_count() -> Any:
    """How many tables the ETL of the row at hand feeds."""
    return select(func.count()).select_from(Edge).where(Edge.etl_id == Etl.id).scalar_subquery()


async def _count(connection: AsyncConnection, statement: Select[Any]) -> int:
    # Only the columns that the filters name are needed; the planner drops the counts per row.
    counted = select(func.count()).select_from(statement.subquery())
    return (await connection.execute(counted)).scalar_one()


def _windowed(statement: Select[Any], key: SortKey, window: Window) -> Select[Any]:
    """One row more than the window holds, to see whether any follow."""
    if window.after is not None:
        statement = statement.where(tuple_(*key) > tuple_(*window.after))
    return statement.order_by(*key).limit(window.limit + 1).offset(window.offset)
