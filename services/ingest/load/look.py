"""A look at the head of a source: what it is and what would come of it; nothing is loaded.

The reading is the import's own: the same source, inference, plan and judgement, over fewer rows.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace

import polars as pl

from services.ingest.domain.options import ImportOptions
from services.ingest.domain.outcome import FormatFound
from services.ingest.errors import FileRefusedError
from services.ingest.judge.decimals import decided, may_have_commas
from services.ingest.judge.infer import infer
from services.ingest.judge.judging import CellNotation, CellRules, Judged, as_readable, judge
from services.ingest.judge.notations import notation_of, own_notations
from services.ingest.load.readings import as_it_turns_out, format_by_the_end
from services.ingest.plan.columns import ColumnPlan, Others, plan_columns, plan_to_infer
from services.ingest.plan.contracts import not_made
from services.ingest.plan.new_table import NewTable, TypedColumn, typed_columns
from services.ingest.plan.source_columns import SourceColumn, Ways
from services.ingest.read.frame import Frame, LeftOut
from services.ingest.read.source import ReadAgainError, Source
from shared.contracts.records import TableContract
from shared.values.types import ColumnType, TypeName

MOST_BYTES = 8 << 20
"""Of text, when it is decompressed."""
MOST_REFUSED = 100_000
"""Rows of a text that cannot be split; each takes many times its bytes."""
MOST_ROWS = 10_000
"""Of sources whose rows are not counted in bytes: workbooks, typed files, databases."""
EXAMPLES = 5
PROBLEMS = 100
NUMBERS = frozenset(
    {
        *(TypeName.SMALLINT, TypeName.INTEGER, TypeName.BIGINT, TypeName.NUMERIC),
        *(TypeName.REAL, TypeName.DOUBLE),
    }
)
TIMES = frozenset((TypeName.DATE, TypeName.TIME, TypeName.TIMESTAMP, TypeName.TIMESTAMPTZ))


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that would be refused; `line` is None where the file as a whole is meant."""

    line: int | None
    column: str | None
    code: str
    message: str
    value: str | None = None


@dataclass(frozen=True, slots=True)
class LookedColumn:
    """A column of the source, and where it goes; the numbers are those of the rows that were read.

    `name` and `type` are None for a column that goes nowhere. `min` and `max` are cells.
    """

    source: str
    name: str | None
    type: ColumnType | None
    because: str | None
    nulls: int
    distinct: int
    min: str | None
    max: str | None
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TableMatch:
    """The source's columns against the table's."""

    matched: tuple[str, ...]
    missing: tuple[str, ...]
    extra: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Look:
    """What the head of a source shows. `lines` are those of `rows`, whose cells are text."""

    format: FormatFound | None
    complete: bool
    rows_read: int
    columns: tuple[LookedColumn, ...]
    rows: tuple[tuple[str | None, ...], ...]
    lines: tuple[int, ...]
    problems: tuple[Problem, ...]
    table: TableMatch | None


async def look_at(
    source: Source, options: ImportOptions, contract: TableContract | None, *, rows: int
) -> Look:
    """Look at a source, for a table or (None) for one that would be made.

    Raises FileRefusedError where the source cannot be read at all.
    """
    proven: dict[str, CellNotation] = {}

    async def once(source: Source) -> Look:
        beginning = Beginning(source)
        problems: list[Problem] = []
        plan, typed = await _planned(beginning, options, contract, problems)
        seen = _Seen(plan, rows=rows, problems=problems)
        rules = CellRules(
            plan.columns,
            options.null_values,
            notation_of(options, source.format),
            {**own_notations(typed), **proven},
        )
        watches = contract is not None and may_have_commas(source.format, options)
        async for frame in beginning.frames(plan):
            judged = await asyncio.to_thread(judge, frame, rules)
            if watches and (notations := decided(judged.bad, rules)):
                proven.update(notations)
                raise ReadAgainError(source)
            await asyncio.to_thread(seen.add, frame, judged)
        return await asyncio.to_thread(
            seen.look,
            format_by_the_end(source.format, rules, seen.left_out),
            {column.name: column.because for column in typed}
            | {name: column.because for name, column in plan.renamed.items()},
            complete=beginning.complete,
            table=_match(plan, contract),
        )

    return await as_it_turns_out(source, once)


@dataclass(slots=True)
class Beginning:
    """The first rows of a source, as a source; `complete` once they turn out to be all."""

    source: Source
    complete: bool = True

    @property
    def columns(self) -> tuple[SourceColumn, ...]:
        """The source's."""
        return self.source.columns

    @property
    def ways(self) -> Ways:
        """The source's."""
        return self.source.ways

    @property
    def format(self) -> FormatFound | None:
        """The source's."""
        return self.source.format

    @property
    def size_bytes(self) -> int | None:
        """The source's."""
        return self.source.size_bytes

    async def frames(self, plan: ColumnPlan) -> AsyncIterator[Frame]:
        """The rows of the first 8 MiB of text, or the first 10,000 of any other source."""
        is_text = self.format is not None and self.format.name.is_text
        rows = refused = 0
        enough = False
        frames = self.source.frames(plan)
        async with aclosing(frames):  # type: ignore[type-var] # each is a generator
            async for frame in frames:
                if enough and frame.rows:
                    self.complete = False
                    return
                rows += frame.rows
                refused += len(frame.refused)
                yield frame
                if is_text:
                    # Not by bytes read: those of a compressed file are while its text is to come.
                    enough = frame.text_bytes >= MOST_BYTES or refused >= MOST_REFUSED
                elif rows >= MOST_ROWS:
                    size = self.size_bytes
                    self.complete = size is not None and frame.bytes_read >= size
                    return
        self.complete = True


async def _planned(
    source: Beginning,
    options: ImportOptions,
    contract: TableContract | None,
    problems: list[Problem],
) -> tuple[ColumnPlan, tuple[TypedColumn, ...]]:
    """The plan, and the columns of a table that would be made, with why each has its type."""
    try:
        if contract is not None:
            return plan_columns(source, contract, options, others=Others.IGNORED), ()
        typed = typed_columns(source, options)
        if typed is None:
            typed = await infer(source, options)
        table = NewTable.of(typed, source, options)
    except FileRefusedError as exc:
        faults = exc.errors or ()
        problems.extend(Problem(None, each.field, each.code, each.message) for each in faults)
        if not faults:
            problems.append(Problem(None, None, exc.code, exc.detail))
        return plan_to_infer(source), ()
    made = replace(options, mapping=table.mapping)
    plan = plan_columns(source, not_made(table.columns), made)
    return plan, table.typed


def _match(plan: ColumnPlan, contract: TableContract | None) -> TableMatch | None:
    if contract is None:
        return None
    matched = tuple(column.target for column in plan.columns)
    sources = {column.source for column in plan.columns}
    return TableMatch(
        matched=matched,
        missing=tuple(str(each.name) for each in contract.columns if each.name not in matched),
        extra=tuple(name for name in plan.originals or plan.names if name not in sources),
    )


@dataclass(slots=True)
class _Seen:
    """What the rows so far have shown."""

    plan: ColumnPlan
    rows: int
    problems: list[Problem]
    rows_read: int = 0
    left_out: LeftOut = field(default_factory=LeftOut)
    shown: list[tuple[str | None, ...]] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    texts: list[pl.DataFrame] = field(default_factory=list)
    typed: list[pl.DataFrame] = field(default_factory=list)
    good: list[pl.DataFrame] = field(default_factory=list)

    def add(self, frame: Frame, judged: Judged) -> None:
        """Count a frame's rows in."""
        self.rows_read += frame.rows
        self.left_out += frame.left_out
        texts = frame.cells.select(
            pl.col(name).map_batches(as_readable, return_dtype=pl.String)
            for name in frame.cells.columns
        )
        room = self.rows - len(self.shown)
        self.shown += texts.head(room).rows()
        self.lines += frame.lines.head(room).to_list()
        self.texts.append(texts)
        self.good.append(texts[judged.rows])
        self.typed.append(judged.good)
        self._report(frame, judged)

    def _report(self, frame: Frame, judged: Judged) -> None:
        room = PROBLEMS - len(self.problems)
        lines = judged.bad.lines.to_list()
        found = [
            Problem(lines[row], column, code, message, value)
            for row, column, code, message, value in judged.bad.faults.head(room).rows()
        ]
        found += [
            Problem(row.line, row.column, row.code.value, row.message, row.raw)
            for row in frame.refused[:room]
        ]
        found.sort(key=lambda problem: problem.line or 0)
        self.problems += found[:room]

    def look(
        self,
        format_found: FormatFound | None,
        because: dict[str, str],
        *,
        complete: bool,
        table: TableMatch | None,
    ) -> Look:
        """All of it."""
        planned = {column.source: column for column in self.plan.columns}
        texts = pl.concat(self.texts) if self.texts else None
        good = pl.concat(self.good) if self.good else None
        typed = pl.concat(self.typed) if self.typed else None
        columns = []
        for name in self.plan.names:
            column = planned.get(name)
            kind = None if column is None else column.type
            cells = pl.Series(dtype=pl.String) if texts is None else texts[name]
            least, most = None, None
            if column is not None and good is not None and typed is not None:
                least, most = _extremes(good[name], typed[column.target], column.type)
            filled = cells.drop_nulls()
            columns.append(
                LookedColumn(
                    source=name,
                    name=None if column is None else column.target,
                    type=kind,
                    because=because.get(name),
                    nulls=cells.null_count(),
                    distinct=filled.n_unique(),
                    min=least,
                    max=most,
                    examples=tuple(filled.unique(maintain_order=True).head(EXAMPLES).to_list()),
                )
            )
        return Look(
            format=format_found,
            complete=complete,
            rows_read=self.rows_read,
            columns=tuple(columns),
            rows=tuple(self.shown),
            lines=tuple(self.lines),
            problems=tuple(self.problems),
            table=table,
        )


def _extremes(
    cells: pl.Series, typed: pl.Series, kind: ColumnType
) -> tuple[str | None, str | None]:
    """The cells with the least and the greatest value; None for types without an order."""
    if kind.name in NUMBERS and typed.dtype == pl.Binary:
        order = cells.str.strip_chars().cast(pl.Float64, strict=False)
    elif kind.name in (*NUMBERS, *TIMES):
        order = typed
    elif kind.name in (TypeName.TEXT, TypeName.VARCHAR, TypeName.CHAR):
        order = cells
    else:
        return None, None
    places: Sequence[int | None] = (order.arg_min(), order.arg_max())
    least, most = (None if place is None else cells[place] for place in places)
    return least, most
