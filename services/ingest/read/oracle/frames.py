"""Rows of an Oracle database as frames; the driver and the conversion work in its own thread."""

from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias, cast

import oracledb
import polars as pl

from services.ingest.connections.domain import Selection, SourceQuery, SourceTable
from services.ingest.connections.errors import NO_TABLE, SourceUnusableError
from services.ingest.connections.oracle.session import OracleSession
from services.ingest.connections.pace import Pace, paced
from services.ingest.plan.columns import ColumnPlan
from services.ingest.plan.dtypes import dtype_of
from services.ingest.plan.source_columns import SourceColumn, Ways
from services.ingest.read.frame import Frame
from services.ingest.read.oracle.types import OracleColumn, oracle_column, type_handler
from shared.values.types import ColumnType, TypeName

BATCH_ROWS = 2_000
"""A batch is decoded in one go, and holds Python's lock for some milliseconds."""
FRAME_ROWS = 20_000
FRAME_BYTES = 16 << 20
IDENTIFIER_LIMIT_BYTES = 128

CASE_BLIND = Ways(case_blind=True)

Batch: TypeAlias = pl.DataFrame
NextBatch: TypeAlias = Callable[[], Coroutine[Any, Any, Batch | None]]
"""The next rows, or None at the end; to be awaited in the driver's thread."""


@dataclass
class OracleRows:
    """A table or query in a session's one READ ONLY transaction; it can be read again and again."""

    session: OracleSession
    read: tuple[OracleColumn, ...]
    from_clause: str
    """What stands behind FROM: a quoted name, or a query in brackets."""
    table: SourceTable | None = None
    """The table as it is spelled there, without a schema the log-in's own; None for a query."""
    ways: Ways = CASE_BLIND
    format: None = field(default=None, init=False)
    size_bytes: None = field(default=None, init=False)

    @classmethod
    async def opened(cls, session: OracleSession, wanted: Selection) -> "OracleRows":
        """Have the columns described, without a row; raises SourceUnusableError."""
        failure: SourceUnusableError | None = None
        for source, table in _candidates(wanted):
            try:
                read = await session.run(_describe(source))
            except SourceUnusableError as exc:
                # A name that was not quoted may have been made with quotes.
                if exc.errors[0].code != NO_TABLE.code:
                    raise
                failure = failure or exc
            else:
                return cls(session, read, source, table)
        assert failure is not None
        raise failure

    @property
    def columns(self) -> tuple[SourceColumn, ...]:
        """The columns in order, with their types."""
        return tuple(column.source for column in self.read)

    async def frames(self, plan: ColumnPlan) -> AsyncIterator[Frame]:
        """The rows, each column in its target's dtype or as text; `lines` count rows from 1."""
        rows = read_bytes = 0
        batches = paced(self._batches(plan), Pace(self.session.timeouts), size=_size)
        async for cells in _gathered(batches):
            lines = pl.int_range(rows + 1, rows + 1 + cells.height, eager=True)
            rows, read_bytes = rows + cells.height, read_bytes + _size(cells)
            yield Frame(cells=cells, lines=lines, may_hold_nul=False, bytes_read=read_bytes)

    async def _batches(self, plan: ColumnPlan) -> AsyncIterator[Batch]:
        next_batch = await self.session.run(_Batches(self, plan.types()).start)
        while (batch := await self.session.run(lambda _connection: next_batch())) is not None:
            yield batch

    @property
    def select(self) -> str:
        """The statement that reads every row."""
        selected = [
            f"{column.expression.format(quoted(name))} AS {quoted(name)}"
            for column in self.read
            for name in (column.source.name,)
        ]
        return f"SELECT {', '.join(selected)} FROM {self.from_clause}"  # noqa: S608 - quoted


@dataclass(frozen=True, slots=True)
class _Batches:
    """One reading of the rows; `types`: those of the columns they go into, by source name."""

    rows: OracleRows
    types: Mapping[str, ColumnType]

    @property
    def read(self) -> tuple[OracleColumn, ...]:
        return self.rows.read

    async def start(self, connection: oracledb.AsyncConnection) -> NextBatch:
        sql = self.rows.select
        if all(column.arrow for column in self.read):
            return self._arrow_batches(connection, sql)
        return await self._row_batches(connection, sql)

    def _arrow_batches(self, connection: oracledb.AsyncConnection, sql: str) -> NextBatch:
        # The driver's annotation says Iterator; what it returns is an asynchronous one.
        stream = cast(
            "AsyncIterator[oracledb.DataFrame]",
            connection.fetch_df_batches(sql, size=BATCH_ROWS, fetch_decimals=True),
        )

        async def next_batch() -> Batch | None:
            async for found in stream:
                # The first batch of LOB columns is an empty one.
                frame = pl.DataFrame(found)
                if not frame.is_empty():
                    return self._fitted(frame.get_columns())
            return None

        return next_batch

    async def _row_batches(self, connection: oracledb.AsyncConnection, sql: str) -> NextBatch:
        cursor = connection.cursor()
        cursor.arraysize = cursor.prefetchrows = BATCH_ROWS
        cursor.outputtypehandler = type_handler(self.read)
        await cursor.execute(sql, fetch_lobs=False)

        async def next_batch() -> Batch | None:
            rows = await cursor.fetchmany(BATCH_ROWS)
            if not rows:
                cursor.close()
                return None
            columns = zip(self.read, zip(*rows, strict=True), strict=True)
            return self._fitted([column.convert(values) for column, values in columns])

        return next_batch

    def _fitted(self, columns: Sequence[pl.Series]) -> Batch:
        fitted = [
            _fit(series, column, self.types.get(column.source.name)).alias(column.source.name)
            for series, column in zip(columns, self.read, strict=True)
        ]
        return pl.DataFrame(fitted)


def _fit(series: pl.Series, column: OracleColumn, target: ColumnType | None) -> pl.Series:
    """A series in its target's dtype where that is natural, else in a form that cells read."""
    if series.dtype == pl.String:
        # PostgreSQL's text holds no U+0000.
        return series.str.replace_all("\0", "", literal=True)
    named = None if target is None else target.name
    if isinstance(series.dtype, pl.Datetime):
        return _fit_moments(series.cast(pl.Datetime("us")), column, named)
    if series.dtype == pl.Binary and named not in (TypeName.BYTEA, None):
        # Other types of cells are Binary too, in PostgreSQL's own form.
        return r"\x" + series.bin.encode("hex")
    if isinstance(series.dtype, pl.Decimal) and (series.dtype.scale or 0) == 0:
        assert column.source.type is not None
        return series.cast(dtype_of(column.source.type))
    return series


def _fit_moments(moments: pl.Series, column: OracleColumn, named: TypeName | None) -> pl.Series:
    if named is TypeName.DATE and not column.zoned:
        return _days(moments)
    if column.zoned != (named is TypeName.TIMESTAMPTZ) and named is not None:
        # An instant into a TIMESTAMP is refused, and a clock without a zone reads UTC.
        return moments.dt.strftime("%Y-%m-%d %H:%M:%S%.6f" + ("Z" if column.zoned else ""))
    return moments


def _days(moments: pl.Series) -> pl.Series:
    """Days, as Oracle's DATE mostly holds; text that shows the time of day where there is one."""
    days = moments.dt.date()
    whole = days.cast(pl.Datetime("us")) == moments
    if whole.all(ignore_nulls=True):
        return days
    spelled = moments.dt.strftime("%Y-%m-%d %H:%M:%S%.6f")
    return days.dt.strftime("%Y-%m-%d").zip_with(whole.fill_null(value=True), spelled)


async def _gathered(batches: AsyncIterator[Batch]) -> AsyncIterator[Batch]:
    """The same rows in frames of at least FRAME_ROWS or FRAME_BYTES, but for the last one."""
    waiting: list[Batch] = []
    height = size = 0
    async for batch in batches:
        waiting.append(batch)
        height, size = height + batch.height, size + _size(batch)
        if height >= FRAME_ROWS or size >= FRAME_BYTES:
            yield pl.concat(waiting)
            waiting, height, size = [], 0, 0
    if waiting:
        yield pl.concat(waiting)


def _size(batch: Batch) -> int:
    return int(batch.estimated_size())


def _describe(
    source: str,
) -> Callable[[oracledb.AsyncConnection], Coroutine[Any, Any, tuple[OracleColumn, ...]]]:
    async def describe(connection: oracledb.AsyncConnection) -> tuple[OracleColumn, ...]:
        with connection.cursor() as cursor:
            await cursor.parse(f"SELECT * FROM {source}")  # noqa: S608 - quoted, or in brackets
            return tuple(oracle_column(info) for info in cursor.description or ())

    return describe


def _candidates(wanted: Selection) -> list[tuple[str, SourceTable | None]]:
    """What may stand behind FROM, and which table that is."""
    if isinstance(wanted, SourceQuery):
        # On lines of its own, because the query may end with a comment.
        return [(f"(\n{wanted.sql.strip().removesuffix(';')}\n)", None)]
    return [
        (
            ".".join(quoted(part) for part in (schema, name) if part is not None),
            SourceTable(schema, name, exact=True),
        )
        for schema, name in _spellings(wanted)
    ]


def _spellings(wanted: SourceTable) -> list[tuple[str | None, str]]:
    """As Oracle folds what is not quoted, then as it is."""
    schema = wanted.schema
    if wanted.exact:
        return [(schema and schema.upper(), wanted.name), (schema, wanted.name)]
    return [(schema and schema.upper(), wanted.name.upper()), (schema, wanted.name)]


def quoted(name: str) -> str:
    """An identifier of Oracle, which allows no quote in it."""
    if not name or '"' in name or "\0" in name or len(name.encode()) > IDENTIFIER_LIMIT_BYTES:
        raise SourceUnusableError.of("table", "invalid_name", "that is no name in Oracle")
    return f'"{name}"'
