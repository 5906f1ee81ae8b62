"""Walks through the lineage, a step at a time, so that each edge is read once whatever the cycles.

A recursive query would have to carry the depth in its rows, and would then walk a cycle, and every
node that two ways lead to, again for each length of a way.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from services.catalog.domain import EtlKey, TableKey
from services.catalog.repository.lists import key_of
from shared.store.engine import RawConnection

# From tables to the ETLs next to them, and on to the tables behind those that are new: one round
# trip for each step. The array is made first, so that the second half goes by its index whatever
# the planner expects of the first.
STEP = """
WITH near AS MATERIALIZED (
  SELECT etl_id, table_id, last_seen FROM catalog.{near}
  WHERE table_id = ANY($1::bigint[]) ORDER BY table_id, etl_id LIMIT $3
)
SELECT true, etl_id, table_id, last_seen FROM near
UNION ALL
(SELECT false, etl_id, table_id, last_seen FROM catalog.{far}
 WHERE etl_id = ANY(ARRAY(SELECT DISTINCT etl_id FROM near WHERE etl_id <> ALL($2::bigint[])))
 ORDER BY etl_id, table_id LIMIT $3)
"""
UPSTREAM = STEP.replace("{near}", "edges").replace("{far}", "inputs")
DOWNSTREAM = STEP.replace("{near}", "inputs").replace("{far}", "edges")
OUTPUTS_BY_ETL = """
SELECT etl_id, table_id, last_seen FROM catalog.edges
WHERE etl_id = ANY($1::bigint[]) ORDER BY etl_id, table_id LIMIT $2
"""
INPUTS_BY_ETL = OUTPUTS_BY_ETL.replace("edges", "inputs")

# What decides which rows a table has (an empty output column) goes into each of its columns.
MADE_OF = """
SELECT c.input_table_id, c.input_column, at.table_id, at.name, c.etl_id, c.type, c.subtype,
  c.masking, c.last_seen
FROM unnest($1::bigint[], $2::text[]) AS at (table_id, name) JOIN catalog.column_edges c
ON c.output_table_id = at.table_id AND c.output_column IN (at.name, '')
ORDER BY at.table_id, at.name, c.output_column DESC, c.input_table_id, c.input_column, c.etl_id
LIMIT $3
"""
MADE_FROM = """
SELECT c.input_table_id, c.input_column, c.output_table_id, c.output_column, c.etl_id, c.type,
  c.subtype, c.masking, c.last_seen
FROM unnest($1::bigint[], $2::text[]) AS at (table_id, name) JOIN catalog.column_edges c
ON c.input_table_id = at.table_id AND c.input_column = at.name
ORDER BY c.input_table_id, c.input_column, c.output_table_id, c.output_column, c.etl_id
LIMIT $3
"""

ETLS = "SELECT id, name, namespace FROM catalog.etls WHERE id = ANY($1::bigint[])"
TABLES = """
SELECT id, dropped_at IS NOT NULL OR vanished_at IS NOT NULL, schema_name, name, namespace
FROM catalog.tables WHERE id = ANY($1::bigint[])
"""

ColumnId = tuple[int, str]
"""A table's id and a column's name."""
Pairs = dict[tuple[int, int], datetime]
"""When an edge was last seen, by the ids of its ETL and table."""


@dataclass(frozen=True, slots=True)
class Root:
    """Where a walk starts: one table, or one ETL."""

    tables: frozenset[int] = frozenset()
    etls: frozenset[int] = frozenset()


@dataclass(slots=True)
class TableWalk:
    """What has been seen so far, by ids: the steps to each node, and the edges between them."""

    left: int
    """How many more edges it may take."""
    etls: dict[int, int] = field(default_factory=dict)
    tables: dict[int, int] = field(default_factory=dict)
    inputs: Pairs = field(default_factory=dict)
    outputs: Pairs = field(default_factory=dict)
    truncated: bool = False

    async def go(
        self, connection: RawConnection, root: Root, *, upstream: bool, depth: int
    ) -> None:
        """Add what lies upstream, or downstream, of a table or an ETL.

        A step leads from tables through ETLs to tables, or from an ETL to the tables next to it.
        """
        sign = -1 if upstream else 1
        seen_etls, seen_tables = set(root.etls), set(root.tables)
        etls, tables = set(root.etls), set(root.tables)
        for step in range(1, depth + 1):
            if tables:
                etls, behind = await self._step(connection, tables, seen_etls, upstream=upstream)
            else:
                behind = await self._behind(connection, etls, upstream=upstream)
            seen_etls |= etls
            tables = behind - seen_tables
            seen_tables |= tables
            for ids, distances in ((etls, self.etls), (tables, self.tables)):
                for id_ in ids:
                    distances.setdefault(id_, sign * step)
            if not tables:
                return

    async def _step(
        self,
        connection: RawConnection,
        tables: Collection[int],
        seen: Collection[int],
        *,
        upstream: bool,
    ) -> tuple[set[int], set[int]]:
        """The ETLs next to tables that were not seen before, and the tables behind them."""
        near, far = (self.outputs, self.inputs) if upstream else (self.inputs, self.outputs)
        # Edges of the other direction may be among the rows; they are there already.
        limit = self.left + max(len(near), len(far)) + 1
        statement = UPSTREAM if upstream else DOWNSTREAM
        rows = await connection.fetch(statement, list(tables), list(seen), limit)
        etls = {
            etl
            for is_near, etl, table, last_seen in rows
            if is_near and self._takes(near, (etl, table), last_seen)
        }.difference(seen)
        behind = {
            table
            for is_near, etl, table, last_seen in rows
            if not is_near and etl in etls and self._takes(far, (etl, table), last_seen)
        }
        return etls, behind

    async def _behind(
        self, connection: RawConnection, etls: Collection[int], *, upstream: bool
    ) -> set[int]:
        """The tables behind ETLs."""
        pairs, statement = (
            (self.inputs, INPUTS_BY_ETL) if upstream else (self.outputs, OUTPUTS_BY_ETL)
        )
        limit = self.left + len(pairs) + 1
        return {
            table
            for etl, table, last_seen in await connection.fetch(statement, list(etls), limit)
            if self._takes(pairs, (etl, table), last_seen)
        }

    def _takes(self, pairs: Pairs, pair: tuple[int, int], last_seen: datetime) -> bool:
        if pair in pairs:
            return True
        if not self.left:
            self.truncated = True
            return False
        self.left -= 1
        pairs[pair] = last_seen
        return True


ColumnArrow = tuple[ColumnId, ColumnId, int]
"""Source, target and ETL."""


@dataclass(slots=True)
class ColumnWalk:
    """As `TableWalk`, from column to column."""

    left: int
    columns: dict[ColumnId, int] = field(default_factory=dict)
    arrows: dict[ColumnArrow, tuple[str | None, str | None, bool, datetime]] = field(
        default_factory=dict
    )
    """With type, subtype, masking, and when it was last seen."""
    truncated: bool = False

    async def go(
        self, connection: RawConnection, root: ColumnId, *, upstream: bool, depth: int
    ) -> None:
        """Add the columns that a column is made of, or those that are made of it."""
        statement = MADE_OF if upstream else MADE_FROM
        seen, frontier = {root}, {root}
        for step in range(1, depth + 1):
            tables, names = zip(*sorted(frontier), strict=True)
            limit = self.left + len(self.arrows) + 1
            rows = await connection.fetch(statement, tables, names, limit)
            frontier = {far for row in rows if (far := self._far(row, upstream=upstream))} - seen
            seen |= frontier
            for column in frontier:
                self.columns.setdefault(column, step * (-1 if upstream else 1))
            # Behind a table's choice of rows lies everything made of the table: not of the column.
            frontier = {column for column in frontier if column[1]}
            if not frontier:
                return

    def _far(self, row: Sequence[Any], *, upstream: bool) -> ColumnId | None:
        """The column at the far end of a row; None for one that the limit leaves out."""
        input_table, input_column, output_table, output_column, etl, *facts = row
        source, target = (input_table, input_column), (output_table, output_column)
        arrow = (source, target, etl)
        if arrow not in self.arrows:
            if not self.left:
                self.truncated = True
                return None
            self.left -= 1
            type_, subtype, masking, last_seen = facts
            self.arrows[arrow] = (type_, subtype, masking, last_seen)
        return source if upstream else target


async def etl_keys(connection: RawConnection, ids: Collection[int]) -> Mapping[int, EtlKey]:
    """The ETLs of ids."""
    rows = await connection.fetch(ETLS, list(ids))
    return {id_: EtlKey(name, namespace or None) for id_, name, namespace in rows}


async def table_keys(
    connection: RawConnection, ids: Collection[int]
) -> tuple[Mapping[int, TableKey], frozenset[TableKey]]:
    """The tables of ids, and those of them that were dropped or have vanished."""
    rows = await connection.fetch(TABLES, list(ids))
    keys = {id_: key_of(key) for id_, _, *key in rows}
    return keys, frozenset(keys[id_] for id_, gone, *_ in rows if gone)
