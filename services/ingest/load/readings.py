"""One reading of a source from its start: frames judged, refused rows reported, progress told."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from services.ingest.domain import ImportOptions, OnError, Progress
from services.ingest.errors import RowRefusedError, TooManyErrorsError
from services.ingest.judge.judging import CellRules, Judged, judge
from services.ingest.load.duplicates import DuplicateLines, refuse_duplicates
from services.ingest.load.outside import Outside
from services.ingest.load.report import RejectReport
from services.ingest.read.ahead import ahead
from services.ingest.read.frame import Frame
from services.ingest.read.source import Source


@dataclass(slots=True)
class Reading:
    """What one pass has seen."""

    rows: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class Passes:
    """Reads a source as often as its load needs."""

    source: Source
    rules: CellRules
    options: ImportOptions
    outside: Outside
    report: RejectReport
    bytes_total: int | None

    async def judged(
        self, reading: Reading, duplicates: DuplicateLines | None = None
    ) -> AsyncIterator[Judged]:
        """The good rows of a pass that reports the others; empty frames are left out.

        Raises RowRefusedError, TooManyErrorsError.
        """
        async with ahead(self.source.frames()) as frames:
            async for frame in frames:
                judged = await asyncio.to_thread(judge, frame, self.rules)
                if duplicates is not None:
                    judged = await asyncio.to_thread(refuse_duplicates, frame, judged, duplicates)
                await self._note(reading, frame, judged)
                if judged.good.height:
                    yield judged

    async def silent(self) -> AsyncIterator[Judged]:
        """The good rows of a pass that reports nothing."""
        async with ahead(self.source.frames()) as frames:
            async for frame in frames:
                judged = await asyncio.to_thread(judge, frame, self.rules)
                if judged.good.height:
                    yield judged

    async def _note(self, reading: Reading, frame: Frame, judged: Judged) -> None:
        reading.rows += frame.rows
        reading.bytes = frame.bytes_read
        await self.report.add(judged.bad, frame.refused)
        # Told before anything is raised: a failed import says how many rows it saw and refused.
        self.outside.note_progress(
            Progress(
                rows_read=reading.rows,
                rows_rejected=self.report.rows,
                bytes_read=reading.bytes,
                bytes_total=self.bytes_total,
            )
        )
        if self.options.on_error is OnError.ABORT and self.report.rows:
            raise RowRefusedError(_first_reason(frame, judged))
        most = self.options.max_errors
        if most is not None and self.report.rows > most:
            raise TooManyErrorsError(
                f"more than {most} rows are bad (max_errors={most}); nothing was loaded"
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
