"""One reading of a source: frames judged, refused rows reported, progress noted."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Protocol, Self, TypeAlias, TypeVar

from services.ingest.domain.options import (
    ImportOptions,
    Mode,
    OnBlank,
    OnError,
)
from services.ingest.domain.outcome import FormatFound, Progress
from services.ingest.errors import RowRefusedError, TooManyErrorsError
from services.ingest.judge.decimals import Doubts, decided, may_have_commas
from services.ingest.judge.infer import infer
from services.ingest.judge.judging import CellNotation, CellRules, Judged, judge
from services.ingest.judge.notations import notation_of, told
from services.ingest.load.absent import absent_of
from services.ingest.load.duplicates import DuplicateLines, refuse_duplicates
from services.ingest.load.outside import Outside
from services.ingest.load.profiling import Profiler
from services.ingest.load.report import RejectReport
from services.ingest.plan.columns import ColumnPlan
from services.ingest.plan.new_table import TypedColumn
from services.ingest.read.frame import Frame, LeftOut
from services.ingest.read.source import ReadAgainError, Source
from shared.contracts.ingest import Profile
from shared.process.threads import beside_loop
from shared.store.copying import ahead, mapped

Item = TypeVar("Item")
Pair: TypeAlias = tuple[Frame, Judged]
ROWS_WHERE_BAD = 1 << 13


class Keeper(Protocol):
    """Keeps what the reading that counts judged to be good, beside the report of the rest."""

    async def restart(self) -> None:
        """Forget all: the source is read again."""
        ...

    async def add(self, judged: Judged) -> None:
        """Keep the good rows of a frame."""
        ...


@dataclass(slots=True)
class Seen:
    """What one reading has seen so far."""

    rows: int = 0
    bytes: int = 0
    left_out: LeftOut = field(default_factory=LeftOut)


@dataclass(frozen=True, slots=True)
class Readings:
    """Reads a source as often as its load needs."""

    source: Source
    plan: ColumnPlan
    rules: CellRules
    options: ImportOptions
    outside: Outside
    report: RejectReport
    own: dict[str, CellNotation]
    watches: bool
    """Whether refused cells may decide for decimal commas."""
    doubts: Doubts
    profiler: Profiler
    keeper: Keeper | None = None

    @classmethod
    def of(
        cls,
        source: Source,
        plan: ColumnPlan,
        options: ImportOptions,
        outside: Outside,
        *,
        own: dict[str, CellNotation],
        made: bool = False,
        keeper: Keeper | None = None,
    ) -> Self:
        """Readings with a new report; `own` are the source columns that are written otherwise.

        Where the table is not `made` for the file, cells may add to them.

        Raises OptionError as `notation_of`.
        """
        rules = CellRules(
            plan.columns, options.null_values, notation_of(options, source.format), own
        )
        return cls(
            source=source,
            plan=plan,
            rules=rules,
            doubts=Doubts(rules),
            own=own,
            watches=not made and may_have_commas(source.format, options),
            options=options,
            outside=outside,
            report=RejectReport(outside.rejects, plan.originals),
            profiler=Profiler(plan.columns),
            keeper=keeper,
        )

    async def restart(self) -> None:
        """Forget what was reported, profiled and kept: the source is read again."""
        self.doubts.restart()
        await self.report.restart()
        self.profiler.restart()
        if self.keeper is not None:
            await self.keeper.restart()

    async def judged(
        self, seen: Seen, duplicates: DuplicateLines | None = None
    ) -> AsyncIterator[Judged]:
        """The good rows of a reading that reports the others; empty frames are left out.

        Raises RowRefusedError, TooManyErrorsError, FileRefusedError, ReadAgainError.
        """
        async with self._each() as pairs:
            async for frame, each in pairs:
                judged = each
                if duplicates is not None:
                    judged = await asyncio.to_thread(refuse_duplicates, frame, judged, duplicates)
                await self._note(seen, frame, judged)
                if self.keeper is not None:
                    await self.keeper.add(judged)
                if judged.good.height:
                    size_bytes = judged.good.estimated_size()
                    await beside_loop(size_bytes, self.profiler.add, judged.good)
                    del frame, each  # else its cells would stay in memory while the rows wait
                    yield judged
                del judged

    async def profile(self) -> Profile | None:
        """The profile of the rows that `judged` gave; None where it gave none."""
        return await asyncio.to_thread(self.profiler.profile)

    @asynccontextmanager
    async def _each(self, *, reports: bool = True) -> AsyncIterator[AsyncIterator[Pair]]:
        source = self.source.frames(self.plan)
        async with ahead(in_parts_where_bad(source, self.report) if reports else source) as frames:
            yield mapped(self._judge_and_report if reports else self._judge, frames)

    async def _judge(self, frame: Frame) -> Pair:
        return frame, await beside_loop(frame.cells.estimated_size(), judge, frame, self.rules)

    async def _judge_and_report(self, frame: Frame) -> Pair:
        _, judged = await self._judge(frame)
        await self._decide(frame, judged)
        return frame, await self._with_absent(frame, judged)

    async def _decide(self, frame: Frame, judged: Judged) -> None:
        """Begin again where a refused cell proves how its column is written."""
        if not self.watches:
            return
        found = decided(judged.bad, self.rules)
        if found:
            self.own.update(found)
            raise ReadAgainError(self.source)
        await beside_loop(frame.cells.estimated_size(), self.doubts.note, frame)

    async def _with_absent(self, frame: Frame, judged: Judged) -> Judged:
        keeps_blank = self.options.on_blank is OnBlank.KEEP
        if self.options.mode is not Mode.UPSERT or not (keeps_blank or frame.absent):
            return judged
        absent = await asyncio.to_thread(
            absent_of, frame, judged, self.plan.columns, keeps_blank=keeps_blank
        )
        return replace(judged, absent=absent)

    async def unreported(self) -> AsyncIterator[Judged]:
        """The good rows of a reading that reports nothing."""
        async with self._each(reports=False) as pairs:
            async for _, judged in pairs:
                if judged.good.height:
                    yield judged

    async def _note(self, seen: Seen, frame: Frame, judged: Judged) -> None:
        seen.rows += frame.rows
        seen.bytes = frame.bytes_read
        seen.left_out += frame.left_out
        await self.report.add(judged.bad, frame.refused)
        # Before anything is raised: a failed import says how many rows it saw and refused.
        self.outside.note_progress(
            Progress(
                rows_read=seen.rows,
                rows_rejected=self.report.rows,
                bytes_read=seen.bytes,
                bytes_total=self.source.size_bytes,
                reasons=self.report.reasons,
            )
        )
        if self.options.on_error is OnError.ABORT and self.report.rows:
            raise RowRefusedError(_first_reason(frame, judged))
        most = self.options.max_errors
        if most is not None and self.report.rows > most:
            raise TooManyErrorsError(
                f"more than {most} rows are bad (max_errors={most}); nothing was loaded"
            )


async def in_parts_where_bad(
    frames: AsyncIterator[Frame], report: RejectReport
) -> AsyncIterator[Frame]:
    """The frames, smaller ones where most rows are refused: a reason takes more than its row."""
    rows = 0
    async for frame in frames:
        bad = report.rows * 2 > rows > 0
        rows += frame.rows
        for part in frame.in_parts(ROWS_WHERE_BAD) if bad else (frame,):
            yield part


async def inferred_types(
    source: Source, options: ImportOptions, outside: Outside
) -> tuple[TypedColumn, ...]:
    """The types of columns to be made, noting how far the source is read; raises as `infer`."""
    return await infer(
        source,
        options,
        note_bytes=lambda size: outside.note_progress(Progress(0, 0, size, source.size_bytes)),
    )


async def as_it_turns_out(
    source: Source,
    work: Callable[[Source], Awaitable[Item]],
    *,
    restart: Callable[[], Awaitable[None]] | None = None,
) -> Item:
    """What `work` makes of a source, begun again as often as the head of the source misled.

    `restart` comes before every further try.
    """
    while True:
        try:
            return await work(source)
        except ReadAgainError as again:
            source = again.source
            if restart is not None:
                await restart()


def format_by_the_end(
    form: FormatFound | None, rules: CellRules, left_out: LeftOut
) -> FormatFound | None:
    """What a file turned out to be, with how its cells were read and what was left out of it."""
    form = told(form, rules)
    return form and replace(
        form,
        blank_rows=left_out.blank_rows,
        repeated_headers=left_out.repeated_headers,
        byte_order_marks=left_out.byte_order_marks,
        rule_lines=left_out.rule_lines,
    )


def _first_reason(frame: Frame, judged: Judged) -> str:
    bad = judged.bad
    reasons = [(row.line, None, row.message) for row in frame.refused[:1]]
    if bad.lines.len():
        fault = bad.faults.row(0, named=True)
        reasons.append((bad.lines[0], fault["column"], fault["message"]))
    line, column, message = min(reasons, key=lambda reason: reason[0])
    where = f"line {line}" if column is None else f"line {line}, column {column}"
    return f"{where}: {message}; nothing was loaded (on_error=abort)"
