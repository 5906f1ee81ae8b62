"""What the rows of a table must pass before a change of it is made."""

from dataclasses import dataclass

from services.records.domain import Column
from shared.values.rules import RuleName
from shared.values.types import ColumnType


@dataclass(frozen=True, slots=True)
class Check:
    """Something that rows may forbid; `of` names the input's field."""

    of: str
    column: Column


@dataclass(frozen=True, slots=True)
class TypeCheck(Check):
    """Every value has an equal in the new type."""

    kind: ColumnType


@dataclass(frozen=True, slots=True)
class NotNullCheck(Check):
    """No row is without a value."""


@dataclass(frozen=True, slots=True)
class UniqueCheck(Check):
    """No value is there twice."""


@dataclass(frozen=True, slots=True)
class EmptyCheck:
    """The table has at most so many rows."""

    of: str
    message: str
    rows_allowed: int


@dataclass(frozen=True, slots=True)
class KeyCheck:
    """No row has the same values in these columns as another."""

    of: str
    columns: tuple[Column, ...]


@dataclass(frozen=True, slots=True)
class RuleCheck(Check):
    """Every value passes a rule; `column` has the type that it gets."""

    rule: RuleName
    value: object


AnyCheck = TypeCheck | NotNullCheck | UniqueCheck | EmptyCheck | KeyCheck | RuleCheck
