"""One table, one ETL, their edges, and the graph."""

from collections.abc import AsyncIterator
from typing import Any

from sqlalchemy import Row, Select, func, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from services.catalog.domain import (
    Column,
    Columns,
    Edge,
    Etl,
    Graph,
    Table,
    TableKey,
)
from services.catalog.repository.lists import ETL, TABLE
from services.catalog.tables import EdgeRow, EtlRow, FormerNameRow, TableRow
from shared.http.paging import Position, Slice, cut

STREAM_ROWS = 1000
SHOWN_NAMES = 100

EDGE = (
    EtlRow.name,
    TableRow.schema_name,
    TableRow.name,
    TableRow.dropped_at,
    EdgeRow.first_seen,
    EdgeRow.last_seen,
    EdgeRow.first_import,
    EdgeRow.last_import,
    EdgeRow.estimated_rows,
    EdgeRow.scanned_at,
)
EDGES = (
    select(*EDGE)
    .select_from(EdgeRow)
    .join(EtlRow, EtlRow.id == EdgeRow.etl_id)
    .join(TableRow, TableRow.id == EdgeRow.table_id)
)


async def find_table(connection: AsyncConnection, key: TableKey) -> Table | None:
    """A table by its present name."""
    statement = select(*TABLE).where(TableRow.schema_name == key.schema, TableRow.name == key.name)
    row = (await connection.execute(statement)).one_or_none()
    return None if row is None else Table(*row)


async def find_etl(connection: AsyncConnection, name: str) -> Etl | None:
    """An ETL by name."""
    row = (await connection.execute(select(*ETL).where(EtlRow.name == name))).one_or_none()
    return None if row is None else Etl(*row)


async def find_edge(connection: AsyncConnection, *, etl_id: int, table_id: int) -> Edge | None:
    """One edge, if it is there."""
    statement = EDGES.where(EdgeRow.etl_id == etl_id, EdgeRow.table_id == table_id)
    row = (await connection.execute(statement)).one_or_none()
    return None if row is None else _edge(row)


async def former_names(connection: AsyncConnection, table_id: int) -> tuple[str, ...]:
    """The names a table had before, the last one first; a hundred at most."""
    statement = (
        select(FormerNameRow.name)
        .where(FormerNameRow.table_id == table_id)
        .order_by(FormerNameRow.renamed_at.desc(), FormerNameRow.name)
        .limit(SHOWN_NAMES)
    )
    return tuple((await connection.execute(statement)).scalars())


async def edges_to(
    connection: AsyncConnection, table_id: int, *, limit: int, after: Position | None
) -> Slice[Edge]:
    """The edges that lead to a table, by the ETL's name."""
    statement = EDGES.where(EdgeRow.table_id == table_id).order_by(EtlRow.name).limit(limit + 1)
    if after is not None:
        statement = statement.where(tuple_(EtlRow.name) > tuple_(*after))
    rows = await connection.execute(statement)
    return cut([_edge(row) for row in rows], limit=limit, key=lambda edge: (edge.etl,))


async def edges_from(
    connection: AsyncConnection, etl_id: int, *, limit: int, after: Position | None
) -> Slice[Edge]:
    """The edges of an ETL, by the table's schema and name."""
    key = (TableRow.schema_name, TableRow.name)
    statement = EDGES.where(EdgeRow.etl_id == etl_id).order_by(*key).limit(limit + 1)
    if after is not None:
        statement = statement.where(tuple_(*key) > tuple_(*after))
    rows = await connection.execute(statement)
    return cut(
        [_edge(row) for row in rows],
        limit=limit,
        key=lambda edge: (edge.table.schema, edge.table.name),
    )


async def stream_tables(connection: AsyncConnection, etl_id: int) -> AsyncIterator[list[TableKey]]:
    """All tables of an ETL by schema and name, in pieces, so that any number fits into memory."""
    statement = (
        select(TableRow.schema_name, TableRow.name)
        .join(EdgeRow, EdgeRow.table_id == TableRow.id)
        .where(EdgeRow.etl_id == etl_id)
        .order_by(TableRow.schema_name, TableRow.name)
    )
    async with connection.stream(statement) as rows:
        async for piece in rows.partitions(STREAM_ROWS):
            yield [TableKey(*row) for row in piece]


async def newest_scan(connection: AsyncConnection, table_id: int) -> Columns | None:
    """The columns of a table as the newest scan of its database saw them."""
    statement = (
        select(EdgeRow.columns, EdgeRow.estimated_rows, EtlRow.name, EdgeRow.scanned_at)
        .join(EtlRow, EtlRow.id == EdgeRow.etl_id)
        .where(EdgeRow.table_id == table_id, EdgeRow.scanned_at.is_not(None))
        .order_by(EdgeRow.scanned_at.desc(), EtlRow.name)
        .limit(1)
    )
    row = (await connection.execute(statement)).one_or_none()
    if row is None:
        return None
    columns, estimated_rows, etl, scanned_at = row
    return Columns(
        columns=tuple(Column(**column) for column in columns or ()),
        source="scan",
        estimated_rows=estimated_rows,
        scanned_by=etl,
        scanned_at=scanned_at,
    )


async def read_graph(
    connection: AsyncConnection, *, etl: str | None, table: str | None, limit: int
) -> Graph:
    """Edges by ETL, schema and table; `table` is `schema.name`, or a name in any schema."""
    statement = EDGES
    if etl is not None:
        statement = statement.where(EtlRow.name == etl)
    if table is not None:
        statement = statement.where(_is_called(table))
    total = await _total(connection, statement, filtered=not (etl is None and table is None))
    ordered = statement.order_by(EtlRow.name, TableRow.schema_name, TableRow.name)
    rows = await connection.execute(ordered.limit(limit))
    return Graph(edges=tuple(_edge(row) for row in rows), total=total)


async def is_table_known(connection: AsyncConnection, label: str) -> bool:
    """Whether any table has this label: `schema.name`, or a name in any schema."""
    statement = select(TableRow.id).where(_is_called(label)).limit(1)
    return (await connection.execute(statement)).scalar_one_or_none() is not None


def _edge(row: Row[*tuple[Any, ...]]) -> Edge:
    etl, schema, name, *facts = row
    return Edge(etl, TableKey(schema, name), *facts)


def _is_called(label: str) -> Any:
    # Schemas and tables may have points in their names, so any point may be the separator.
    splits = [(label[:at], label[at + 1 :]) for at, letter in enumerate(label) if letter == "."]
    named = [TableRow.name == label]
    if splits:
        named.append(tuple_(TableRow.schema_name, TableRow.name).in_(splits))
    return or_(*named)


async def _total(
    connection: AsyncConnection, statement: Select[*tuple[Any, ...]], *, filtered: bool
) -> int:
    # Every edge has both its ends, so without a filter the joins need not be made to count.
    counted = (
        select(func.count()).select_from(statement.subquery())
        if filtered
        else select(func.count()).select_from(EdgeRow)
    )
    return (await connection.execute(counted)).scalar_one()
