"""Commit of a rehearsal: the rows that a dry run judged enter the table as it said, or none do.

The source is not read again. The table is compared with the one of the dry run before anything is
done, the counts after everything is; a difference rolls everything back.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field

from services.ingest.domain.options import ImportOptions, Mode
from services.ingest.domain.outcome import FormatFound, Outcome, Progress, RowCounts
from services.ingest.errors import NotAsRehearsedError
from services.ingest.judge.judging import Judged
from services.ingest.load.load import MODES
from services.ingest.load.modes import Load
from services.ingest.load.outside import Outside
from services.ingest.load.readings import Pair, Readings, Seen
from services.ingest.load.rehearsal import Bound, KeptRows
from services.ingest.load.target import Target
from services.ingest.load.transaction import Transaction
from services.ingest.plan.columns import ColumnPlan
from services.ingest.plan.source_columns import SourceColumn, Ways
from services.ingest.read.frame import Frame
from shared.contracts.problem import FieldError
from shared.contracts.records import ColumnContract, TableContract

COUNTS = ("rejected", "inserted", "updated", "deleted")
"""What may come out otherwise than rehearsed."""


@dataclass(frozen=True, slots=True)
class RehearsedSource:
    """Rows of a rehearsal in place of the source that they came from."""

    rows: KeptRows
    size_bytes: int

    @property
    def columns(self) -> tuple[SourceColumn, ...]:
        """The source's columns that go into the table."""
        return tuple(SourceColumn(each.source, each.type) for each in self.rows.bound.columns)

    @property
    def ways(self) -> Ways:
        """Every column is planned already."""
        return Ways()

    @property
    def format(self) -> FormatFound | None:
        """Nothing is read."""
        return None

    async def frames(self, _plan: ColumnPlan) -> AsyncGenerator[Frame, None]:
        """The rows; `RehearsedReadings` takes them with their judgement."""
        async with aclosing(self.rows.judged()) as pairs:
            async for frame, _ in pairs:
                yield frame


@dataclass(slots=True)
class Refused:
    """Rows that were good when they were rehearsed and are not now."""

    rows: int = 0
    first: str | None = None


@dataclass(frozen=True, slots=True)
class RehearsedReadings(Readings):
    """Readings of rows that were judged already; what is refused now is counted, not reported."""

    refused: Refused = field(default_factory=Refused)

    async def restart(self) -> None:
        """Forget what was refused: the rows are read again."""
        self.refused.rows, self.refused.first = 0, None
        self.profiler.restart()

    @asynccontextmanager
    async def _each(self, *, reports: bool = True) -> AsyncIterator[AsyncIterator[Pair]]:
        del reports
        assert isinstance(self.source, RehearsedSource)
        async with aclosing(self.source.rows.judged()) as pairs:
            yield pairs

    async def _note(self, seen: Seen, frame: Frame, judged: Judged) -> None:
        seen.rows += frame.rows
        seen.bytes = frame.bytes_read
        bad = judged.bad
        if bad.lines.len():
            self.refused.rows += bad.lines.len()
            fault = bad.faults.row(0, named=True)
            self.refused.first = self.refused.first or f"line {bad.lines[0]}: {fault['message']}"
        self.outside.note_progress(Progress(seen.rows, 0, seen.bytes, self.source.size_bytes))


async def commit(
    rows: KeptRows,
    size_bytes: int,
    outside: Outside,
    options: ImportOptions,
    rehearsed: Outcome,
    *,
    before_fence: Callable[[], Awaitable[None]],
) -> Outcome:
    """Load the rows of a rehearsal; `rehearsed` is what it said.

    `before_fence` is awaited once everything is as rehearsed. Raises NotAsRehearsedError, and as
    `load_source`.
    """
    bound = rows.bound
    if bound.content_sha256 != outside.content_sha256:
        raise NotAsRehearsedError("the rows that are kept are those of another file")
    contract = await _contract(bound, outside)
    source = RehearsedSource(rows, size_bytes)
    readings = _readings(source, outside, options)

    async def work(target: Target) -> Outcome:
        done = await MODES[options.mode](Load(target, readings))
        now = RowCounts(
            read=rehearsed.rows.read,
            loaded=done.inserted + done.updated,
            rejected=rehearsed.rows.rejected + readings.refused.rows,
            inserted=done.inserted,
            updated=done.updated,
            deleted=done.deleted,
        )
        _refuse_other_counts(rehearsed.rows, now, readings.refused.first)
        await before_fence()
        return Outcome(
            rows=now,
            bytes_read=size_bytes,
            format=rehearsed.format,
            inferred=rehearsed.inferred,
            reasons=rehearsed.reasons,
            reading=rehearsed.reading,
            profile=await readings.profile(),
        )

    return await Transaction(outside, contract, alone=options.mode is Mode.REPLACE).run(
        work, restart=readings.restart
    )


def _readings(
    source: RehearsedSource, outside: Outside, options: ImportOptions
) -> RehearsedReadings:
    columns = source.rows.bound.columns
    plan = ColumnPlan(columns, tuple(column.source for column in columns), originals={})
    return RehearsedReadings.of(source, plan, options, outside, own={})


async def _contract(bound: Bound, outside: Outside) -> TableContract:
    """The table's contract, the same as when it was rehearsed; the table is made where it was."""
    if bound.contract is None:
        return await outside.make_table(bound.new_columns)
    contract = await outside.contract()
    difference = first_difference(bound.contract, contract)
    if difference is not None:
        raise NotAsRehearsedError(f"{difference}; nothing was loaded")
    return contract


def first_difference(then: TableContract, now: TableContract) -> str | None:
    """In words, what of a table was changed since a contract of it was made; None for nothing."""
    if then.oid != now.oid:
        return f"the table {now.table} was dropped and made again since"
    after = {column.name: column for column in now.columns}
    for column in then.columns:
        difference = _changed(column, after.pop(column.name, None))
        if difference is not None:
            return difference
    if after:
        return f"the table has a new column {next(iter(after))}"
    before, keys = _unique(then), _unique(now)
    for key in sorted(before ^ keys):
        return f"{', '.join(key)} {'is unique now' if key in keys else 'was unique then'}"
    return None


def _changed(then: ColumnContract, now: ColumnContract | None) -> str | None:
    if now is None or now.attnum != then.attnum:
        return f"the table had a column {then.name} then, and has it no more"
    if now.type != then.type:
        return f"{then.name} was {then.type.spelled()} then, and is {now.type.spelled()} now"
    if now.nullable != then.nullable:
        return f"{then.name} {'may' if now.nullable else 'must not'} be empty now"
    if now.has_default != then.has_default:
        return f"{then.name} has {'a' if now.has_default else 'no'} default now"
    return None if now == then else f"the rules of {then.name} were changed"


def _unique(contract: TableContract) -> set[tuple[str, ...]]:
    return {tuple(sorted(key.columns)) for key in contract.unique_keys}


def _refuse_other_counts(then: RowCounts, now: RowCounts, first: str | None) -> None:
    if now == then:
        return
    counts = {name: (getattr(then, name), getattr(now, name)) for name in COUNTS}
    errors = [
        FieldError(
            field=name,
            code=NotAsRehearsedError.code,
            message=f"{before:,} when it was rehearsed, {after:,} now",
        )
        for name, (before, after) in counts.items()
        if before != after
    ]
    said = "; ".join(f"{error.field}: {error.message}" for error in errors)
    raise NotAsRehearsedError(
        f"{said}{'' if first is None else f'; first {first}'}; nothing was loaded", errors=errors
    )
