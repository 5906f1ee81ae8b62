"""One import as one straight way: frames judged, encoded and copied in a single transaction.

Everything is loaded and the run is marked as done in the same commit, or nothing is.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import asyncpg
import polars as pl

from services.ingest.domain import (
    ImportOptions,
    Mode,
    OnError,
    Outcome,
    Progress,
    RowCounts,
)
from services.ingest.pipeline.ahead import ahead
from services.ingest.pipeline.cells import CellRules, Judged, judge
from services.ingest.pipeline.cells.dates import DateFormat
from services.ingest.pipeline.encode import RowEncoder
from services.ingest.pipeline.frame import Frame
from services.ingest.pipeline.header import ID_TYPE, ColumnPlan, plan_columns
from services.ingest.pipeline.limits import Limits
from services.ingest.pipeline.ports import FileLoad, LoadPorts
from services.ingest.pipeline.refusals import OptionError, RowRefusedError, TooManyErrorsError
from services.ingest.pipeline.rejects import RejectReport
from services.ingest.pipeline.source import FileSource, Source
from services.ingest.pipeline.target import IdBlocks, Target
from shared.contracts.records import ID_COLUMN, IMPORT_COLUMN, TableContract


async def load_file(job: FileLoad, ports: LoadPorts) -> Outcome:
    """Load a stored file into its table; all of it, or nothing.

    The fence runs as the transaction's last statement; a dry run is rolled back instead. Raises
    FileRefusedError when the file as a whole does not fit, ImportFailedError when the rows end
    the import, FencedOutError from the fence, and the driver's errors when PostgreSQL is away.
    """
    source = await FileSource.opened(
        job.source, file_name=job.file_name, options=job.options, limits=Limits()
    )
    contract = await ports.contract()
    return await load_source(
        source,
        contract=contract,
        options=job.options,
        ports=ports,
        bytes_total=job.source.size_bytes,
    )


async def load_source(
    source: Source,
    *,
    contract: TableContract,
    options: ImportOptions,
    ports: LoadPorts,
    bytes_total: int | None,
) -> Outcome:
    """Load rows from any source; `load_file` says what it raises."""
    plan = plan_columns(source.columns, contract, options)
    load = _Load(source, contract, options, plan, ports, bytes_total)
    async with ports.pool.acquire() as connection:
        await _announce(connection, ports)
        transaction = connection.transaction()
        await transaction.start()
        try:
            outcome = await load.run(connection)
            if not options.dry_run:
                await ports.fence(connection, outcome)
        except BaseException:
            await _rollback(transaction, connection)
            raise
        if options.dry_run:
            await transaction.rollback()
        else:
            await transaction.commit()
    return outcome


async def _announce(connection: "asyncpg.Connection[asyncpg.Record]", ports: LoadPorts) -> None:
    row = await connection.fetchrow(
        "SELECT pid, backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()"
    )
    assert row is not None
    await ports.on_backend(row["pid"], row["backend_start"])


async def _rollback(
    transaction: asyncpg.transaction.Transaction, connection: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    if connection.is_closed():
        return
    await transaction.rollback()


@dataclass
class _Counts:
    read: int = 0
    loaded: int = 0
    bytes_read: int = 0


@dataclass
class _Load:
    source: Source
    contract: TableContract
    options: ImportOptions
    plan: ColumnPlan
    ports: LoadPorts
    bytes_total: int | None
    counts: _Counts = field(default_factory=_Counts)

    def __post_init__(self) -> None:
        try:
            dates = DateFormat(self.options.date_format)
        except ValueError as error:
            raise OptionError.of("date_format", "invalid_option", str(error)) from error
        self.rules = CellRules(self.plan.columns, self.options.null_values, dates)
        self.report = RejectReport(self.ports.rejects, self.plan.originals)

    async def run(self, connection: "asyncpg.Connection[asyncpg.Record]") -> Outcome:
        target = Target(connection, self.contract)
        await target.lock(self.options.mode)
        if self.options.mode is Mode.REPLACE:
            await target.empty()
        await self._straight(target)
        counts = self.counts
        return Outcome(
            rows=RowCounts(
                read=counts.read,
                loaded=counts.loaded,
                rejected=self.report.rows,
                inserted=counts.loaded,
                updated=0,
            ),
            bytes_read=counts.bytes_read,
            format=self.source.format,
        )

    async def _straight(self, target: Target) -> None:
        """COPY into the table itself, with ids from blocks while they can be had."""
        ids = IdBlocks(self.ports.pool, self.contract.oid)
        async with ahead(self._judged()) as judged:
            rows = _Rows(judged, ids, self.plan, self.ports.import_id)
            while await rows.begin():
                self.counts.loaded += await target.copy(rows.columns, rows.copy_data())

    async def _judged(self) -> AsyncIterator[Judged]:
        frames = self.source.frames()
        async with ahead(frames) as coming:
            async for frame in coming:
                judged = await asyncio.to_thread(judge, frame, self.rules)
                await self._note(frame, judged)
                if judged.good.height:
                    yield judged

    async def _note(self, frame: Frame, judged: Judged) -> None:
        self.counts.read += frame.rows
        self.counts.bytes_read = frame.bytes_read
        await self.report.add(judged.bad, frame.refused)
        if self.report.rows and self.options.on_error is OnError.ABORT:
            raise RowRefusedError(_first_reason(frame, judged))
        most = self.options.max_errors
        if most is not None and self.report.rows > most:
            raise TooManyErrorsError(
                f"{self.report.rows} rows are bad, and max_errors is {most}: nothing was loaded"
            )
        self.ports.on_progress(
            Progress(
                rows_read=self.counts.read,
                rows_rejected=self.report.rows,
                bytes_read=self.counts.bytes_read,
                bytes_total=self.bytes_total,
            )
        )


def _first_reason(frame: Frame, judged: Judged) -> str:
    bad = judged.bad
    reasons = [(row.line, row.message) for row in frame.refused[:1]]
    if bad.lines.len():
        reasons.append((bad.lines[0], bad.faults["message"][0]))
    line, message = min(reasons)
    return f"line {line}: {message}; nothing was loaded (on_error=abort)"


class _Rows:
    """Judged frames as one COPY after the other: with ids, and without once they run out."""

    def __init__(
        self,
        judged: AsyncIterator[Judged],
        ids: IdBlocks,
        plan: ColumnPlan,
        import_id: int,
    ) -> None:
        self._judged = judged
        self._ids = ids
        self._plan = plan
        self._import_id = import_id
        self._waiting: Judged | None = None
        self._first_id: int | None = None

    async def begin(self) -> bool:
        """Whether there are more rows; fixes the columns of the next COPY."""
        if self._waiting is None:
            await self._advance()
        if self._waiting is None:
            return False
        system = [(IMPORT_COLUMN, ID_TYPE)]
        self._with_ids = self._first_id is not None
        if self._with_ids:
            system.insert(0, (ID_COLUMN, ID_TYPE))
        planned = [(column.target, column.type) for column in self._plan.columns]
        self._encoder = RowEncoder([*system, *planned])
        self.columns = [name for name, _ in (*system, *planned)]
        return True

    async def _advance(self) -> None:
        self._waiting = await anext(self._judged, None)
        if self._waiting is not None and not self._plan.brings_ids:
            self._first_id = await self._ids.take(self._waiting.good.height)

    async def copy_data(self) -> AsyncIterator[bytes]:
        """The binary COPY of all frames up to the end, or to where the ids run out."""
        yield self._encoder.header()
        while self._waiting is not None and self._with_ids == (self._first_id is not None):
            yield await asyncio.to_thread(self._encode, self._waiting.good, self._first_id)
            await self._advance()
        yield self._encoder.finish()

    def _encode(self, good: pl.DataFrame, first_id: int | None) -> bytes:
        system = [pl.lit(self._import_id, dtype=pl.Int64).alias(IMPORT_COLUMN)]
        if first_id is not None:
            ids = pl.int_range(first_id, first_id + good.height, dtype=pl.Int64)
            system.append(ids.alias(ID_COLUMN))
        return self._encoder.encode(good.with_columns(system))
