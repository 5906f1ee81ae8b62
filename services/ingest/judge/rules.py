"""Rules of columns, judged on typed columns before the COPY where that is certain.

Limits and choices of NUMERIC without precision, choices of INTERVAL and references are left to
PostgreSQL, which holds every rule (`load.staging`).
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

import polars as pl

from services.ingest.domain.outcome import RejectCode
from services.ingest.judge.casting import Fault
from services.ingest.judge.exact import CellReader, CellValue
from services.ingest.plan.columns import PlannedColumn
from services.ingest.plan.dtypes import LATEST_US, dtype_of
from shared.values.rule_checks import pattern_of
from shared.values.rules import BOUNDS, CODES, ColumnRules, RuleName, message_of
from shared.values.types import TIMESTAMP_TYPES, ColumnType, TypeName

Passes = Callable[[pl.Expr], pl.Expr]
"""Whether the values of a typed column pass; null where a value is null."""

_COMPARED: Mapping[RuleName, Callable[[pl.Expr, pl.Expr], pl.Expr]] = {
    RuleName.MIN: lambda value, limit: value >= limit,
    RuleName.EXCLUSIVE_MIN: lambda value, limit: value > limit,
    RuleName.MAX: lambda value, limit: value <= limit,
    RuleName.EXCLUSIVE_MAX: lambda value, limit: value < limit,
}
_LOWER = (RuleName.MIN, RuleName.EXCLUSIVE_MIN)


@lru_cache(maxsize=1000)
def judged_here(kind: ColumnType, rules: ColumnRules) -> tuple[tuple[RuleName, Passes], ...]:
    """The rules of a column that a frame is judged by."""
    return tuple(
        (rule, passes)
        for rule, value in rules.given()
        if (passes := _passes(kind, rule, value)) is not None
    )


def left_to_postgresql(kind: ColumnType, rules: ColumnRules) -> tuple[RuleName, ...]:
    """The rules of a column that are not judged here."""
    here = {rule for rule, _ in judged_here(kind, rules)}
    return tuple(rule for rule, _ in rules.given() if rule not in here)


def rule_faults(
    typed: pl.DataFrame, cells: pl.DataFrame, columns: Sequence[PlannedColumn]
) -> Mapping[str, list[Fault]]:
    """Source column → its cells that break a rule; `typed` has the table's columns."""
    checks = [
        (column, rule, passes(pl.col(column.target)))
        for column in columns
        for rule, passes in judged_here(column.type, column.rules)
    ]
    if not checks:
        return {}
    passed = typed.select(check.alias(str(at)) for at, (_, _, check) in enumerate(checks))
    faults: dict[str, list[Fault]] = {}
    for (column, rule, _), passes in zip(checks, passed.get_columns(), strict=True):
        if not passes.all():
            rows = (~passes).arg_true()
            found = _faults(rows, rule, column, cells[column.source])
            faults.setdefault(column.source, []).extend(found)
    return faults


def _faults(
    rows: pl.Series, rule: RuleName, column: PlannedColumn, cells: pl.Series
) -> list[Fault]:
    code = RejectCode(CODES[rule].value)
    if rule is not RuleName.ENUM:
        message = message_of(rule, column.rules)
        return [Fault(row, code, message) for row in rows.to_list()]
    # Each choice is compared for the nearest, so each text is looked at once.
    texts = cells.gather(rows).cast(pl.String, strict=False).to_list()
    messages = {text: message_of(rule, column.rules, text) for text in set(texts)}
    return [
        Fault(row, code, messages[text]) for row, text in zip(rows.to_list(), texts, strict=True)
    ]


def _passes(kind: ColumnType, rule: RuleName, value: object) -> Passes | None:
    if rule in BOUNDS:
        return _bound(kind, rule, str(value))
    match rule:
        case RuleName.MIN_LENGTH:
            return lambda column: _unpadded(kind, column).str.len_chars() >= value
        case RuleName.MAX_LENGTH:
            return lambda column: _unpadded(kind, column).str.len_chars() <= value
        case RuleName.PATTERN:
            pattern = pattern_of(str(value)).rust
            return lambda column: _padded(kind, column).str.contains(pattern)
        case RuleName.ENUM:
            assert isinstance(value, tuple)
            return _choice(kind, value)
        case _:
            return None


def _bound(kind: ColumnType, rule: RuleName, text: str) -> Passes | None:
    if dtype_of(kind) == pl.Binary:
        return None
    compared, limit = _COMPARED[rule], _literal(kind, text)
    if kind.name not in TIMESTAMP_TYPES:
        return lambda column: compared(column, limit)

    def passes(column: pl.Expr) -> pl.Expr:
        # `infinity` is the least number there, and later than every other.
        is_last, is_last_limit = column.to_physical() == LATEST_US, limit == LATEST_US
        within = compared(column.to_physical(), limit)
        if rule in _LOWER:
            equal = is_last if rule is RuleName.MIN else pl.lit(value=False)
            return pl.when(is_last_limit).then(equal).otherwise(is_last | within)
        last = pl.lit(value=True) if rule is RuleName.MAX else ~is_last
        return pl.when(is_last_limit).then(last).otherwise(~is_last & within)

    return passes


def _choice(kind: ColumnType, choices: tuple[str, ...]) -> Passes | None:
    if kind.name is TypeName.INTERVAL or _is_unbounded(kind):
        return None
    if kind.name is TypeName.CHAR:
        choices = tuple(choice.rstrip(" ") for choice in choices)
    values = pl.lit(_series(kind, choices)).implode()
    if kind.name in TIMESTAMP_TYPES:
        return lambda column: column.to_physical().is_in(values)
    return lambda column: _unpadded(kind, column).is_in(values)


def _is_unbounded(kind: ColumnType) -> bool:
    return kind.name is TypeName.NUMERIC and kind.precision is None


def _literal(kind: ColumnType, text: str) -> pl.Expr:
    return pl.lit(_series(kind, (text,))).first()


def _series(kind: ColumnType, texts: Sequence[str]) -> pl.Series:
    """Limits as the column's dtype; timestamps as their microseconds."""
    reader = CellReader(kind)
    values: list[CellValue] = [reader.read(text) for text in texts]
    dtype = pl.Int64() if kind.name in TIMESTAMP_TYPES else dtype_of(kind)
    return pl.Series(values, dtype=dtype)


def _unpadded(kind: ColumnType, column: pl.Expr) -> pl.Expr:
    """The column as PostgreSQL measures and compares it: without the padding of a CHAR(n)."""
    return column.str.strip_chars_end(" ") if kind.name is TypeName.CHAR else column


def _padded(kind: ColumnType, column: pl.Expr) -> pl.Expr:
    """The column as PostgreSQL searches it: a CHAR(n) with its padding."""
    if kind.name is TypeName.CHAR and kind.length is not None:
        return column.str.pad_end(kind.length)
    return column
