"""One table, one ETL, their edges, and the graph."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, Select, func, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from services.catalog.domain import Graph, GraphEdge, Position, Slice, TableKey, cut
from services.catalog.repository.lists import etl_count, table_count
from services.catalog.schemas import EtlTable, FedTable, FeedingEtl, KnownColumn
from services.catalog.tables import CatalogTable, Edge, Etl, FormerName

STREAM_ROWS = 1000

EDGE_FACTS = (
    Edge.first_seen,
    Edge.last_seen,
    Edge.first_import,
    Edge.last_import,
    Edge.estimated_rows,
    Edge.scanned_at,
)


@dataclass(frozen=True, slots=True)
class Scan:
    """What the newest scan of a database told of a table, and the ETL that scanned."""

    etl: str
    columns: tuple[KnownColumn, ...]
    estimated_rows: int | None
    scanned_at: datetime


async def find_table(connection: AsyncConnection, key: TableKey) -> RowMapping | None:
    """A table by its present name: the fields of TableItem, and `id`."""
    statement = select(
        CatalogTable.id,
        CatalogTable.schema_name,
        CatalogTable.name,
        CatalogTable.description,
        CatalogTable.first_seen,
        CatalogTable.dropped_at,
        etl_count().label("etl_count"),
    ).where(CatalogTable.schema_name == key.schema, CatalogTable.name == key.name)
    return (await connection.execute(statement)).mappings().one_or_none()


async def find_etl(connection: AsyncConnection, name: str) -> RowMapping | None:
    """An ETL by name: the fields of EtlItem, and `id`."""
    statement = select(
        Etl.id,
        Etl.name,
        Etl.description,
        Etl.first_seen,
        table_count().label("table_count"),
    ).where(Etl.name == name)
    return (await connection.execute(statement)).mappings().one_or_none()


async def former_names(connection: AsyncConnection, table_id: int) -> tuple[str, ...]:
    """The names a table gave up, the last one first."""
    statement = (
        select(FormerName.name)
        .where(FormerName.table_id == table_id)
        .order_by(FormerName.renamed_at.desc(), FormerName.name)
        .limit(100)
    )
    return tuple((await connection.execute(statement)).scalars())


async def feeding_etls(
    connection: AsyncConnection, table_id: int, *, limit: int, after: Position | None
) -> Slice[FeedingEtl]:
    """The ETLs that feed a table, by name."""
    statement = (
        select(Etl.name, *EDGE_FACTS)
        .join(Edge, Edge.etl_id == Etl.id)
        .where(Edge.table_id == table_id)
        .order_by(Etl.name)
        .limit(limit + 1)
    )
    if after is not None:
        statement = statement.where(tuple_(Etl.name) > tuple_(*after))
    rows = (await connection.execute(statement)).mappings()
    return cut(
        [FeedingEtl.model_validate(row) for row in rows], limit=limit, key=lambda etl: (etl.name,)
    )


async def fed_tables(
    connection: AsyncConnection, etl_id: int, *, limit: int, after: Position | None
) -> Slice[FedTable]:
    """The tables that an ETL feeds, by schema and name."""
    key = (CatalogTable.schema_name, CatalogTable.name)
    statement = (
        select(*key, CatalogTable.dropped_at, *EDGE_FACTS)
        .join(Edge, Edge.table_id == CatalogTable.id)
        .where(Edge.etl_id == etl_id)
        .order_by(*key)
        .limit(limit + 1)
    )
    if after is not None:
        statement = statement.where(tuple_(*key) > tuple_(*after))
    rows = (await connection.execute(statement)).mappings()
    return cut(
        [FedTable.model_validate(row) for row in rows],
        limit=limit,
        key=lambda table: (table.schema_name, table.name),
    )


async def stream_tables(connection: AsyncConnection, etl_id: int) -> AsyncIterator[list[EtlTable]]:
    """All tables of an ETL by schema and name, in pieces, so that any number fits into memory."""
    statement = (
        select(CatalogTable.name, CatalogTable.schema_name)
        .join(Edge, Edge.table_id == CatalogTable.id)
        .where(Edge.etl_id == etl_id)
        .order_by(CatalogTable.schema_name, CatalogTable.name)
    )
    async with connection.stream(statement) as rows:
        async for piece in rows.mappings().partitions(STREAM_ROWS):
            yield [EtlTable.model_validate(row) for row in piece]


async def newest_scan(connection: AsyncConnection, table_id: int) -> Scan | None:
    """The columns of a table as a database was last seen to have them."""
    statement = (
        select(Etl.name, Edge.columns, Edge.estimated_rows, Edge.scanned_at)
        .join(Etl, Etl.id == Edge.etl_id)
        .where(Edge.table_id == table_id, Edge.scanned_at.is_not(None))
        .order_by(Edge.scanned_at.desc(), Etl.name)
        .limit(1)
    )
    row = (await connection.execute(statement)).mappings().one_or_none()
    if row is None:
        return None
    columns = tuple(KnownColumn.model_validate(column) for column in row["columns"] or ())
    return Scan(
        etl=row["name"],
        columns=columns,
        estimated_rows=row["estimated_rows"],
        scanned_at=row["scanned_at"],
    )


async def read_graph(
    connection: AsyncConnection, *, etl: str | None, table: str | None, limit: int
) -> Graph:
    """Edges by ETL, schema and table; `table` is `schema.name` or a name in any schema."""
    statement = (
        select(
            Etl.name.label("etl"),
            CatalogTable.schema_name,
            CatalogTable.name,
            CatalogTable.dropped_at,
            Edge.last_seen,
        )
        .join(Edge, Edge.etl_id == Etl.id)
        .join(CatalogTable, CatalogTable.id == Edge.table_id)
    )
    if etl is not None:
        statement = statement.where(Etl.name == etl)
    if table is not None:
        statement = statement.where(_is_called(table))
    total = await _total(connection, statement, filtered=not (etl is None and table is None))
    ordered = statement.order_by(Etl.name, CatalogTable.schema_name, CatalogTable.name)
    rows = (await connection.execute(ordered.limit(limit))).all()
    edges = tuple(
        GraphEdge(
            etl=row.etl,
            table=TableKey(schema=row.schema_name, name=row.name),
            dropped=row.dropped_at is not None,
            last_seen=row.last_seen,
        )
        for row in rows
    )
    return Graph(edges=edges, total=total)


async def is_table_known(connection: AsyncConnection, label: str) -> bool:
    """Whether any table is called so, by `schema.name` or by name."""
    statement = select(CatalogTable.id).where(_is_called(label)).limit(1)
    return (await connection.execute(statement)).scalar_one_or_none() is not None


def _is_called(label: str) -> Any:
    # A schema or a table may have points in its name, so every point may be the one between them.
    splits = [(label[:at], label[at + 1 :]) for at, letter in enumerate(label) if letter == "."]
    named = [CatalogTable.name == label]
    if splits:
        named.append(tuple_(CatalogTable.schema_name, CatalogTable.name).in_(splits))
    return or_(*named)


async def _total(
    connection: AsyncConnection, statement: Select[*tuple[Any, ...]], *, filtered: bool
) -> int:
    # Every edge has both its ends, so without a filter the joins need not be made to count.
    counted = (
        select(func.count()).select_from(statement.subquery())
        if filtered
        else select(func.count()).select_from(Edge)
    )
    return (await connection.execute(counted)).scalar_one()
