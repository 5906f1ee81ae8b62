"""Lineage: what a table, a column or an ETL is made of, and what is made of it."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine

from services.catalog.clients import RecordsClient
from services.catalog.domain import EtlKey, Table, TableKey
from services.catalog.lineage import Arrow, ColumnKey, Direction, LineageGraph, Node
from services.catalog.repository import walks
from services.catalog.repository.walks import ColumnWalk, Pairs, Root, TableWalk
from services.catalog.service.namespaces import Namespaces
from services.catalog.service.naming import require_etl, require_labelled_table
from services.catalog.tables import BOOKS
from shared.contracts.auth import Caller
from shared.store.engine import RawConnection
from shared.store.transaction import Transaction, transaction

UPSTREAM = {Direction.UPSTREAM: (True,), Direction.DOWNSTREAM: (False,)}
BOTH = (True, False)


@dataclass(frozen=True, slots=True)
class Walks:
    """Walks from a table, an ETL or a column."""

    engine: AsyncEngine
    namespaces: Namespaces
    records: RecordsClient

    async def of_table(
        self,
        table: str,
        *,
        namespace: str | None,
        direction: Direction,
        depth: int,
        limit: int,
    ) -> LineageGraph:
        """The lineage of a table (`schema.table`); raises as `require_labelled_table`.

        At most `limit` arrows each way, the nearest.
        """
        stored = await self.namespaces.stored(namespace)
        async with self._snapshot() as tx:
            root = await require_labelled_table(tx.connection, table, namespace=stored)
            start = Root(tables=frozenset({root.id}))
            walked = await _walk(tx.raw, start, direction, depth=depth, limit=limit)
            return await _graph(tx.raw, root.key, start, walked)

    async def of_etl(
        self, etl: str, *, namespace: str | None, direction: Direction, depth: int, limit: int
    ) -> LineageGraph:
        """As `of_table`, for an ETL; raises as `require_etl`."""
        async with self._snapshot() as tx:
            root = await require_etl(tx.connection, etl, namespace=namespace)
            start = Root(etls=frozenset({root.id}))
            walked = await _walk(tx.raw, start, direction, depth=depth, limit=limit)
            return await _graph(tx.raw, root.key, start, walked)

    async def of_column(
        self,
        caller: Caller,
        table: str,
        column: str,
        *,
        namespace: str | None,
        direction: Direction,
        depth: int,
        limit: int,
    ) -> LineageGraph:
        """As `of_table`, from column to column.

        Of a table that the caller may not see, the table alone is shown. Raises
        PeerUnavailableError while it cannot be known who may see which.
        """
        stored = await self.namespaces.stored(namespace)
        async with self._snapshot() as tx:
            root = await require_labelled_table(tx.connection, table, namespace=stored)
            start = (root.id, column)
            walked = ColumnWalk(limit)
            for upstream in UPSTREAM.get(direction, BOTH):
                walked.left = limit
                await walked.go(tx.raw, start, upstream=upstream, depth=depth)
            ids = {root.id, *(table_id for table_id, _ in walked.columns)}
            keys, gone = await walks.table_keys(tx.raw, ids)
            etls = await walks.etl_keys(tx.raw, {etl for _, _, etl in walked.arrows})
        hidden = await self.records.hidden_among(keys.values(), caller)
        return _column_graph(root, column, walked, keys, etls, gone=gone, hidden=hidden)

    def _snapshot(self) -> AbstractAsyncContextManager[Transaction]:
        """Many statements, one state of the catalog."""
        engine = self.engine.execution_options(isolation_level="REPEATABLE READ")
        return transaction(engine, BOOKS)


async def _walk(
    connection: RawConnection, root: Root, direction: Direction, *, depth: int, limit: int
) -> TableWalk:
    walked = TableWalk(limit)
    for upstream in UPSTREAM.get(direction, BOTH):
        walked.left = limit
        await walked.go(connection, root, upstream=upstream, depth=depth)
    return walked


async def _graph(
    connection: RawConnection, root: Node, start: Root, walked: TableWalk
) -> LineageGraph:
    etls = await walks.etl_keys(connection, {*start.etls, *walked.etls})
    tables, gone = await walks.table_keys(connection, {*start.tables, *walked.tables})
    distances: dict[Node, int] = {root: 0}
    for id_, distance in walked.etls.items():
        distances.setdefault(etls[id_], distance)
    for id_, distance in walked.tables.items():
        distances.setdefault(tables[id_], distance)
    arrows = (
        *_arrows(walked.inputs, etls, tables, into_etl=True),
        *_arrows(walked.outputs, etls, tables, into_etl=False),
    )
    return LineageGraph(root, distances, arrows, frozenset(gone), walked.truncated)


def _arrows(
    pairs: Pairs, etls: Mapping[int, EtlKey], tables: Mapping[int, TableKey], *, into_etl: bool
) -> list[Arrow]:
    arrows = []
    for (etl_id, table_id), last_seen in pairs.items():
        etl, table = etls[etl_id], tables[table_id]
        ends: tuple[Node, Node] = (table, etl) if into_etl else (etl, table)
        arrows.append(Arrow(*ends, last_seen))
    return arrows


def _column_graph(
    root: Table,
    column: str,
    walked: ColumnWalk,
    keys: Mapping[int, TableKey],
    etls: Mapping[int, EtlKey],
    *,
    gone: frozenset[TableKey],
    hidden: frozenset[TableKey],
) -> LineageGraph:
    if root.key in hidden:
        return LineageGraph(root.key, {root.key: 0}, (), frozenset(gone), truncated=False)

    def node(table_id: int, name: str) -> Node:
        table = keys[table_id]
        return table if table in hidden else ColumnKey(table, name)

    distances: dict[Node, int] = {ColumnKey(root.key, column): 0}
    for column_id, distance in walked.columns.items():
        distances.setdefault(node(*column_id), distance)
    arrows: dict[tuple[Node, Node, EtlKey], Arrow] = {}
    for (source, target, etl_id), facts in walked.arrows.items():
        type_, subtype, masking, last_seen = facts
        ends, etl = (node(*source), node(*target)), etls[etl_id]
        arrows.setdefault(
            (*ends, etl), Arrow(*ends, last_seen, etl, type_, subtype, masking=masking)
        )
    lost = frozenset(
        each for each in distances if isinstance(each, ColumnKey) and each.table in gone
    )
    return LineageGraph(
        root=ColumnKey(root.key, column),
        distances=distances,
        arrows=tuple(arrows.values()),
        gone=lost | gone,
        truncated=walked.truncated,
    )
