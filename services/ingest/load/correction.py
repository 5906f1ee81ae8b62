"""Correction of an import: its refused rows, corrected, enter as rows of that import.

They are found by their lines and judged as the first file's rows were. What is in already is
skipped, under a lock of the first import's row: the same correction twice loads nothing twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Protocol

import polars as pl

from services.ingest.domain.options import ImportOptions, Mode
from services.ingest.domain.outcome import Outcome, RowCounts
from services.ingest.judge.judging import Judged
from services.ingest.load.append import append
from services.ingest.load.corrected_file import (
    LINE,
    Corrected,
    read_correction,
    refuse_unknown_lines,
)
from services.ingest.load.modes import Load, refuse_nothing
from services.ingest.load.outside import Outside
from services.ingest.load.reading import Reading
from services.ingest.load.readings import Readings, as_it_turns_out
from services.ingest.load.target import Target
from services.ingest.load.transaction import Transaction
from services.ingest.load.upsert import refuse_key, upsert
from services.ingest.plan.columns import ColumnPlan, plan_columns
from services.ingest.read.source import Source
from shared.store.copying import ahead
from shared.store.engine import RawConnection


class Ledger(Protocol):
    """Which refused rows of the first import are in."""

    async def open(self, connection: RawConnection) -> Sequence[int]:
        """Lock it until the end of the transaction; the lines that are in already."""
        ...

    async def add(self, connection: RawConnection, lines: Sequence[int]) -> None:
        """Note lines that are in now."""
        ...


@dataclass(frozen=True, slots=True)
class First:
    """The import that is corrected."""

    reading: Reading
    rejects: Source
    """Its report of refused rows."""
    ledger: Ledger
    keeps_absent: bool
    """Of an upsert from JSON: what a row leaves out leaves the record's value alone."""


async def correct(
    source: Source, first: First, outside: Outside, options: ImportOptions
) -> Outcome:
    """Load corrected rows.

    Raises as `read_correction` and `load_source`, and NoSuchRejectError for a line that was not
    refused.
    """
    contract = await outside.contract()
    reading = first.reading
    options = replace(options, mapping=reading.mapping)
    plan = plan_columns(reading, contract, options)
    if options.mode is Mode.UPSERT:
        refuse_key(options, contract)
    planned = {column.source: column for column in plan.columns}
    corrected = await as_it_turns_out(
        source, partial(read_correction, reading=reading, types=planned)
    )
    corrected = replace(
        await _over_refused(corrected, first.rejects), keeps_absent=first.keeps_absent
    )

    async def work(target: Target) -> Outcome:
        taken = await first.ledger.open(target.connection)
        rest = corrected.without(pl.Series(taken, dtype=pl.Int64))
        lines = _Lines()
        readings = _readings(rest, plan, options, outside, reading, lines)
        load = Load(target, readings)
        done = await (upsert(load) if options.mode is Mode.UPSERT else append(load))
        refuse_nothing(readings, done)
        await first.ledger.add(target.connection, lines.all.to_list())
        return Outcome(
            rows=RowCounts(
                read=corrected.lines.len(),
                loaded=done.inserted + done.updated,
                rejected=readings.report.rows,
                inserted=done.inserted,
                updated=done.updated,
                skipped=corrected.lines.len() - rest.lines.len(),
            ),
            bytes_read=corrected.size_bytes or 0,
            format=corrected.format,
            reasons=readings.report.reasons,
        )

    return await Transaction(outside, contract).run(work, restart=outside.rejects.restart)


@dataclass(slots=True)
class _Lines:
    """The lines of the rows that are in order."""

    series: list[pl.Series] = field(default_factory=list)

    async def restart(self) -> None:
        self.series.clear()

    async def add(self, judged: Judged) -> None:
        self.series.append(judged.lines)

    @property
    def all(self) -> pl.Series:
        return pl.concat(self.series) if self.series else pl.Series([], dtype=pl.Int64)


def _readings(
    source: Corrected,
    plan: ColumnPlan,
    options: ImportOptions,
    outside: Outside,
    reading: Reading,
    lines: _Lines,
) -> Readings:
    rules = reading.rules(plan.columns, source.format)
    readings = Readings.of(source, plan, options, outside, own=dict(rules.own), keeper=lines)
    return replace(readings, rules=rules, watches=False)


async def _over_refused(corrected: Corrected, rejects: Source) -> Corrected:
    """The correction over the rows that were refused; raises NoSuchRejectError."""
    names = [column.name for column in rejects.columns]
    # The report's own columns are its last.
    line = [name for name in names if name.partition("#")[0] == LINE][-1]
    plan = ColumnPlan((), tuple(names), originals={}, takes_unsplit=True)
    headings = dict(zip((column.name for column in corrected.columns), names, strict=False))
    lines: list[pl.Series] = []
    rows: list[pl.DataFrame] = []
    async with ahead(rejects.frames(plan)) as frames:
        async for frame in frames:
            numbers = frame.cells[line].cast(pl.Int64)
            lines.append(numbers)
            if corrected.given:
                cells = frame.cells.select(
                    pl.col(heading).alias(name) for name, heading in headings.items()
                ).with_columns(numbers.alias(LINE))
                rows.append(cells.filter(numbers.is_in(corrected.lines.implode())))
    refuse_unknown_lines(corrected.lines, pl.concat(lines))
    if not corrected.given:
        return corrected
    return corrected.over(pl.concat(rows).unique(LINE, keep="first").sort(LINE))
