"""One table, one ETL, their edges, and the graph."""

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

from sqlalchemy import Row, Select, func, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from services.catalog.domain import (
    Column,
    Columns,
    Edge,
    Etl,
    EtlKey,
    Graph,
    Removal,
    RemovedEdge,
    Table,
    TableKey,
)
from services.catalog.repository.lists import (
    ETL,
    ETL_KEY,
    TABLE,
    TABLE_KEY,
    etl_of,
    stored,
    table_of,
)
from services.catalog.tables import (
    NO_NAMESPACE,
    NO_SCHEMA,
    EdgeRow,
    EtlRow,
    FormerNameRow,
    RemovedEdgeRow,
    TableFacetRow,
    TableRow,
)
from shared.http.paging import Position, Slice, cut

STREAM_ROWS = 1000
SHOWN_NAMES = 100
SHOWN_REMOVED = 100
DEEPEST_FIELD = 10
NAMESAKES = 100
"""Tables of one name in different namespaces that are distinguished."""

ENDS = (*ETL_KEY, *TABLE_KEY, TableRow.dropped_at, TableRow.vanished_at)
FACTS = (
    "first_seen",
    "last_seen",
    "first_import",
    "last_import",
    "estimated_rows",
    "scanned_at",
    "entered_by",
)
EDGES = (
    select(*ENDS, *(getattr(EdgeRow, name) for name in FACTS))
    .select_from(EdgeRow)
    .join(EtlRow, EtlRow.id == EdgeRow.etl_id)
    .join(TableRow, TableRow.id == EdgeRow.table_id)
)
REMOVED = (
    select(
        *ENDS,
        *(getattr(RemovedEdgeRow, name) for name in FACTS),
        RemovedEdgeRow.removed_at,
        RemovedEdgeRow.removed_by,
        RemovedEdgeRow.reason,
    )
    .select_from(RemovedEdgeRow)
    .join(EtlRow, EtlRow.id == RemovedEdgeRow.etl_id)
    .join(TableRow, TableRow.id == RemovedEdgeRow.table_id)
    .order_by(RemovedEdgeRow.id.desc())
    .limit(SHOWN_REMOVED)
)


async def tables_named(
    connection: AsyncConnection, schema: str | None, name: str, *, namespace: str | None
) -> Sequence[Table]:
    """The tables of a present name, by namespace; with `namespace`, the one in it."""
    statement = select(*TABLE).where(
        TableRow.schema_name == (schema or NO_SCHEMA), TableRow.name == name
    )
    if namespace is not None:
        statement = statement.where(TableRow.namespace == namespace)
    rows = await connection.execute(statement.order_by(TableRow.namespace).limit(NAMESAKES))
    return [table_of(row) for row in rows]


async def tables_labelled(
    connection: AsyncConnection, label: str, *, namespace: str | None
) -> Sequence[Table]:
    """The tables that are called `schema.table`; else those with this name in any schema.

    What has no schema comes before what has one; by namespace within a schema.
    """
    for is_called in (
        tuple_(TableRow.schema_name, TableRow.name).in_([(NO_SCHEMA, label), *_splits(label)]),
        TableRow.name == label,
    ):
        statement = select(*TABLE).where(is_called)
        if namespace is not None:
            statement = statement.where(TableRow.namespace == namespace)
        rows = await connection.execute(statement.order_by(*TABLE_KEY).limit(NAMESAKES))
        if tables := [table_of(row) for row in rows]:
            return tables
    return ()


async def etls_named(
    connection: AsyncConnection, name: str, *, namespace: str | None
) -> Sequence[Etl]:
    """The ETLs of a name, by namespace; with `namespace`, the one in it."""
    statement = select(*ETL).where(EtlRow.name == name)
    if namespace is not None:
        statement = statement.where(EtlRow.namespace == namespace)
    rows = await connection.execute(statement.order_by(EtlRow.namespace).limit(NAMESAKES))
    return [etl_of(row) for row in rows]


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
    """The edges that lead to a table, by the ETL's name and namespace."""
    statement = EDGES.where(EdgeRow.table_id == table_id).order_by(*ETL_KEY).limit(limit + 1)
    if after is not None:
        statement = statement.where(tuple_(*ETL_KEY) > tuple_(*after))
    rows = await connection.execute(statement)
    return cut(
        [_edge(row) for row in rows],
        limit=limit,
        key=lambda edge: (edge.etl.name, edge.etl.namespace or NO_NAMESPACE),
    )


async def edges_from(
    connection: AsyncConnection, etl_id: int, *, limit: int, after: Position | None
) -> Slice[Edge]:
    """The edges of an ETL, by the table's schema, name and namespace."""
    statement = EDGES.where(EdgeRow.etl_id == etl_id).order_by(*TABLE_KEY).limit(limit + 1)
    if after is not None:
        statement = statement.where(tuple_(*TABLE_KEY) > tuple_(*after))
    rows = await connection.execute(statement)
    return cut([_edge(row) for row in rows], limit=limit, key=lambda edge: stored(edge.table))


async def removed_edges(
    connection: AsyncConnection, *, etl_id: int | None = None, table_id: int | None = None
) -> tuple[RemovedEdge, ...]:
    """Edges of an ETL or a table that were removed, the last one first; a hundred at most."""
    statement = REMOVED
    if etl_id is not None:
        statement = statement.where(RemovedEdgeRow.etl_id == etl_id)
    if table_id is not None:
        statement = statement.where(RemovedEdgeRow.table_id == table_id)
    removed = []
    for row in await connection.execute(statement):
        *edge, at, by, reason = row
        removed.append(RemovedEdge(_edge(edge), at, by, Removal(reason)))
    return tuple(removed)


async def stream_tables(
    connection: AsyncConnection, etl_ids: Sequence[int]
) -> AsyncIterator[list[TableKey]]:
    """All tables of some ETLs by schema and name, each once whatever its namespace.

    In pieces, so that any number fits into memory.
    """
    statement = (
        select(TableRow.schema_name, TableRow.name)
        .join(EdgeRow, EdgeRow.table_id == TableRow.id)
        .where(EdgeRow.etl_id.in_(etl_ids))
        .distinct()
        .order_by(TableRow.schema_name, TableRow.name)
    )
    async with connection.stream(statement) as rows:
        async for piece in rows.partitions(STREAM_ROWS):
            yield [TableKey(schema or None, name) for schema, name in piece]


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


async def reported_columns(connection: AsyncConnection, table_id: int) -> Columns | None:
    """The columns of a dataset as a schema facet last described them; nested ones by their path."""
    statement = select(TableFacetRow.content, TableFacetRow.at).where(
        TableFacetRow.table_id == table_id, TableFacetRow.name == "schema"
    )
    row = (await connection.execute(statement)).one_or_none()
    columns = () if row is None else tuple(fields_of(row.content))
    if row is None or not columns:
        return None
    return Columns(columns, source="openlineage", estimated_rows=None, scanned_at=row.at)


def fields_of(facet: object, path: str = "", depth: int = 0) -> Iterator[Column]:
    """The fields of a schema facet, whatever else it holds."""
    fields = facet.get("fields") if isinstance(facet, dict) else None
    for field in fields if isinstance(fields, list) and depth < DEEPEST_FIELD else ():
        name = field.get("name") if isinstance(field, dict) else None
        if not isinstance(name, str):
            continue
        kind, description = field.get("type"), field.get("description")
        yield Column(
            name=path + name,
            type=kind if isinstance(kind, str) else "",
            nullable=True,
            description=description if isinstance(description, str) else None,
        )
        yield from fields_of(field, f"{path}{name}.", depth + 1)


async def read_graph(
    connection: AsyncConnection,
    *,
    etl: str | None,
    table: str | None,
    namespace: str | None,
    limit: int,
) -> Graph:
    """Edges by ETL, schema and table; `table` is `schema.name`, or a name in any schema.

    With `namespace`, those of its tables.
    """
    statement = EDGES
    if etl is not None:
        statement = statement.where(EtlRow.name == etl)
    if table is not None:
        statement = statement.where(_is_called(table))
    if namespace is not None:
        statement = statement.where(TableRow.namespace == namespace)
    filtered = not (etl is None and table is None and namespace is None)
    total = await _total(connection, statement, filtered=filtered)
    rows = await connection.execute(statement.order_by(*ETL_KEY, *TABLE_KEY).limit(limit))
    return Graph(edges=tuple(_edge(row) for row in rows), total=total)


async def is_table_known(connection: AsyncConnection, label: str, *, namespace: str | None) -> bool:
    """Whether any table has this label: `schema.name`, or a name in any schema."""
    statement = select(TableRow.id).where(_is_called(label)).limit(1)
    if namespace is not None:
        statement = statement.where(TableRow.namespace == namespace)
    return (await connection.execute(statement)).scalar_one_or_none() is not None


def _edge(row: Row[*tuple[Any, ...]] | Sequence[Any]) -> Edge:
    etl, job_namespace, schema, name, namespace, *facts = row
    return Edge(
        EtlKey(etl, job_namespace or None),
        TableKey(schema or None, name, namespace or None),
        *facts,
    )


def _is_called(label: str) -> Any:
    named = [TableRow.name == label]
    if splits := _splits(label):
        named.append(tuple_(TableRow.schema_name, TableRow.name).in_(splits))
    return or_(*named)


def _splits(label: str) -> list[tuple[str, str]]:
    # Schemas and tables may have points in their names, so any point may be the separator.
    # `-` is the schema of what has none, as in a path.
    splits = [(label[:at], label[at + 1 :]) for at, letter in enumerate(label) if letter == "."]
    return [(NO_SCHEMA if schema == "-" else schema, name) for schema, name in splits]


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
