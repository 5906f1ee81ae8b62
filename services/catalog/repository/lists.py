"""The three lists of the catalog: schemas, tables, ETLs, each with its counts."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, Text, func, literal_column, or_, select, tuple_
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import InstrumentedAttribute

from services.catalog.domain import Etl, EtlKey, Schema, Table, TableKey, Window
from services.catalog.tables import (
    NO_NAMESPACE,
    NO_SCHEMA,
    EdgeRow,
    EtlRow,
    SchemaRow,
    TableRow,
)
from shared.http.paging import Slice, cut

SortKey = tuple[InstrumentedAttribute[str], ...]
Columns = Sequence[Any]
"""A row's values in the order of the columns selected."""

TABLES_OF_SCHEMA = (
    select(func.count())
    .select_from(TableRow)
    .where(
        TableRow.schema_name == SchemaRow.name,
        TableRow.namespace == SchemaRow.namespace,
    )
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

# What people wrote comes before what OpenLineage reported, which is not shown of tables made here:
# facets are for those who may see the table.
TABLE_DESCRIPTION = literal_column(
    "coalesce(tables.description, (SELECT content ->> 'description' FROM catalog.table_facets f"
    " WHERE f.table_id = tables.id AND f.name = 'documentation'"
    " AND NOT (tables.namespace = '' AND tables.schema_name = 'data')))",
    Text,
)
TABLE_OWNERS = literal_column(
    "coalesce(tables.owners, (SELECT ARRAY(SELECT named #>> '{}' FROM jsonb_path_query(content,"
    " '$.owners[*].name') AS named) FROM catalog.table_facets f WHERE f.table_id = tables.id"
    " AND f.name = 'ownership' AND NOT (tables.namespace = '' AND tables.schema_name = 'data')))",
    ARRAY(Text),
)
ETL_DESCRIPTION = literal_column(
    "coalesce(etls.description, (SELECT content ->> 'description' FROM catalog.etl_facets f"
    " WHERE f.etl_id = etls.id AND f.name = 'documentation'))",
    Text,
)
ETL_OWNERS = literal_column(
    "coalesce(etls.owners, (SELECT ARRAY(SELECT named #>> '{}' FROM jsonb_path_query(content,"
    " '$.owners[*].name') AS named) FROM catalog.etl_facets f WHERE f.etl_id = etls.id"
    " AND f.name = 'ownership'))",
    ARRAY(Text),
)

SCHEMA = (SchemaRow.name, SchemaRow.namespace, TABLES_OF_SCHEMA, SchemaRow.first_seen)
TABLE_KEY = (TableRow.schema_name, TableRow.name, TableRow.namespace)
TABLE = (
    TableRow.id,
    *TABLE_KEY,
    TABLE_DESCRIPTION,
    ETLS_OF_TABLE,
    TableRow.first_seen,
    TableRow.dropped_at,
    TableRow.vanished_at,
    TableRow.tags,
    TABLE_OWNERS,
)
ETL_KEY = (EtlRow.name, EtlRow.namespace)
ETL = (
    EtlRow.id,
    *ETL_KEY,
    ETL_DESCRIPTION,
    TABLES_OF_ETL,
    EtlRow.first_seen,
    EtlRow.tags,
    ETL_OWNERS,
)


def stored(key: TableKey) -> tuple[str, str, str]:
    """A table's key as TABLE_KEY stores it."""
    return key.schema or NO_SCHEMA, key.name, key.namespace or NO_NAMESPACE


def schema_of(row: Columns) -> Schema:
    """A row of SCHEMA."""
    name, namespace, *facts = row
    return Schema(name or None, namespace or None, *facts)


def key_of(row: Columns) -> TableKey:
    """A row of TABLE_KEY."""
    schema, name, namespace = row
    return TableKey(schema or None, name, namespace or None)


def table_of(row: Columns) -> Table:
    """A row of TABLE."""
    id_, schema, name, namespace, *facts, tags, owners = row
    key = key_of((schema, name, namespace))
    facts += [tuple(tags or ()), tuple(owners or ())]
    return Table(id_, key, *facts)


def etl_of(row: Columns) -> Etl:
    """A row of ETL."""
    id_, name, namespace, *facts, tags, owners = row
    key = EtlKey(name, namespace or None)
    facts += [tuple(tags or ()), tuple(owners or ())]
    return Etl(id_, key, *facts)


async def list_schemas(
    connection: AsyncConnection,
    window: Window,
    *,
    q: str | None,
    namespace: str | None,
    counted: bool,
) -> Slice[Schema]:
    """Schemas by name."""
    statement = select(*SCHEMA)
    if namespace is not None:
        statement = statement.where(SchemaRow.namespace == namespace)
    if q is not None:
        statement = statement.where(SchemaRow.name.icontains(q, autoescape=True))
    total = await _count(connection, statement) if counted else None
    rows = await connection.execute(
        _windowed(statement, (SchemaRow.name, SchemaRow.namespace), window)
    )
    return cut(
        [schema_of(row) for row in rows],
        limit=window.limit,
        key=lambda schema: (schema.name or NO_SCHEMA, schema.namespace or NO_NAMESPACE),
        total=total,
    )


async def list_tables(
    connection: AsyncConnection,
    window: Window,
    *,
    q: str | None,
    schema: str | None,
    namespace: str | None,
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
    if namespace is not None:
        statement = statement.where(TableRow.namespace == namespace)
    if dropped is not None:
        gone = TableRow.dropped_at
        statement = statement.where(gone.is_not(None) if dropped else gone.is_(None))
    total = await _count(connection, statement) if counted else None
    rows = await connection.execute(_windowed(statement, TABLE_KEY, window))
    return cut(
        [table_of(row) for row in rows],
        limit=window.limit,
        key=lambda table: stored(table.key),
        total=total,
    )


async def list_etls(
    connection: AsyncConnection,
    window: Window,
    *,
    q: str | None,
    namespace: str | None,
    counted: bool,
) -> Slice[Etl]:
    """ETLs by name; `q` searches names and descriptions."""
    statement = select(*ETL)
    if namespace is not None:
        statement = statement.where(EtlRow.namespace == namespace)
    if q is not None:
        statement = statement.where(
            or_(
                EtlRow.name.icontains(q, autoescape=True),
                EtlRow.description.icontains(q, autoescape=True),
            )
        )
    total = await _count(connection, statement) if counted else None
    rows = await connection.execute(_windowed(statement, ETL_KEY, window))
    return cut(
        [etl_of(row) for row in rows],
        limit=window.limit,
        key=lambda etl: (etl.key.name, etl.key.namespace or NO_NAMESPACE),
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
