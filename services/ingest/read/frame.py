"""What every source yields, and all that the rest of the pipeline knows about sources."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import polars as pl

from services.ingest.domain.outcome import RejectCode


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """A row that could not be split or decoded: it has no cells, only its raw text."""

    line: int
    code: RejectCode
    message: str
    raw: str
    column: str | None = None


@dataclass(frozen=True, slots=True)
class CellFault:
    """A cell that its source already knows to be bad (a nested JSON value for a plain column)."""

    row: int
    """Row of the frame, from 0."""
    column: str
    code: RejectCode
    message: str


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What of a file is no row, counted."""

    blank_rows: int = 0
    repeated_headers: int = 0
    byte_order_marks: int = 0
    rule_lines: int = 0

    def __add__(self, other: "LeftOut") -> "LeftOut":
        return LeftOut(
            self.blank_rows + other.blank_rows,
            self.repeated_headers + other.repeated_headers,
            self.byte_order_marks + other.byte_order_marks,
            self.rule_lines + other.rule_lines,
        )


@dataclass(frozen=True, slots=True)
class Frame:
    """Some consecutive rows of a source.

    `cells`: one column per source column, named as in the source. Text sources give `String`
    columns (null where the cell was empty, "" where it was a quoted empty cell); typed sources
    (databases) give columns of the dtype that `cells.dtype_of` names for the target's type.
    `lines`: `Int64`, as long as `cells`; the physical line on which each row starts, or the
    row's number from 1 where there are no lines.
    """

    cells: pl.DataFrame
    lines: pl.Series
    refused: tuple[RefusedRow, ...] = ()
    faults: tuple[CellFault, ...] = ()
    strings: Mapping[str, int] = field(default_factory=dict)
    """JSON and sheets only: columns in which a cell was a text other than `NULL_WORDS`, and the
    first such row."""
    absent: Mapping[str, pl.Series] = field(default_factory=dict)
    """JSON only, where the plan asks for it: for columns that some rows leave out, which do."""
    may_hold_nul: bool = True
    """Whether some cell may hold U+0000; False spares the search for it."""
    may_hold_formulas: bool = False
    """Whether some cell may be a text in a formula, as in `="00501"`."""
    left_out: LeftOut = LeftOut()
    """What was left out since the frame before."""
    bytes_read: int = 0
    """Bytes of the stored source that were consumed up to the end of this frame."""
    text_bytes: int = 0
    """The same of a text, when it is decompressed; 0 for other sources."""

    @property
    def rows(self) -> int:
        """Rows of the source in this frame, refused ones included."""
        return self.cells.height + len(self.refused)

    def in_parts(self, height: int) -> "Iterator[Frame]":
        """The same in frames of so many rows, where no fact is about single rows of it."""
        told = self.faults or self.strings or self.absent
        if told or self.cells.height <= height:
            yield self
            return
        starts = range(0, self.cells.height, height)
        ends = [*(self.lines[start] for start in starts[1:]), None]
        begin = -1
        for start, end in zip(starts, ends, strict=True):
            yield replace(
                self,
                cells=self.cells.slice(start, height),
                lines=self.lines.slice(start, height),
                refused=tuple(
                    row for row in self.refused if begin <= row.line and (not end or row.line < end)
                ),
                left_out=LeftOut() if end else self.left_out,
            )
            begin = end or begin
