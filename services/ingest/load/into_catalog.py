"""A file of `etl_name,schema_name,table_name`: read like a table's rows, merged by the catalog.

Other columns are ignored, and the import says so.

The merge is one call and one transaction of the catalog; doing it again changes nothing, so an
attempt that dies after it is simply repeated.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace

import polars as pl

from services.ingest.domain.options import ImportOptions
from services.ingest.domain.outcome import (
    FormatFound,
    InferredColumn,
    Outcome,
    RowCounts,
)
from services.ingest.load.modes import Loaded, refuse_nothing
from services.ingest.load.outside import Outside
from services.ingest.load.readings import Readings, Seen, as_it_turns_out
from services.ingest.plan.columns import ColumnPlan, Others, plan_columns
from services.ingest.plan.contracts import CATALOG_COLUMNS, CATALOG_CONTRACT
from services.ingest.plan.source_columns import SourceColumn, Ways
from services.ingest.read.frame import Frame
from services.ingest.read.source import Source
from shared.contracts.catalog import MergeAnswer

Merge = Callable[[AsyncIterator[bytes]], Awaitable[MergeAnswer]]
"""Takes NDJSON of CatalogTriple; raises PeerUnavailableError."""


async def load_into_catalog(
    source: Source, outside: Outside, options: ImportOptions, *, merge: Merge
) -> Outcome:
    """Merge a source's rows into the catalog; raises FileRefusedError and what `merge` raises."""

    async def once(source: Source) -> Outcome:
        return await _merged(_Named(source), outside, options, merge=merge)

    outcome = await as_it_turns_out(source, once, restart=outside.rejects.restart)
    async with outside.connections.acquire() as connection:
        await outside.fence(connection, outcome)
    return outcome


async def _merged(
    source: Source, outside: Outside, options: ImportOptions, *, merge: Merge
) -> Outcome:
    plan = plan_columns(source, CATALOG_CONTRACT, options, others=Others.IGNORED)
    readings, seen = Readings.of(source, plan, options, outside, own={}), Seen()
    answer = await merge(_lines(readings, seen))
    refuse_nothing(readings, Loaded(seen, inserted=answer.received))
    return Outcome(
        rows=RowCounts(
            read=seen.rows,
            loaded=answer.received,
            rejected=readings.report.rows,
            inserted=answer.inserted,
            updated=answer.received - answer.inserted,
        ),
        bytes_read=seen.bytes,
        format=source.format,
        inferred=_ignored(plan),
        reasons=readings.report.reasons,
    )


async def _lines(readings: Readings, seen: Seen) -> AsyncIterator[bytes]:
    """NDJSON of CatalogTriple, without the rows that do not fit."""
    async for judged in readings.judged(seen):
        yield await asyncio.to_thread(_ndjson, judged.good)


def _ndjson(good: pl.DataFrame) -> bytes:
    return good.select(CATALOG_COLUMNS).write_ndjson().encode()


def _ignored(plan: ColumnPlan) -> tuple[InferredColumn, ...]:
    """A note for each column that is no part of a catalog file."""
    because = f"a catalog file has {', '.join(CATALOG_COLUMNS)}; other columns are left out"
    return tuple(
        InferredColumn(column=name, type="ignored", because=because) for name in plan.ignored
    )


@dataclass(frozen=True, slots=True)
class _Named:
    """A source whose cells of nothing but white space are null, as no name is."""

    source: Source

    @property
    def columns(self) -> tuple[SourceColumn, ...]:
        return self.source.columns

    @property
    def ways(self) -> Ways:
        return self.source.ways

    @property
    def format(self) -> FormatFound | None:
        return self.source.format

    @property
    def size_bytes(self) -> int | None:
        return self.source.size_bytes

    async def frames(self, plan: ColumnPlan) -> AsyncIterator[Frame]:
        async for frame in self.source.frames(plan):
            yield replace(frame, cells=await asyncio.to_thread(_without_blanks, frame.cells))


def _without_blanks(cells: pl.DataFrame) -> pl.DataFrame:
    return cells.with_columns(
        pl.when(pl.col(pl.String).str.strip_chars() != "").then(pl.col(pl.String))
    )
