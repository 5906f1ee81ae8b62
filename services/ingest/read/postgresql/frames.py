"""Rows of a PostgreSQL database: as frames, or as binary COPY that needs no reading at all."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace

import polars as pl

from services.ingest.connections.domain import (
    Selection,
    SourceQuery,
    SourceTable,
    SourceTimeouts,
)
from services.ingest.connections.errors import NO_GRANT, NO_TABLE
from services.ingest.connections.pace import Pace, paced
from services.ingest.connections.postgresql.session import FAILURES, translated
from services.ingest.domain.run import ImportId
from services.ingest.plan.columns import ColumnPlan
from services.ingest.plan.names import named_columns
from services.ingest.plan.source_columns import SourceColumn, Ways
from services.ingest.read.csv.blocks import Block, BlockCutter
from services.ingest.read.csv.frames import CsvReader
from services.ingest.read.csv.layout import Layout
from services.ingest.read.csv.quoting import Dialect
from services.ingest.read.frame import Frame
from services.ingest.read.limits import Limits
from services.ingest.read.postgresql.types import column_type, copied_as
from services.ingest.read.source import DirectCopy
from shared.contracts.records import IMPORT_COLUMN
from shared.store.copying import copy_out, gathered
from shared.store.engine import RawConnection
from shared.store.identifiers import quoted

CASE_BLIND = Ways(case_blind=True)
ROW_COLUMN = "_row"
"""Added to a lone column: COPY writes its NULL as an empty line, which is no record."""

FIND_TABLE = """
SELECT n.nspname AS schema, c.relname AS name,
       has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT') AS readable
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relname = ANY($1::text[])
  AND (n.nspname = ANY($2::text[]) OR $2 IS NULL AND n.nspname = ANY(current_schemas(false)))
ORDER BY array_position($1::text[], c.relname::text),
         array_position(coalesce($2::text[], current_schemas(false)::text[]), n.nspname::text)
LIMIT 1
"""
COLUMNS = """
SELECT a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type, NOT a.attnotnull AS nullable
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relname = $2 AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum
"""


@dataclass
class PostgresqlRows:
    """A table or query in a session's one snapshot; it can be read again and again."""

    session: RawConnection
    columns: tuple[SourceColumn, ...]
    timeouts: SourceTimeouts
    from_clause: str
    """What stands behind FROM: a quoted name, or a query in brackets."""
    table: SourceTable | None = None
    """The table as it is spelled there; None for a query."""
    ways: Ways = CASE_BLIND
    format: None = field(default=None, init=False)
    size_bytes: None = field(default=None, init=False)

    @classmethod
    async def opened(
        cls, session: RawConnection, wanted: Selection, *, timeouts: SourceTimeouts
    ) -> "PostgresqlRows":
        """Find the table, or have the query checked; raises SourceUnusableError."""
        with translated():
            async with asyncio.timeout(timeouts.answer_s):
                if isinstance(wanted, SourceQuery):
                    return await _query(cls, session, wanted, timeouts)
                return await _table(cls, session, wanted, timeouts)

    async def frames(self, plan: ColumnPlan) -> AsyncIterator[Frame]:
        """The rows as text, in the forms of the type table; `lines` count rows from 1."""
        names = [*plan.names]
        selected = [f"{quoted(name)}::text" for name in names]
        if len(names) == 1:
            names.append(ROW_COLUMN)
            selected.append("1")
        reader, cutter = (
            CsvReader(Layout(tuple(names)), Dialect()),
            BlockCutter(Dialect(), Limits()),
        )
        rows = read_bytes = 0
        async with self._copied(selected, "csv") as pieces:
            async for text, final in _blocks(pieces, Limits().block_bytes):
                block = await asyncio.to_thread(cutter.feed, text, final=final)
                frame = await asyncio.to_thread(_read, reader, block, plan.names)
                read_bytes += len(text)
                lines = pl.int_range(rows + 1, rows + 1 + frame.cells.height, eager=True)
                rows += frame.rows
                yield Frame(
                    cells=frame.cells,
                    lines=lines,
                    refused=frame.refused,
                    may_hold_nul=False,
                    bytes_read=read_bytes,
                )

    def copy(self, plan: ColumnPlan, *, import_id: ImportId) -> DirectCopy | None:
        """The rows as binary COPY, where the table's columns take them as they are."""
        spelled = {column.name: column.spelled or "" for column in self.columns}
        selected = [f"{int(import_id)}::bigint"]
        for column in plan.columns:
            copied = copied_as(spelled[column.source], column.type)
            if copied is None:
                return None
            selected.append(f"{quoted(column.source)}{copied}")
        columns = (IMPORT_COLUMN, *(column.target for column in plan.columns))
        return DirectCopy(columns, self._binary(selected))

    async def _binary(self, selected: Sequence[str]) -> AsyncGenerator[bytes, None]:
        async with self._copied(selected, "binary") as pieces:
            async for piece in pieces:
                yield piece

    @asynccontextmanager
    async def _copied(
        self, selected: Sequence[str], form: str
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """COPY out as an iterator of pieces; leaving it ends the COPY, and the snapshot stays."""
        query = f"SELECT {', '.join(selected)} FROM {self.from_clause}"  # noqa: S608 - quoted above
        with translated():
            # A COPY that is broken off would end the transaction, and its snapshot with it.
            await self.session.execute("SAVEPOINT rows")
        try:
            silent_s = self.timeouts.answer_s
            async with copy_out(self.session, query, silent_s=silent_s, format=form) as pieces:
                yield paced(_translated(pieces), Pace(self.timeouts), size=len)
        finally:
            with suppress(*FAILURES):
                await self.session.execute("ROLLBACK TO SAVEPOINT rows")


async def _translated(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    with translated():
        async for piece in pieces:
            yield piece


async def _blocks(pieces: AsyncIterator[bytes], size: int) -> AsyncIterator[tuple[bytes, bool]]:
    """Pieces of about `size` bytes, and an empty one that is marked as the last."""
    async for text in gathered(pieces, size):
        yield text, False
    yield b"", True


def _read(reader: CsvReader, block: Block, columns: Sequence[str]) -> Frame:
    frame = reader.read(block)
    return Frame(cells=frame.cells.select(columns), lines=frame.lines, refused=frame.refused)


async def _table(
    cls: type[PostgresqlRows], session: RawConnection, wanted: SourceTable, timeouts: SourceTimeouts
) -> PostgresqlRows:
    names = _spellings(wanted.name, exact=wanted.exact)
    schemas = None if wanted.schema is None else _spellings(wanted.schema, exact=False)
    found = await session.fetchrow(FIND_TABLE, names, schemas)
    if found is None:
        raise NO_TABLE.error()
    if not found["readable"]:
        raise NO_GRANT.error()
    rows = await session.fetch(COLUMNS, found["schema"], found["name"])
    columns = tuple(
        SourceColumn(row["name"], column_type(row["type"]), row["type"], row["nullable"])
        for row in rows
    )
    name = f"{quoted(found['schema'])}.{quoted(found['name'])}"
    # Refused now, and not when the rows are read: a policy may hide some of them.
    await session.prepare(f"SELECT * FROM {name}")  # noqa: S608 - quoted
    table = SourceTable(found["schema"], found["name"], exact=True)
    return cls(session=session, columns=columns, timeouts=timeouts, from_clause=name, table=table)


async def _query(
    cls: type[PostgresqlRows], session: RawConnection, wanted: SourceQuery, timeouts: SourceTimeouts
) -> PostgresqlRows:
    # Prepared alone first, so that anything but one statement is refused before it is put in
    # brackets.
    await session.prepare(wanted.sql)
    # On lines of its own, because the query may end with a comment.
    inner = f"(\n{wanted.sql.strip().removesuffix(';')}\n) AS source"
    statement = await session.prepare(f"SELECT * FROM {inner}")  # noqa: S608 - checked above
    attributes = statement.get_attributes()
    columns = tuple(
        replace(column, type=column_type(attribute.type.name), spelled=attribute.type.name)
        for column, attribute in zip(
            named_columns([attribute.name for attribute in attributes]), attributes, strict=True
        )
    )
    # A query may call several columns alike.
    names = ", ".join(quoted(column.name) for column in columns)
    from_clause = f"{inner} ({names})" if names else inner
    return cls(session=session, columns=columns, timeouts=timeouts, from_clause=from_clause)


def _spellings(name: str, *, exact: bool) -> list[str]:
    """As it is, and as PostgreSQL folds what is not quoted."""
    return [name] if exact or name == name.lower() else [name, name.lower()]
