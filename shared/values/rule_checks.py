"""Single values against the rules of their column, as PostgreSQL will hold them."""

import math
import struct
from collections.abc import Callable
from datetime import date, datetime, time
from decimal import Decimal
from functools import lru_cache

import polars as pl

from shared.values import patterns
from shared.values.faults import Fault
from shared.values.grammar import reader_of
from shared.values.instants import Infinity
from shared.values.intervals import Interval
from shared.values.rules import (
    BOUNDS,
    ORDERED_TYPES,
    ColumnRules,
    RuleName,
    Violation,
    message_of,
)
from shared.values.types import NUMBER_TYPES, TEXT_TYPES, ColumnType, TypeName

DAY_US = 86_400_000_000

Checks = Callable[[str], list[Violation]]


def checks_of(kind: ColumnType, rules: ColumnRules) -> Checks | None:
    """What finds the rules that a text of this type breaks; None where there is none to break.

    References are left to PostgreSQL.
    """
    tests = [
        (name, _test(kind, name, value))
        for name, value in rules.given()
        if name is not RuleName.REFERENCES
    ]
    if not tests:
        return None

    def check(text: str) -> list[Violation]:
        return [
            Violation(name, message_of(name, rules, text)) for name, test in tests if not test(text)
        ]

    return check


def comparable(kind: ColumnType, text: str) -> tuple[int, object]:
    """What texts of an ordered type are compared by, as PostgreSQL compares them."""
    if kind.name in (TypeName.REAL, TypeName.DOUBLE):
        number = float(text)
        if kind.name is TypeName.REAL and math.isfinite(number):
            number = struct.unpack("f", struct.pack("f", number))[0]
        # NaN is the largest.
        return (1, 0.0) if math.isnan(number) else (0, number)
    if kind.name in NUMBER_TYPES:
        return 0, Decimal(text)
    value = reader_of(kind)(text)
    assert isinstance(value, date | time | datetime | Infinity | Fault)
    if isinstance(value, Infinity):
        return (1 if value is Infinity.LATEST else -1), 0
    if isinstance(value, Fault):
        raise ValueError(f"{text!r} is no {kind.spelled()}")  # noqa: TRY004 - a value, not a type
    return 0, value


@lru_cache(maxsize=1000)
def pattern_of(pattern: str) -> patterns.Pattern:
    """A pattern that compiles; raises UnsupportedPatternError."""
    both = patterns.read(pattern)
    try:
        pl.Series(("",)).str.contains(both.rust)
    except pl.exceptions.ComputeError as exc:
        raise patterns.UnsupportedPatternError("the pattern is too large") from exc
    return both


def _test(kind: ColumnType, rule: RuleName, limit: object) -> Callable[[str], bool]:
    if rule in BOUNDS:
        return _bound(kind, rule, str(limit))
    match rule:
        case RuleName.MIN_LENGTH:
            assert isinstance(limit, int)
            return lambda text: _length(kind, text) >= limit
        case RuleName.MAX_LENGTH:
            assert isinstance(limit, int)
            return lambda text: _length(kind, text) <= limit
        case RuleName.PATTERN:
            pattern = pattern_of(str(limit)).rust
            # PostgreSQL searches a CHAR(n) with its padding.
            width = kind.length or 0 if kind.name is TypeName.CHAR else 0
            return lambda text: bool(pl.Series((text.ljust(width),)).str.contains(pattern)[0])
        case _:
            assert isinstance(limit, tuple)
            members = frozenset(_canonical(kind, text) for text in limit)
            return lambda text: _canonical(kind, text) in members


def _bound(kind: ColumnType, rule: RuleName, limit: str) -> Callable[[str], bool]:
    bound = comparable(kind, limit)
    match rule:
        case RuleName.MIN:
            return lambda text: comparable(kind, text) >= bound
        case RuleName.EXCLUSIVE_MIN:
            return lambda text: comparable(kind, text) > bound
        case RuleName.MAX:
            return lambda text: comparable(kind, text) <= bound
        case _:
            return lambda text: comparable(kind, text) < bound


def _length(kind: ColumnType, text: str) -> int:
    # PostgreSQL does not count the padding of a CHAR(n).
    return len(text.rstrip(" ") if kind.name is TypeName.CHAR else text)


@lru_cache(maxsize=10_000)
def _canonical(kind: ColumnType, text: str) -> object:
    """What equal values have in common."""
    if kind.name in ORDERED_TYPES:
        return comparable(kind, text)
    if kind.name is TypeName.CHAR:
        return text.rstrip(" ")
    if kind.name in TEXT_TYPES:
        return text
    value = reader_of(kind)(text)
    if isinstance(value, Interval):
        # Where PostgreSQL compares, a month is 30 days, and a day 24 hours.
        return (value.months * 30 + value.days) * DAY_US + value.microseconds
    return value
