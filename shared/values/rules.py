"""Rules of columns beyond their types: what they are, who takes them, what is said of them.

PostgreSQL holds every rule as a constraint; API and imports say the same of a value that breaks
one. NULL passes every rule. `shared.values.rule_checks` looks at single values.
"""

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from shared.values.types import NUMBER_TYPES, TEXT_TYPES, TIMESTAMP_TYPES, ColumnType, TypeName

ENUM_LIMIT = 1000
SHOWN_CHOICES = 5

ORDERED_TYPES = NUMBER_TYPES | TIMESTAMP_TYPES | {TypeName.DATE, TypeName.TIME}


class RuleName(StrEnum):
    """The rules, as a column's definition names them."""

    MIN = "min"
    EXCLUSIVE_MIN = "exclusive_min"
    MAX = "max"
    EXCLUSIVE_MAX = "exclusive_max"
    MIN_LENGTH = "min_length"
    MAX_LENGTH = "max_length"
    PATTERN = "pattern"
    ENUM = "enum"
    REFERENCES = "references"


class RuleCode(StrEnum):
    """Why a value is refused, as answers and reports of refused rows spell it."""

    BELOW_MIN = "below_min"
    ABOVE_MAX = "above_max"
    TOO_SHORT = "too_short"
    TOO_LONG = "too_long"
    PATTERN_MISMATCH = "pattern_mismatch"
    NOT_IN_ENUM = "not_in_enum"
    UNKNOWN_REFERENCE = "unknown_reference"


CODES = {
    RuleName.MIN: RuleCode.BELOW_MIN,
    RuleName.EXCLUSIVE_MIN: RuleCode.BELOW_MIN,
    RuleName.MAX: RuleCode.ABOVE_MAX,
    RuleName.EXCLUSIVE_MAX: RuleCode.ABOVE_MAX,
    RuleName.MIN_LENGTH: RuleCode.TOO_SHORT,
    RuleName.MAX_LENGTH: RuleCode.TOO_LONG,
    RuleName.PATTERN: RuleCode.PATTERN_MISMATCH,
    RuleName.ENUM: RuleCode.NOT_IN_ENUM,
    RuleName.REFERENCES: RuleCode.UNKNOWN_REFERENCE,
}
BOUNDS = (RuleName.MIN, RuleName.EXCLUSIVE_MIN, RuleName.MAX, RuleName.EXCLUSIVE_MAX)


class OnDelete(StrEnum):
    """What becomes of a record when the one that it references is deleted."""

    RESTRICT = "restrict"
    CASCADE = "cascade"
    SET_NULL = "set_null"


class Reference(BaseModel):
    """A unique column of a table, by its name now."""

    model_config = ConfigDict(frozen=True)

    table: str
    column: str = "id"
    on_delete: OnDelete = OnDelete.RESTRICT


class ColumnRules(BaseModel):
    """The rules of one column; limits are texts that PostgreSQL reads as the column's type."""

    model_config = ConfigDict(frozen=True)

    min: str | None = None
    exclusive_min: str | None = None
    max: str | None = None
    exclusive_max: str | None = None
    min_length: int | None = None
    max_length: int | None = None
    pattern: str | None = None
    enum: tuple[str, ...] | None = None
    references: Reference | None = None

    def given(self) -> Iterator[tuple[RuleName, object]]:
        """The rules that there are."""
        for name in RuleName:
            value = getattr(self, name.value)
            if value is not None:
                yield name, value

    def __bool__(self) -> bool:
        """Whether there is any rule."""
        return any(True for _ in self.given())


NO_RULES = ColumnRules()


@dataclass(frozen=True, slots=True)
class Violation:
    """A rule that a value breaks, and what to say of it."""

    rule: RuleName
    message: str

    @property
    def code(self) -> RuleCode:
        """The code of the rule."""
        return CODES[self.rule]


def takes(kind: ColumnType, rule: RuleName) -> bool:
    """Whether columns of a type may have a rule."""
    if rule in BOUNDS:
        return kind.name in ORDERED_TYPES
    if rule in (RuleName.MIN_LENGTH, RuleName.MAX_LENGTH, RuleName.PATTERN):
        return kind.name in TEXT_TYPES
    return kind.name not in (TypeName.JSON, TypeName.BYTEA)


def message_of(rule: RuleName, rules: ColumnRules, text: str | None = None) -> str:
    """What to say of a value that breaks a rule; `text` is the value, where it is known."""
    limit = getattr(rules, rule.value)
    if rule is RuleName.ENUM:
        return _among(limit, text)
    if rule is RuleName.REFERENCES:
        what = f"the {limit.column} {text!r}" if text is not None else f"this {limit.column}"
        return f"the table {limit.table!r} has no record with {what}"
    return _MESSAGES[rule].format(limit)


_MESSAGES = {
    RuleName.MIN: "send {} or more",
    RuleName.EXCLUSIVE_MIN: "send more than {}",
    RuleName.MAX: "send {} or less",
    RuleName.EXCLUSIVE_MAX: "send less than {}",
    RuleName.MIN_LENGTH: "send at least {} characters",
    RuleName.MAX_LENGTH: "send at most {} characters",
    RuleName.PATTERN: "send a text in which the pattern {!r} is found",
}


def _among(choices: tuple[str, ...], text: str | None) -> str:
    shown = ", ".join(choices[:SHOWN_CHOICES])
    more = f" and {len(choices) - SHOWN_CHOICES} more" if len(choices) > SHOWN_CHOICES else ""
    if text is None:
        return f"send one of {shown}{more}"
    (nearest,) = difflib.get_close_matches(text, choices, n=1, cutoff=0.0)
    return f"send one of {shown}{more}; the nearest is {nearest!r}"
