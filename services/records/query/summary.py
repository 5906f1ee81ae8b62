"""The query string of summaries, read into a plan: columns or cut times to group by, and measures.

Every result is named by the word that asked for it, as it was written.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from services.records.domain import Column, Table
from services.records.query import parameters
from services.records.query.cursor import values_of
from services.records.query.parameters import Pairs
from services.records.query.plan import CODE, Numbers, Selection, SortKey
from shared.contracts.records import ColumnName
from shared.errors import InvalidInputError
from shared.http.paging import Position
from shared.values.texts import readable
from shared.values.types import (
    FLOAT_TYPES,
    INTEGER_TYPES,
    NUMBER_TYPES,
    TEXT_TYPES,
    TIMESTAMP_TYPES,
    ColumnType,
    TypeName,
)

SUMMARY_PARAMETERS = frozenset(
    {"group_by", "measures", "sort", "limit", "cursor", "q", "accents", "numbers"}
)
GROUP_LIMIT = 5
MEASURE_LIMIT = 20
DEFAULT_LIMIT = 100
LIMIT = 1000

BIGINT, NUMERIC, DOUBLE, TEXT = (
    ColumnType(name=name)
    for name in (TypeName.BIGINT, TypeName.NUMERIC, TypeName.DOUBLE, TypeName.TEXT)
)
ORDERED_TYPES = (
    NUMBER_TYPES | TEXT_TYPES | TIMESTAMP_TYPES | {TypeName.DATE, TypeName.TIME, TypeName.INTERVAL}
)

_CALL = re.compile(r"(?P<name>\w+) *\( *(?P<column>.*?) *\)")


class Unit(StrEnum):
    """What a time is cut to."""

    YEAR = "year"
    QUARTER = "quarter"
    MONTH = "month"
    WEEK = "week"
    DAY = "day"
    HOUR = "hour"


class Aggregate(StrEnum):
    """What is made of the rows of a group."""

    COUNT = "count"
    SUM = "sum"
    AVG = "avg"
    MIN = "min"
    MAX = "max"
    COUNT_DISTINCT = "count_distinct"


@dataclass(frozen=True, slots=True)
class Grouping:
    """A column to group by, or the `unit` that its times are cut to."""

    word: str
    column: Column
    unit: Unit | None = None

    @property
    def type(self) -> ColumnType:
        """The type of what it is grouped by."""
        return TEXT if self.column.is_text else ColumnType(name=self.column.type.name)


@dataclass(frozen=True, slots=True)
class Measure:
    """An aggregate of a column, None for `count` alone, which counts rows."""

    word: str
    aggregate: Aggregate
    column: Column | None = None

    @property
    def type(self) -> ColumnType:
        """The type of its results."""
        if self.column is None or self.aggregate is Aggregate.COUNT_DISTINCT:
            return BIGINT
        return RESULTS[self.aggregate](self.column.type.name)


@dataclass(frozen=True, slots=True)
class Summary:
    """A page of groups. `order` names results by their place; `after` is its last group's."""

    selection: Selection
    groupings: tuple[Grouping, ...]
    measures: tuple[Measure, ...]
    order: tuple[SortKey, ...]
    order_words: str
    limit: int
    after: Position | None = None
    numbers: Numbers = Numbers.JSON
    """Of groups and measures; counts are numbers always."""


def summary_of(table: Table, pairs: Pairs) -> Summary:
    """The parameters of a summary; raises InvalidInputError or UnknownColumnError naming one."""
    given, filters = parameters.parted(pairs, SUMMARY_PARAMETERS)
    groupings = [_grouping(table, word) for word in _words(given, "group_by", most=GROUP_LIMIT)]
    words = _words(given, "measures", most=MEASURE_LIMIT) or [Aggregate.COUNT.value]
    measures = [_measure(table, word) for word in words]
    results = _results(groupings, measures)
    order = _order(results, [each.word for each in groupings], given.get("sort"))
    # A cursor belongs to an order of these results, whose keys are named by their places alone.
    order_words = "|".join([*results, *(key.word for key in order)])
    cursor = given.get("cursor")
    return Summary(
        selection=parameters.selection_of(table, filters, given),
        groupings=tuple(groupings),
        measures=tuple(measures),
        order=order,
        order_words=order_words,
        limit=parameters.number(given, "limit", DEFAULT_LIMIT, LIMIT),
        after=None if cursor is None else values_of(cursor, order, words=order_words),
        numbers=parameters.numbers_of(given.get("numbers")),
    )


def place(number: int) -> ColumnName:
    """How a statement names a result, by its number from 1; no column's name is like it."""
    return ColumnName(f"_{number}")


def _words(given: Mapping[str, str], parameter: str, *, most: int) -> list[str]:
    text = given.get(parameter, "")
    if not text.strip():
        return []
    words = [word.strip(" ") for word in text.split(",")]
    if len(words) > most:
        raise InvalidInputError.of(parameter, "too_many", f"send at most {most}")
    return words


def _grouping(table: Table, word: str) -> Grouping:
    call = _CALL.fullmatch(word)
    if call is None:
        return Grouping(word, parameters.column_named(table, word, of="group_by"))
    try:
        unit = Unit(call["name"].lower())
    except ValueError as exc:
        raise _unknown(
            "group_by", word, f"one of {', '.join(Unit)} with a column of times"
        ) from exc
    column = parameters.column_named(table, call["column"], of="group_by")
    cut = TIMESTAMP_TYPES if unit is Unit.HOUR else TIMESTAMP_TYPES | {TypeName.DATE}
    _require(column, cut, word, of="group_by")
    return Grouping(word, column, unit)


def _measure(table: Table, word: str) -> Measure:
    if word.lower() == Aggregate.COUNT:
        return Measure(word, Aggregate.COUNT)
    call = _CALL.fullmatch(word)
    choices = [each for each in Aggregate if each is not Aggregate.COUNT]
    if call is None or call["name"].lower() not in choices:
        known = ", ".join(choices)
        raise _unknown("measures", word, f"{Aggregate.COUNT}, or one of {known} with a column")
    aggregate = Aggregate(call["name"].lower())
    column = parameters.column_named(table, call["column"], of="measures")
    if aggregate in (Aggregate.SUM, Aggregate.AVG):
        _require(column, NUMBER_TYPES | {TypeName.INTERVAL}, word, of="measures")
    elif aggregate in (Aggregate.MIN, Aggregate.MAX):
        _require(column, ORDERED_TYPES, word, of="measures")
    return Measure(word, aggregate, column)


def _require(column: Column, types: Iterable[TypeName], word: str, *, of: str) -> None:
    if column.type.name not in types:
        takes = ", ".join(kind for kind in TypeName if kind in types)
        raise InvalidInputError.of(
            of,
            "type_mismatch",
            f"{readable(word)!r}: {column.name} is {column.type.spelled()}; it takes {takes}",
        )


def _unknown(of: str, word: str, choices: str) -> InvalidInputError:
    return InvalidInputError.of(
        of, "invalid_choice", f"{readable(word[:80])!r} is not known; send {choices}"
    )


def _results(groupings: Sequence[Grouping], measures: Sequence[Measure]) -> Mapping[str, Column]:
    """The results by their words, as columns of the statement."""
    results: dict[str, Column] = {}
    for parameter, parts in (("group_by", groupings), ("measures", measures)):
        for part in parts:
            if part.word in results:
                raise InvalidInputError.of(parameter, "given_twice", f"send {part.word!r} once")
            number = len(results) + 1
            results[part.word] = Column(name=place(number), attnum=0, type=part.type)
    return results


def _order(
    results: Mapping[str, Column], groups: Sequence[str], sort: str | None
) -> tuple[SortKey, ...]:
    """What is asked for, then the groups as they are listed: no two have the same values."""
    keys: dict[str, SortKey] = {}
    for text in (sort or "").split(",") if sort else ():
        key = _sort_key(results, text.strip(" "))
        keys.setdefault(key.column.name, key)
    for word in groups:
        keys.setdefault(results[word].name, SortKey(results[word]))
    # Without groups there is one line, and any order will do.
    return tuple(keys.values()) or (SortKey(next(iter(results.values()))),)


def _sort_key(results: Mapping[str, Column], text: str) -> SortKey:
    word = text[1:] if text[:1] in ("+", "-") else text
    column = results.get(word.removesuffix(CODE))
    by_code = word.endswith(CODE)
    if column is None or (by_code and not column.is_text):
        known = ", ".join(results)
        raise _unknown("sort", text, f"one of {known}, `-` before it for descending")
    return SortKey(column, text.startswith("-"), by_code)


def _sum_of(name: TypeName) -> ColumnType:
    # As PostgreSQL's sum(): one type wider, but for REAL, which is summed in double precision.
    if name is TypeName.BIGINT:
        return NUMERIC
    if name in INTEGER_TYPES:
        return BIGINT
    return DOUBLE if name in FLOAT_TYPES else ColumnType(name=name)


def _average_of(name: TypeName) -> ColumnType:
    if name in INTEGER_TYPES:
        return NUMERIC
    return DOUBLE if name in FLOAT_TYPES else ColumnType(name=name)


def _one_of(name: TypeName) -> ColumnType:
    return TEXT if name in TEXT_TYPES else ColumnType(name=name)


RESULTS: Mapping[Aggregate, Callable[[TypeName], ColumnType]] = {
    Aggregate.SUM: _sum_of,
    Aggregate.AVG: _average_of,
    Aggregate.MIN: _one_of,
    Aggregate.MAX: _one_of,
}
