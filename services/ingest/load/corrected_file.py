"""A correction as it came: read whole, in the order of its lines, under the first file's names.

The rows of a JSON file are laid over the rows that were refused: what one leaves out stays as it
was. Any other file has all the columns that go into the table, as the report of refused rows has.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace

import polars as pl

from services.ingest.domain.outcome import FormatFound
from services.ingest.errors import (
    CorrectionRefusedError,
    MissingColumnError,
    NoSuchRejectError,
    UnknownColumnError,
)
from services.ingest.load.reading import Reading
from services.ingest.plan.columns import ColumnPlan, PlannedColumn
from services.ingest.plan.names import REPORT_COLUMNS, listed, refuse_collisions
from services.ingest.plan.source_columns import SourceColumn, Ways
from services.ingest.read.frame import CellFault, Frame
from services.ingest.read.source import Source
from shared.store.copying import ahead

LINE, RAW = REPORT_COLUMNS[0], REPORT_COLUMNS[-1]
LARGEST_BYTES = 256 * 1024 * 1024
"""Of the cells of a correction, which are held in memory."""
FRAME_ROWS = 50_000
_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Corrected:
    """Corrected rows in the order of their lines, as a source.

    `cells`: the first file's columns by their names. `given`: of a JSON file, for each column that
    some row leaves out, which rows hold it.
    """

    format: FormatFound | None
    size_bytes: int | None
    columns: tuple[SourceColumn, ...]
    lines: pl.Series
    cells: pl.DataFrame
    faults: tuple[CellFault, ...] = ()
    given: Mapping[str, pl.Series] = field(default_factory=dict)
    keeps_absent: bool = False
    """Cells that are empty and that nobody gave leave the record's value alone."""
    may_hold_formulas: bool = False

    @property
    def ways(self) -> Ways:
        """Every column is planned already."""
        return Ways()

    def without(self, lines: pl.Series) -> "Corrected":
        """The same but for the rows of these lines."""
        kept = ~self.lines.is_in(lines.implode())
        if kept.all():
            return self
        places = (kept.cum_sum().cast(pl.Int64) - 1).to_list()
        return replace(
            self,
            lines=self.lines.filter(kept),
            cells=self.cells.filter(kept),
            faults=tuple(replace(f, row=places[f.row]) for f in self.faults if kept[f.row]),
            given={name: marks.filter(kept) for name, marks in self.given.items()},
        )

    def over(self, refused: pl.DataFrame) -> "Corrected":
        """The same with what its rows leave out taken from the rows that were refused.

        `refused`: `_line` and the columns, of these lines and in their order.
        """
        cells = [
            cell
            if (marks := self.given.get(cell.name)) is None
            else cell.zip_with(marks, refused[cell.name])
            for cell in self.cells
        ]
        return replace(self, cells=pl.DataFrame(cells))

    async def frames(self, plan: ColumnPlan) -> AsyncIterator[Frame]:
        """The rows in pieces."""
        for start in range(0, self.lines.len(), FRAME_ROWS):
            yield await asyncio.to_thread(self._frame, plan, start)

    def _frame(self, plan: ColumnPlan, start: int) -> Frame:
        cells = self.cells.select(plan.names)[start : start + FRAME_ROWS]
        size = self.size_bytes or 0
        return Frame(
            cells=cells,
            lines=self.lines[start : start + FRAME_ROWS],
            faults=tuple(
                replace(fault, row=fault.row - start)
                for fault in self.faults
                if start <= fault.row < start + FRAME_ROWS
            ),
            absent=self._absent(cells, start) if self.keeps_absent else {},
            may_hold_formulas=self.may_hold_formulas,
            bytes_read=size * min(start + FRAME_ROWS, self.lines.len()) // self.lines.len(),
        )

    def _absent(self, cells: pl.DataFrame, start: int) -> dict[str, pl.Series]:
        absent: dict[str, pl.Series] = {}
        for cell in cells:
            mark = cell.is_null()
            if (marks := self.given.get(cell.name)) is not None:
                mark &= ~marks[start : start + FRAME_ROWS]
            elif self.given:
                continue  # every row holds it
            if mark.any():
                absent[cell.name] = mark
        return absent


async def read_correction(
    source: Source, reading: Reading, types: Mapping[str, PlannedColumn]
) -> Corrected:
    """Read a corrected file; `types` are the columns that go into the table, by name.

    Raises HeaderError for columns that are missing, unknown or there twice, NoSuchRejectError for
    a row without a line, CorrectionRefusedError for one that cannot be read or whose line another
    has, and ReadAgainError.
    """
    names = _names(source, reading, types)
    plan = _plan(source, names, types, reading)
    pieces: list[Frame] = []
    size = 0.0
    async with ahead(source.frames(plan)) as frames:
        async for frame in frames:
            if frame.refused:
                first = frame.refused[0]
                raise CorrectionRefusedError(
                    f"line {first.line} of the corrected file cannot be read: {first.message}"
                )
            size += frame.cells.estimated_size()
            if size > LARGEST_BYTES:
                raise CorrectionRefusedError(
                    "a correction is held in memory, and this one is too large for it: send it"
                    " in parts"
                )
            pieces.append(_moved(frame, source, names))
    return await asyncio.to_thread(_put_together, source, reading, names, pieces)


def _names(source: Source, reading: Reading, types: Mapping[str, PlannedColumn]) -> dict[str, str]:
    """Column of the corrected file → column of the first file, or `_line`."""
    names: dict[str, str] = {}
    unknown: list[str] = []
    columns = [column.name for column in source.columns]
    own = _report_places(columns)
    for at, name in enumerate(columns):
        if at in own:
            if own[at] == LINE:
                names[name] = LINE
        elif (original := reading.named(name)) is not None:
            names[name] = original
        else:
            unknown.append(name)
    if unknown:
        raise UnknownColumnError.of_columns(
            f"the corrected file has {listed(unknown)}, which the first one had not",
            unknown,
            "is no column of the import",
        )
    refuse_collisions(names)
    open_ended = source.ways.open_ended
    needed = [LINE] if open_ended else [LINE, *types]
    missing = [name for name in needed if name not in names.values()]
    if missing:
        raise MissingColumnError.of_columns(
            f"the corrected file lacks {listed(missing)}: send all columns of the rejects file",
            missing,
            "is missing from the corrected file",
        )
    return names


def _report_places(columns: list[str]) -> dict[int, str]:
    """Where the report's own columns are: the last of their names, where several have one."""
    places: dict[str, int] = {}
    for at, name in enumerate(columns):
        word, _, count = name.partition("#")
        if word in REPORT_COLUMNS and (not count or count.isdecimal()):
            places[word] = at
    return {at: name for name, at in places.items()}


def _plan(
    source: Source,
    names: Mapping[str, str],
    types: Mapping[str, PlannedColumn],
    reading: Reading,
) -> ColumnPlan:
    columns = tuple(
        replace(types[original], source=name)
        for name, original in names.items()
        if original in types
    )
    read = tuple(column.name for column in source.columns)
    known = {each.name for each in reading.read} | {
        each.target for each in reading.read if each.target is not None
    }
    late = frozenset((known | set(REPORT_COLUMNS)) - set(read))
    return ColumnPlan(
        columns,
        read,
        originals={},
        late=late,
        tells_absent=source.ways.open_ended,
        takes_unsplit=True,
    )


def _moved(frame: Frame, source: Source, names: Mapping[str, str]) -> Frame:
    """A frame without rows that still stand in `_raw`: nobody has corrected them."""
    own = _report_places([column.name for column in source.columns])
    raw = [source.columns[at].name for at, name in own.items() if name == RAW]
    if not raw or source.ways.open_ended:
        return frame
    cells = [name for name, original in names.items() if original != LINE]
    unmoved = frame.cells.select(
        pl.col(raw[0]).is_not_null()
        & (pl.col(raw[0]).cast(pl.String) != "")
        & pl.all_horizontal(pl.col(cells).is_null())
    ).to_series()
    if not unmoved.any():
        return frame
    places = (~unmoved).cum_sum().cast(pl.Int64) - 1
    return replace(
        frame,
        cells=frame.cells.filter(~unmoved),
        lines=frame.lines.filter(~unmoved),
        faults=tuple(replace(f, row=places[f.row]) for f in frame.faults if not unmoved[f.row]),
    )


def _put_together(
    source: Source, reading: Reading, names: Mapping[str, str], pieces: list[Frame]
) -> Corrected:
    cells = pl.concat([frame.cells for frame in pieces]) if pieces else pl.DataFrame()
    height = cells.height
    by_original = {original: name for name, original in names.items()}
    lines = _lines(cells[by_original[LINE]]) if pieces else pl.Series([], dtype=pl.Int64)
    _refuse_several(lines)
    order = lines.arg_sort()
    place = order.arg_sort().to_list()
    columns = [
        (
            cells[by_original[each.name]]
            if pieces and each.name in by_original
            else _nothing(height)
        ).alias(each.name)
        for each in reading.read
    ]
    given: dict[str, pl.Series] = {}
    if source.ways.open_ended:
        for each in reading.read:
            marks = _given(pieces, by_original.get(each.name), height)
            given[each.name] = marks[order]
    offset, faults = 0, []
    for frame in pieces:
        faults += [
            CellFault(place[offset + f.row], names[f.column], f.code, f.message)
            for f in frame.faults
            if f.column in names
        ]
        offset += frame.cells.height
    return Corrected(
        format=source.format,
        size_bytes=source.size_bytes,
        columns=reading.columns,
        lines=lines[order],
        cells=pl.DataFrame(columns)[order],
        faults=tuple(faults),
        given=given,
        may_hold_formulas=any(frame.may_hold_formulas for frame in pieces),
    )


def _nothing(height: int) -> pl.Series:
    return pl.Series([None], dtype=pl.String).new_from_index(0, height)


def _given(pieces: list[Frame], name: str | None, height: int) -> pl.Series:
    if name is None:
        return pl.repeat(value=False, n=height, dtype=pl.Boolean, eager=True)
    marks = [
        pl.repeat(value=True, n=frame.cells.height, dtype=pl.Boolean, eager=True)
        if (absent := frame.absent.get(name)) is None
        else ~absent
        for frame in pieces
    ]
    return pl.concat(marks) if marks else pl.Series([], dtype=pl.Boolean)


def _lines(cells: pl.Series) -> pl.Series:
    """The lines as numbers; raises NoSuchRejectError for a cell that is none."""
    if cells.dtype == pl.String:
        text = cells.str.strip_chars().str.replace(r"\.0+$", "")
        lines = text.cast(pl.Int64, strict=False)
    else:
        lines = cells.cast(pl.Int64, strict=False)
    if lines.null_count():
        cell = cells.filter(lines.is_null())[0]
        what = "has no _line" if cell is None else f"has the _line {cell!s:.50}, which is no number"
        raise NoSuchRejectError(f"a row of the correction {what}: each has that of its reject")
    return lines


def _refuse_several(lines: pl.Series) -> None:
    twice = lines.filter(lines.is_duplicated()).unique().sort()
    if twice.len():
        raise CorrectionRefusedError(f"more than one row of the correction is of line {twice[0]}")


def refuse_unknown_lines(lines: pl.Series, refused: pl.Series) -> None:
    """Raise NoSuchRejectError unless all of the lines are among those that were refused."""
    strange = lines.filter(~lines.is_in(refused.implode()))
    if strange.len():
        raise NoSuchRejectError.of_lines(strange.head(_SHOWN).to_list(), strange.len())
