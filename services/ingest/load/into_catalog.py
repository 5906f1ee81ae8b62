"""A file of `etl_name,schema_name,table_name`: judged like a table's rows, merged by the catalog.

Other columns are ignored, and the import says so.

The merge is one call and one transaction of the catalog; doing it again changes nothing, so an
attempt that dies after it is simply repeated.
"""

import asyncio
from collections.abc import AsyncIterator
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
from services.ingest.load.report import RejectReport
from services.ingest.plan.columns import ColumnPlan, plan_columns
from services.ingest.read.frame import Frame
from services.ingest.read.limits import Limits
from services.ingest.read.source import FileSource
from services.ingest.work.attempt import Attempt, StoredUploadSource
from shared.contracts.catalog import NAME_LIMIT
from shared.contracts.records import (
    ColumnContract,
    ColumnName,
    TableContract,
    TableName,
    TableOid,
)
from shared.values.types import ColumnType, TypeName

COLUMNS = ("etl_name", "schema_name", "table_name")

CATALOG_CONTRACT = TableContract(
    table=TableName("the catalog"),
    oid=TableOid(0),
    version=1,
    columns=tuple(
        ColumnContract(
            name=ColumnName(name),
            attnum=at,
            type=ColumnType(name=TypeName.VARCHAR, length=NAME_LIMIT),
            nullable=False,
            has_default=False,
        )
        for at, name in enumerate(COLUMNS, 1)
    ),
    unique_keys=(),
)
"""The header and the cells that such a file must have, in the words of a table's contract."""


@dataclass
class _Counts:
    read: int = 0
    bytes_read: int = 0


@dataclass
class _Merge:
    attempt: Attempt
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
            self.attempt.note_progress(
                Progress(
                    rows_read=self.counts.read,
                    rows_rejected=self.report.rows,
                    bytes_read=self.counts.bytes_read,
                    bytes_total=self.attempt.run.bytes_total,
                )
            )
            if judged.good.height:
                yield await asyncio.to_thread(_ndjson, judged.good)


async def load_catalog_file(attempt: Attempt, upload: StoredUploadSource) -> Outcome:
    """Merge an uploaded file into the catalog; raises FileRefusedError, PeerUnavailableError."""
    options: ImportOptions = attempt.run.options
    source = await FileSource.opened(
        upload, file_name=attempt.run.file_name or "upload", options=options, limits=Limits()
    )
    plan = plan_columns(source.columns, CATALOG_CONTRACT, options, ignoring_others=True)
    merge = _Merge(
        attempt=attempt,
        source=source,
        rules=CellRules(plan.columns, options.null_values),
        report=RejectReport(attempt.rejects, plan.originals),
    )
    answer = await attempt.catalog.merge(attempt.run.id, merge.lines())
    outcome = Outcome(
        rows=RowCounts(
            read=merge.counts.read,
            loaded=answer.received,
            rejected=merge.report.rows,
            inserted=answer.inserted,
            updated=answer.received - answer.inserted,
        ),
        bytes_read=merge.counts.bytes_read,
        format=source.format,
        inferred=_ignored(plan),
    )
    async with attempt.pool.acquire() as connection:
        await attempt.fence(connection, outcome)
    return outcome


def _ignored(plan: ColumnPlan) -> tuple[InferredColumn, ...]:
    """A note for each column that is no part of a catalog file."""
    taken = {column.source for column in plan.columns}
    because = f"a catalog file has {', '.join(COLUMNS)}; other columns are left out"
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
    return good.select(COLUMNS).write_ndjson().encode()
