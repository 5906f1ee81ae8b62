"""A file of `etl_name,schema_name,table_name`: judged like a table's rows, merged by the catalog.

Other columns are ignored, and the import says so.

The merge is one call and one transaction of the catalog; doing it again changes nothing, so an
attempt that dies after it is simply repeated.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import polars as pl

from services.ingest.domain import (
    ImportOptions,
    InferredColumn,
    Outcome,
    Progress,
    RowCounts,
)
from services.ingest.judge.judging import CellRules, Judged, judge
from services.ingest.load.outside import Outside
from services.ingest.load.report import RejectReport
from services.ingest.plan.columns import ColumnPlan, plan_columns
from services.ingest.plan.contracts import CATALOG_COLUMNS, CATALOG_CONTRACT
from services.ingest.read.frame import Frame
from services.ingest.read.limits import Limits
from services.ingest.read.source import ByteSource, FileSource
from shared.contracts.catalog import MergeAnswer

Merge = Callable[[AsyncIterator[bytes]], Awaitable[MergeAnswer]]
"""Takes NDJSON of CatalogTriple; raises PeerUnavailableError."""


@dataclass
class _Counts:
    read: int = 0
    bytes_read: int = 0


@dataclass
class _Rows:
    outside: Outside
    bytes_total: int
    source: FileSource
    rules: CellRules
    report: RejectReport
    counts: _Counts = field(default_factory=_Counts)

    async def lines(self) -> AsyncIterator[bytes]:
        """NDJSON of CatalogTriple, without the rows that do not fit."""
        async for frame in self.source.frames():
            judged = await asyncio.to_thread(_judged, frame, self.rules)
            self.counts.read += frame.rows
            self.counts.bytes_read = frame.bytes_read
            await self.report.add(judged.bad, frame.refused)
            self.outside.note_progress(
                Progress(
                    rows_read=self.counts.read,
                    rows_rejected=self.report.rows,
                    bytes_read=self.counts.bytes_read,
                    bytes_total=self.bytes_total,
                )
            )
            if judged.good.height:
                yield await asyncio.to_thread(_ndjson, judged.good)


async def load_catalog_file(
    stored: ByteSource,
    outside: Outside,
    *,
    merge: Merge,
    file_name: str,
    options: ImportOptions,
) -> Outcome:
    """Merge an uploaded file into the catalog; raises FileRefusedError, PeerUnavailableError."""
    source = await FileSource.opened(stored, file_name=file_name, options=options, limits=Limits())
    plan = plan_columns(source.columns, CATALOG_CONTRACT, options, ignoring_others=True)
    rows = _Rows(
        outside=outside,
        bytes_total=stored.size_bytes,
        source=source,
        rules=CellRules(plan.columns, options.null_values),
        report=RejectReport(outside.rejects, plan.originals),
    )
    answer = await merge(rows.lines())
    outcome = Outcome(
        rows=RowCounts(
            read=rows.counts.read,
            loaded=answer.received,
            rejected=rows.report.rows,
            inserted=answer.inserted,
            updated=answer.received - answer.inserted,
        ),
        bytes_read=rows.counts.bytes_read,
        format=source.format,
        inferred=_ignored(plan),
    )
    async with outside.pool.acquire() as connection:
        await outside.fence(connection, outcome)
    return outcome


def _ignored(plan: ColumnPlan) -> tuple[InferredColumn, ...]:
    """A note for each column that is no part of a catalog file."""
    taken = {column.source for column in plan.columns}
    because = f"a catalog file has {', '.join(CATALOG_COLUMNS)}; other columns are left out"
    return tuple(
        InferredColumn(column=name, type="ignored", because=because)
        for name in plan.originals
        if name not in taken
    )


def _judged(frame: Frame, rules: CellRules) -> Judged:
    # A name of nothing but white space could not be told from none.
    named = frame.cells.with_columns(
        pl.when(pl.col(pl.String).str.strip_chars() != "").then(pl.col(pl.String))
    )
    return judge(
        Frame(
            cells=named,
            lines=frame.lines,
            refused=frame.refused,
            faults=frame.faults,
            may_hold_nul=frame.may_hold_nul,
            bytes_read=frame.bytes_read,
        ),
        rules,
    )


def _ndjson(good: pl.DataFrame) -> bytes:
    return good.select(CATALOG_COLUMNS).write_ndjson().encode()
