"""What is asked of a table: filters, search, fields, order and page, by columns that it has."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from services.records.domain import ID, Column
from services.records.query.texts import Accents, is_nothing


class Operator(StrEnum):
    """How a column is compared; spelled as after the `__` of a parameter."""

    EQ = "eq"
    NE = "ne"
    GT = "gt"
    GTE = "gte"
    LT = "lt"
    LTE = "lte"
    IN = "in"
    CONTAINS = "contains"
    ICONTAINS = "icontains"
    STARTSWITH = "startswith"
    ISNULL = "isnull"


TEXT_OPERATORS = frozenset({Operator.CONTAINS, Operator.ICONTAINS, Operator.STARTSWITH})
VACUOUS_WHEN_EMPTY = TEXT_OPERATORS | {Operator.GT, Operator.GTE, Operator.NE}
"""Every text contains the empty one and sorts behind it, and hardly one is equal to it."""


CODE = ":code"
"""Behind a text column in `sort=`: by code point."""


class Count(StrEnum):
    """Whether a list says how many there are."""

    NONE = "none"
    ESTIMATED = "estimated"
    EXACT = "exact"


class Numbers(StrEnum):
    """How BIGINT and NUMERIC stand in JSON: as numbers, or as texts for readers that round."""

    JSON = "json"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Filter:
    """One comparison; `texts` are checked values: several for `in`, true or false for `isnull`."""

    column: Column
    operator: Operator
    texts: tuple[str, ...]
    accents: Accents = Accents.KEEP
    """For `icontains`."""

    @property
    def rules_nothing_out(self) -> bool:
        """Whether it restricts nothing by its form alone, as with an empty text where one counts.

        An empty `in` is one too: whoever sends it meant to name something.
        """
        if self.operator is Operator.IN:
            return not self.texts
        if self.operator is Operator.ISNULL:
            return self.texts[0] == "false" and not self.column.nullable
        if self.operator is Operator.ICONTAINS:
            return is_nothing(self.texts[0], self.accents)
        return self.operator in VACUOUS_WHEN_EMPTY and self.column.is_text and not self.texts[0]


@dataclass(frozen=True, slots=True)
class SortKey:
    """One column of the order; NULLs sort as the largest value, as PostgreSQL does it.

    Texts are sorted as people do it, or, `by_code`, by code point, as an index has them.
    """

    column: Column
    descending: bool = False
    by_code: bool = False

    @property
    def word(self) -> str:
        """As `sort=` spells it."""
        return ("-" if self.descending else "") + self.column.name + (CODE if self.by_code else "")


@dataclass(frozen=True, slots=True)
class Selection:
    """Which rows: every filter holds, and `search` stands in some text column."""

    filters: tuple[Filter, ...] = ()
    search: str | None = None
    accents: Accents = Accents.IGNORE
    """For `search`."""

    @property
    def is_everything(self) -> bool:
        """Whether nothing was asked for in particular."""
        return not self.filters and self.search is None


@dataclass(frozen=True, slots=True)
class Listing:
    """A page of a table. `after` holds the last row's sort values as text; else `offset` counts."""

    selection: Selection
    fields: tuple[Column, ...]
    order: tuple[SortKey, ...]
    limit: int
    offset: int = 0
    after: tuple[str | None, ...] | None = None
    count: Count = Count.NONE
    numbers: Numbers = Numbers.JSON


def total_order(keys: Sequence[SortKey]) -> tuple[SortKey, ...]:
    """The order with `id` at its end, so that no two rows are equal in it."""
    unique: list[SortKey] = []
    for key in keys:
        if key.column.name not in {known.column.name for known in unique}:
            unique.append(key)
        if key.column.name == ID.name:
            return tuple(unique)
    return (*unique, SortKey(ID))
