"""Frames judged by the table's columns: typed rows that fit, and reasons for those that do not."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from services.ingest.domain.outcome import RejectCode
from services.ingest.judge.casting import (
    Fault,
    TextRules,
    fast_cast,
    finish,
)
from services.ingest.judge.rules import rule_faults
from services.ingest.plan.columns import PlannedColumn
from services.ingest.plan.dtypes import dtype_of
from services.ingest.read.frame import Frame
from shared.values.notation import TYPE_TABLE, Notation

FAULT_SCHEMA = pl.Schema(
    {
        "row": pl.Int64(),
        "column": pl.String(),
        "code": pl.String(),
        "message": pl.String(),
        "value": pl.String(),
    }
)


@dataclass(frozen=True, slots=True)
class CellNotation:
    """How the cells of one column are written; `null_values` add to those of the import."""

    notation: Notation
    null_values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CellRules:
    """How all cells of one import are read."""

    columns: tuple[PlannedColumn, ...]
    null_values: tuple[str, ...] = ()
    notation: Notation = TYPE_TABLE
    own: Mapping[str, CellNotation] = field(default_factory=dict)
    """Source columns that are written in another way than the rest."""


@dataclass(frozen=True, slots=True)
class BadRows:
    """Rows that were split but do not fit.

    `cells`: the source's columns as they came. `lines`: `Int64`, as long as `cells`.
    `faults`: `FAULT_SCHEMA`, one per reason, in the order of rows and then of columns; `row`
    counts in `cells`, `value` is the cell's text.
    """

    cells: pl.DataFrame
    lines: pl.Series
    faults: pl.DataFrame


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of one frame.

    `good`: the table's columns with the dtypes of `dtype_of`; `lines`: `Int64`, as long; `rows`:
    for each good row its row of the frame.
    """

    good: pl.DataFrame
    lines: pl.Series
    rows: pl.Series
    bad: BadRows
    absent: pl.Series | None = None
    """Of an upsert, which columns each good row leaves out, as `load.staging` has it."""


def judge(frame: Frame, rules: CellRules) -> Judged:
    """Cast every planned column; a row with one bad cell is bad as a whole."""
    texts: dict[str, pl.Series | None] = {}
    known: dict[str, list[Fault]] = {}
    for column in rules.columns:
        text = _as_text(frame.cells[column.source], column)
        if text is not None and frame.may_hold_formulas:
            text = without_formulas(text)
        found = _source_faults(frame, column)
        if text is not None and frame.may_hold_nul:
            found += _nul_faults(text, found)
        if text is not None and found:  # what is refused already need not be read
            text = text.scatter([fault.row for fault in found], None)
        texts[column.source], known[column.source] = text, found
    text_frame = pl.DataFrame({name: text for name, text in texts.items() if text is not None})
    casts = text_frame.select(
        fast_cast(text, _text_rules(column, rules)).alias(column.source)
        for column in rules.columns
        if (text := texts[column.source]) is not None
    )
    columns: list[pl.Series] = []
    for column in rules.columns:
        text, found = texts[column.source], known[column.source]
        if text is None:
            cast = frame.cells[column.source]
        else:
            cast, refused = finish(text, casts[column.source], _text_rules(column, rules))
            found += refused
        found += _missing(cast, column, found)
        columns.append(cast.alias(column.target))
    typed = pl.DataFrame(columns)
    for source, broken in rule_faults(typed, frame.cells, rules.columns).items():
        known[source] += broken
    faults = [
        _fault_frame(found, frame.cells[column.source], column)
        for column in rules.columns
        if (found := known[column.source])
    ]
    return _divided(frame, typed, faults)


def _divided(frame: Frame, typed: pl.DataFrame, faults: list[pl.DataFrame]) -> Judged:
    height = frame.cells.height
    rows = pl.int_range(height, eager=True)
    if not faults:
        nothing = BadRows(frame.cells.clear(), frame.lines.clear(), FAULT_SCHEMA.to_frame())
        return Judged(typed, frame.lines, rows, nothing)
    # A stable sort keeps the reasons of one row in the order of the columns.
    found = pl.concat(faults).sort("row", maintain_order=True)
    bad_rows = found["row"].unique().sort()
    good = pl.repeat(value=True, n=height, dtype=pl.Boolean, eager=True).scatter(bad_rows, False)  # noqa: FBT003
    found = found.with_columns(row=bad_rows.search_sorted(found["row"]).cast(pl.Int64))
    bad = BadRows(frame.cells[bad_rows], frame.lines.gather(bad_rows), found)
    return Judged(typed.filter(good), frame.lines.filter(good), rows.filter(good), bad)


def _text_rules(column: PlannedColumn, rules: CellRules) -> TextRules:
    nulls = (*rules.null_values, *column.null_values)
    own = rules.own.get(column.source)
    if own is None:
        return TextRules(column.type, rules.notation, nulls)
    return TextRules(column.type, own.notation, (*nulls, *own.null_values))


def _as_text(series: pl.Series, column: PlannedColumn) -> pl.Series | None:
    """The column as text to be read, or None when it has its target's dtype already."""
    if series.dtype == pl.String:
        return series
    if series.dtype == dtype_of(column.type):
        return None
    if series.dtype == pl.Binary:
        return r"\x" + series.bin.encode("hex")
    if isinstance(series.dtype, pl.Datetime):
        spelled = "%Y-%m-%d %H:%M:%S%.6f"
        return series.dt.strftime(spelled + "Z" if series.dtype.time_zone else spelled)
    return series.cast(pl.String)


def are_formulas(cells: pl.Series) -> pl.Series:
    """Which cells are a text in a formula, `="00501"`: so spreadsheet programs keep its zeros."""
    return cells.str.contains('^="(?:[^"]|"")*"$')


def without_formulas(cells: pl.Series) -> pl.Series:
    """The cells, texts in formulas as the texts that they are."""
    formulas = are_formulas(cells)
    if not formulas.any():
        return cells
    texts = cells.str.slice(2).str.head(-1).str.replace_all('""', '"', literal=True)
    return texts.zip_with(formulas.fill_null(value=False), cells)


def _nul_faults(text: pl.Series, known: list[Fault]) -> list[Fault]:
    rows = text.str.contains("\0", literal=True).arg_true().to_list()
    message = "the character U+0000 cannot be stored"
    refused = {fault.row for fault in known}
    return [Fault(row, RejectCode.NUL_BYTE, message) for row in rows if row not in refused]


def _source_faults(frame: Frame, column: PlannedColumn) -> list[Fault]:
    return [
        Fault(fault.row, fault.code, fault.message)
        for fault in frame.faults
        if fault.column == column.source
    ]


def _missing(cast: pl.Series, column: PlannedColumn, found: list[Fault]) -> list[Fault]:
    """Nulls where there must be none, apart from cells that are refused already."""
    if column.nullable or not cast.null_count():
        return []
    refused = {fault.row for fault in found}
    message = f"{column.target} must not be empty"
    return [
        Fault(row, RejectCode.NOT_NULL, message)
        for row in cast.is_null().arg_true().to_list()
        if row not in refused
    ]


def _fault_frame(found: list[Fault], cells: pl.Series, column: PlannedColumn) -> pl.DataFrame:
    found.sort(key=lambda fault: fault.row)
    rows = pl.Series([fault.row for fault in found], dtype=pl.Int64)
    values = cells.gather(rows)
    return pl.DataFrame(
        {
            "row": rows,
            "column": pl.repeat(column.source, len(found), eager=True),
            "code": [fault.code.value for fault in found],
            "message": [fault.message for fault in found],
            "value": as_readable(values),
        },
        schema=FAULT_SCHEMA,
    )


def as_readable(cells: pl.Series) -> pl.Series:
    """Cells of any dtype as text for people."""
    if cells.dtype == pl.Binary:
        return r"\x" + cells.bin.encode("hex")
    return cells if cells.dtype == pl.String else cells.cast(pl.String)
