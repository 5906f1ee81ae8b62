"""Whether PostgreSQL would give every cell of a column back as it was written.

Only then a new table's column gets the type. What may differ: `T` for the blank in a timestamp,
zeros at the end of its fraction and of a DOUBLE's, seconds that are left out, and how a zone is
spelled.
"""

import math
import re
import uuid
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import polars as pl

from services.ingest.judge.casting import TextRules, fast_cast, finish
from services.ingest.judge.exact import shown
from shared.values.faults import Cause, Fault
from shared.values.grammar import Digits, Value, read
from shared.values.notation import TYPE_TABLE, Notation
from shared.values.types import (
    INTEGER_TYPES,
    NUMBER_TYPES,
    NUMERIC_SCALE_LIMIT,
    ColumnType,
    TypeName,
)

_DAY = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_CLOCK = r"[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6}0*)?)?"
_ZONE = "(?: ?(?:Z|UTC|[+-][0-9]{2}(?::?[0-9]{2})?(?: UTC)?))"
_WHOLE = "^(?:0|-?[1-9][0-9]*)$"
_SHAPES = {
    TypeName.INTEGER: _WHOLE,
    TypeName.BIGINT: _WHOLE,
    # No -0, which comes back as 0.
    TypeName.NUMERIC: r"^(?:-?[1-9][0-9]*(?:\.[0-9]+)?|-?0\.[0-9]*[1-9][0-9]*|0(?:\.0+)?)$",
    TypeName.DATE: f"^{_DAY}$",
    TypeName.TIMESTAMP: f"^(?:{_DAY}(?:[T ]{_CLOCK})?|-?infinity)$",
    TypeName.TIMESTAMPTZ: f"^(?:{_DAY}(?:[T ]{_CLOCK}{_ZONE}?)?|-?infinity)$",
    TypeName.TIME: f"^{_CLOCK}$",
    TypeName.UUID: "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
}
SURE_DIGITS = 15
"""A decimal of so many digits comes back from a DOUBLE as it was."""
_SURE_DOUBLE = rf"^-?(?:0|[1-9][0-9]{{0,{SURE_DIGITS - 1}}})(?:\.[0-9]+)?$"
_LEADING_ZERO = re.compile(r"-?0[0-9]+(?:\.[0-9]*)?", re.ASCII)
_PLUS = re.compile(r"\+[0-9 ()./-]+", re.ASCII)
_EXPONENT = re.compile("[+-]?[0-9.]+[eE][+-]?[0-9]+", re.ASCII)
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

_CAUSES = {Cause.DAY: "is no day of the calendar", Cause.CLOCK: "is no time of the day"}


@dataclass(frozen=True, slots=True)
class Against:
    """The first cell that ruled a type out."""

    line: int
    value: str
    reason: str

    def __str__(self) -> str:
        return f"line {self.line}: {shown(self.value)} {self.reason}"

    def is_plain_of(self, kind: TypeName) -> bool:
        """Whether it says no more than that the cell is none of the type."""
        return self.reason == _WORDS[kind]


def lossless(kind: TypeName, cells: pl.Series, lines: pl.Series) -> Against | None:
    """The first cell that the type would not give back; `cells` have no blanks around them."""
    if kind is TypeName.DOUBLE:
        return _double(cells, lines)
    wrong = (~cells.str.contains(_SHAPES[kind])).arg_true()
    if len(wrong):
        row = wrong[0]
    elif kind is TypeName.UUID or (kind is TypeName.NUMERIC and _are_short(cells)):
        row = None
    else:
        row = _first_unfit(kind, cells, TYPE_TABLE)
    return None if row is None else Against(lines[row], cells[row], reason(kind, cells[row]))


def _are_short(cells: pl.Series) -> bool:
    """Whether an unbounded NUMERIC holds them, whatever their digits are."""
    longest = cells.str.len_bytes().max()
    return longest is None or int(str(longest)) <= NUMERIC_SCALE_LIMIT


def fitting(
    kind: TypeName, cells: pl.Series, lines: pl.Series, notation: Notation
) -> Against | None:
    """The first cell that a type does not take in the notation that the caller named."""
    wrong: list[int] = []
    if kind in NUMBER_TYPES:
        wrong += cells.str.contains(r"^-?0[0-9]|^\+|[eE]").arg_true().head(1).to_list()
    if kind is TypeName.DATE:
        wrong += cells.str.contains(":", literal=True).arg_true().head(1).to_list()
    unfit = _first_unfit(kind, cells, notation)
    if unfit is not None:
        wrong.append(unfit)
    if not wrong:
        return None
    row = min(wrong)
    return Against(lines[row], cells[row], reason(kind, cells[row], notation))


def reason(kind: TypeName, text: str, notation: Notation = TYPE_TABLE) -> str:
    """Why a cell rules a type out."""
    if kind in NUMBER_TYPES and (doubt := _doubt(kind, text)):
        return doubt
    value = read(ColumnType(name=kind), text, notation)
    if isinstance(value, Fault):
        if kind in INTEGER_TYPES and value.cause is Cause.BOUNDS:
            return f"is too large for {kind.value}"
        return _CAUSES.get(value.cause, _WORDS[kind])
    back = _given_back(kind, value)
    return _WORDS[kind] if back is None else f"would come back as {back}"


def _given_back(kind: TypeName, value: Value) -> str | None:
    """A value as PostgreSQL writes it, of the types where that is told."""
    match value:
        case float():
            return double_text(value)
        case Digits():
            minus = value.minus and value.digits != ""
            return f"{Decimal((minus, tuple(map(int, value.digits)) or (0,), value.exponent)):f}"
        case bytes() if kind is TypeName.UUID:
            return str(uuid.UUID(bytes=value))
        case datetime():
            return f"{value}+00" if kind is TypeName.TIMESTAMPTZ else str(value)
    return None


def _doubt(kind: TypeName, text: str) -> str | None:
    if _LEADING_ZERO.fullmatch(text):
        return "has a leading zero"
    if _PLUS.fullmatch(text):
        return "has a plus sign"
    if kind is TypeName.NUMERIC and _EXPONENT.fullmatch(text):
        return "is written with an exponent"
    return None


def _first_unfit(kind: TypeName, cells: pl.Series, notation: Notation) -> int | None:
    rules = TextRules(ColumnType(name=kind), notation)
    cast = cells.to_frame().select(fast_cast(cells, rules)).to_series()
    _, faults = finish(cells, cast, rules)
    return min((fault.row for fault in faults), default=None)


def _double(cells: pl.Series, lines: pl.Series) -> Against | None:
    """Short plain decimals are sure to come back; the others are tried one by one."""
    digits = cells.str.replace_all(r"^-?0?\.?0*|\.", "").str.len_bytes()
    size = cells.cast(pl.Float64, strict=False).abs()
    sure = (
        cells.str.contains(_SURE_DOUBLE)
        & (digits <= SURE_DIGITS)
        & ((size == 0) | size.is_between(1e-4, 1e15, closed="left"))
    ).fill_null(value=False)
    for row in (~sure).arg_true().to_list():
        if not _comes_back(cells[row]):
            return Against(lines[row], cells[row], reason(TypeName.DOUBLE, cells[row]))
    return None


def _comes_back(text: str) -> bool:
    value = read(ColumnType(name=TypeName.DOUBLE), text)
    if isinstance(value, Fault):
        return False
    assert isinstance(value, float)
    return double_text(value) == _without_zeros(text)


def _without_zeros(text: str) -> str:
    """A number without the zeros at the end of its fraction; `1.` has none."""
    mantissa, mark, power = text.partition("e")
    if "." in mantissa and not mantissa.endswith("."):
        mantissa = mantissa.rstrip("0").rstrip(".")
    return mantissa + mark + power


def double_text(value: float) -> str:
    """A double as PostgreSQL writes it: the shortest digits that are no other double.

    Plain from 1e-4 up to below 1e15, else with an exponent of two digits or more, as in `1e+15`
    (`double_to_shortest_decimal` in d2s.c).
    """
    if math.isnan(value) or math.isinf(value):
        return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[str(value)]
    sign, digits, exponent = Decimal(repr(value)).as_tuple()
    assert isinstance(exponent, int)
    shown_digits = "".join(map(str, digits)).rstrip("0") or "0"
    exponent += len(digits) - len(shown_digits)
    minus, power = "-" * sign, len(shown_digits) + exponent - 1
    if shown_digits == "0":
        return f"{minus}0"
    if -5 < power < 15:
        return f"{minus}{Decimal((0, tuple(map(int, shown_digits)), exponent)):f}"
    fraction = f".{shown_digits[1:]}" if len(shown_digits) > 1 else ""
    return f"{minus}{shown_digits[0]}{fraction}e{'-' if power < 0 else '+'}{abs(power):02}"
