"""Types for the columns of a new table, out of every cell of the file, with the evidence.

A column gets the narrowest type that all its cells fit: BOOLEAN; INTEGER, BIGINT, NUMERIC,
DOUBLE PRECISION; DATE, TIMESTAMP, TIMESTAMPTZ; TIME; UUID; else TEXT. Stricter than the type
table, so that nothing is lost: digits with a leading zero or a plus sign are text (postcodes,
telephone numbers), 0 and 1 are numbers and no truth values, and what JSON has as a string is
neither number nor truth value. JSON is for columns that hold objects or arrays.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import polars as pl

from services.ingest.domain import ImportOptions
from services.ingest.judge.casting import TextRules, fast_cast, finish
from services.ingest.judge.exact import WHITE_SPACE, shown
from services.ingest.judge.notations import notation_of
from services.ingest.plan.columns import plan_to_infer
from services.ingest.plan.new_table import TypedColumn, new_names
from services.ingest.read.frame import Frame
from services.ingest.read.json.frames import NESTED
from services.ingest.read.source import Source
from shared.store.copying import ahead
from shared.values.notation import Notation
from shared.values.types import ColumnType, TypeName

SAMPLED_CELLS = 200
FAMILIES: tuple[tuple[TypeName, ...], ...] = (
    (TypeName.BOOLEAN,),
    (TypeName.INTEGER, TypeName.BIGINT, TypeName.NUMERIC, TypeName.DOUBLE),
    (TypeName.DATE, TypeName.TIMESTAMP, TypeName.TIMESTAMPTZ),
    (TypeName.TIME,),
    (TypeName.UUID,),
)
"""From narrow to wide within each."""
ORDER = tuple(kind for family in FAMILIES for kind in family)
_NUMBERS = frozenset(FAMILIES[1])
_LEADING_ZERO = r"^-?0[0-9]"
_WORDS = {
    TypeName.BOOLEAN: "is not a truth value",
    TypeName.INTEGER: "is not a whole number",
    TypeName.BIGINT: "is not a whole number",
    TypeName.NUMERIC: "is not a plain number",
    TypeName.DOUBLE: "is not a number",
    TypeName.DATE: "is not a date",
    TypeName.TIMESTAMP: "is not a timestamp",
    TypeName.TIMESTAMPTZ: "is not a timestamp",
    TypeName.TIME: "is not a time",
    TypeName.UUID: "is not a UUID",
}


@dataclass(frozen=True, slots=True)
class Against:
    """The first cell that ruled a type out."""

    line: int
    value: str
    reason: str

    def __str__(self) -> str:
        return f"line {self.line}: {shown(self.value)} {self.reason}"


@dataclass
class _Column:
    name: str
    alive: list[TypeName] = field(default_factory=lambda: list(ORDER))
    against: dict[TypeName, Against] = field(default_factory=dict)
    nested: Against | None = None
    cells: int = 0

    def rule_out(self, kind: TypeName, against: Against) -> None:
        self.alive.remove(kind)
        self.against[kind] = against

    def decide(self) -> tuple[TypeName, str]:
        """The type, and the evidence against the narrower one."""
        if self.nested is not None:
            return TypeName.JSON, str(self.nested)
        if not self.cells:
            return TypeName.TEXT, "no row has a value"
        if not self.alive:
            return TypeName.TEXT, str(self._most_telling())
        kind = self.alive[0]
        family = next(family for family in FAMILIES if kind in family)
        narrower = family[: family.index(kind)]
        if narrower:
            return kind, str(self.against[narrower[-1]])
        return kind, f"all {self.cells:,} values fit"

    def _most_telling(self) -> Against:
        """Of the types that held out longest: why a cell that looks like one of them is none."""
        line = max(against.line for against in self.against.values())
        last = [kind for kind in ORDER if self.against[kind].line == line]
        for kind in last:
            if self.against[kind].reason != _WORDS[kind]:
                return self.against[kind]
        first = self.against[last[0]]
        if any(set(last) <= set(family) for family in FAMILIES):
            return first
        return replace(first, reason="is no number, date, time, UUID or truth value")


async def infer(source: Source, options: ImportOptions) -> tuple[TypedColumn, ...]:
    """The types of the columns that a new table gets, out of the whole source.

    Raises as `new_names`, FileRefusedError, ReadAgainError.
    """
    columns = [_Column(name) for name in new_names(source, options)]
    notation = notation_of(options)
    async with ahead(source.frames(plan_to_infer(source))) as frames:
        async for frame in frames:
            await asyncio.to_thread(_narrow, columns, frame, options, notation)
    decided = [(column.name, *column.decide()) for column in columns]
    return tuple(
        TypedColumn(name, ColumnType(name=kind), because) for name, kind, because in decided
    )


def _narrow(
    columns: Sequence[_Column], frame: Frame, options: ImportOptions, notation: Notation
) -> None:
    nested = {
        fault.column: fault.row for fault in reversed(frame.faults) if fault.message == NESTED
    }
    for column in columns:
        cells = frame.cells[column.name]
        if column.name in nested and column.nested is None:
            row = nested[column.name]
            column.nested = Against(frame.lines[row], cells[row], "is an object or array")
        if column.nested is not None or (not column.alive and column.cells):
            continue
        if options.null_values:
            trimmed = cells.str.strip_chars(WHITE_SPACE)
            cells = cells.set(trimmed.is_in(list(options.null_values)), None)
        kept = cells.is_not_null() & (cells.str.strip_chars(WHITE_SPACE) != "")
        cells, lines = cells.filter(kept), frame.lines.filter(kept)
        column.cells += len(cells)
        if not len(cells):
            continue
        _rule_out_strings(column, frame)
        for part in (slice(0, SAMPLED_CELLS), slice(SAMPLED_CELLS, None)):
            for kind in tuple(column.alive):
                against = _against(kind, cells[part], lines[part], notation)
                if against is not None:
                    column.rule_out(kind, against)


def _rule_out_strings(column: _Column, frame: Frame) -> None:
    """What JSON has as a string is neither a number nor a truth value."""
    row = frame.strings.get(column.name)
    if row is None:
        return
    value = frame.cells[column.name][row] or ""
    for kind in tuple(column.alive):
        if kind in _NUMBERS or kind is TypeName.BOOLEAN:
            column.rule_out(kind, Against(frame.lines[row], value, "is a string in JSON"))


def _against(
    kind: TypeName, cells: pl.Series, lines: pl.Series, notation: Notation
) -> Against | None:
    """The first cell that does not fit a type, or None."""
    first: list[tuple[int, str]] = []
    if kind in _NUMBERS or kind is TypeName.BOOLEAN:
        trimmed = cells.str.strip_chars(WHITE_SPACE)
        doubtful = {
            "has a leading zero": (_LEADING_ZERO, kind in _NUMBERS),
            "has a plus sign": (r"^\+", kind in _NUMBERS),
            "is written with an exponent": ("[eE]", kind is TypeName.NUMERIC),
            "is a number": ("^[01]$", kind is TypeName.BOOLEAN),
        }
        for reason, (shape, matters) in doubtful.items():
            if matters:
                rows = trimmed.str.contains(shape).arg_true().head(1).to_list()
                first += [(row, reason) for row in rows]
    rules = TextRules(ColumnType(name=kind), notation)
    cast = cells.to_frame().select(fast_cast(cells, rules)).to_series()
    _, faults = finish(cells, cast, rules)
    if faults:
        worst = min(faults, key=lambda fault: fault.row)
        whole = kind in (TypeName.INTEGER, TypeName.BIGINT)
        too_large = whole and worst.code.value == "out_of_range"
        first.append((worst.row, f"is too large for {kind.value}" if too_large else _WORDS[kind]))
    if not first:
        return None
    row, reason = min(first)
    return Against(lines[row], cells[row], reason)
