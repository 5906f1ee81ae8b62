"""Rules of columns as SQL conditions: of constraints, and of statements that look for rows.

Literals are our own texts of checked limits; names come in quoted.
"""

from shared.store.identifiers import quoted
from shared.values import patterns
from shared.values.names import unlimited_name
from shared.values.rules import Reference, RuleName
from shared.values.types import ColumnType

SIGNS = {
    RuleName.MIN: ">=",
    RuleName.EXCLUSIVE_MIN: ">",
    RuleName.MAX: "<=",
    RuleName.EXCLUSIVE_MAX: "<",
}


def literal(text: str) -> str:
    """A text as a literal (`standard_conforming_strings` is on); raises ValueError for NUL."""
    if "\0" in text:
        raise ValueError("PostgreSQL stores no NUL")
    return "'" + text.replace("'", "''") + "'"


def rule_condition(reference: str, kind: ColumnType, rule: RuleName, value: object) -> str:
    """What holds for a value that passes a rule (or is NULL), of a column or other expression.

    `reference` is SQL already; references to other tables are `reference_condition`'s.
    """
    if rule in SIGNS:
        return f"{reference} {SIGNS[rule]} {_limit(kind, str(value))}"
    if rule is RuleName.MIN_LENGTH:
        return f"char_length({reference}) >= {int(str(value))}"
    if rule is RuleName.MAX_LENGTH:
        return f"char_length({reference}) <= {int(str(value))}"
    if rule is RuleName.PATTERN:
        return f"{reference} ~ {literal(patterns.read(str(value)).postgresql)}"
    assert isinstance(value, tuple)
    members = ", ".join(_limit(kind, each) for each in value)
    return f"{reference} IN ({members})"


def reference_condition(reference: str, table: str, target: Reference) -> str:
    """What holds for a value that the referenced table has; `table` is its quoted name."""
    return (
        f"EXISTS (SELECT 1 FROM ONLY {table} _r"  # noqa: S608 - quoted
        f" WHERE _r.{quoted(target.column)} = {reference})"
    )


def _limit(kind: ColumnType, text: str) -> str:
    return f"{literal(text)}::{unlimited_name(kind)}"
