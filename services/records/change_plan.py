"""What a `TableChange` means for a table as it is: checks first, then statements in their order.

Pure: it decides what to look at and what to run, and runs nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from services.records import ddl
from services.records.domain import (
    SEARCHABLE_TYPES,
    Column,
    ColumnSpec,
    Table,
    checked_name,
    normalised,
)
from services.records.errors import NameTakenError, UnknownColumnError
from services.records.schemas import ColumnChange, TableChange
from services.records.types.definitions import (
    checked_description,
    default_of,
    literal_of,
    require_searchable,
    specs_of,
)
from services.records.types.words import type_of
from shared.errors import InvalidInputError
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


@dataclass
class ChangePlan:
    """The checks and statements of one change; `name` is the table's after it."""

    table: Table
    name: str
    description: str | None
    checks: list[TypeCheck | NotNullCheck | UniqueCheck | EmptyCheck] = field(default_factory=list)
    statements: list[ddl.Sql] = field(default_factory=list)
    unsearchable: list[Column] = field(default_factory=list)
    """Columns whose search indexes go first."""
    needs_trigrams: bool = False

    @property
    def changes_shape(self) -> bool:
        """Whether the table must be locked for it."""
        return bool(self.statements or self.unsearchable)


def plan_change(table: Table, change: TableChange) -> ChangePlan:
    """Read a change against a table.

    Order: drop, alter, rename, add, then the table's own name. Raises InvalidInputError naming
    the field, UnknownColumnError, NameTakenError.
    """
    described = "description" in change.model_fields_set
    plan = ChangePlan(
        table=table,
        name=table.name,
        description=checked_description(change.description, of="description")
        if described
        else table.description,
    )
    dropped = [_column(table, name, of=f"drop.{place}") for place, name in enumerate(change.drop)]
    for column in dict.fromkeys(dropped):
        plan.statements.append(ddl.drop_column(table.name, column.name))
    kept = [column for column in table.columns if column not in dropped]
    names: set[str] = {column.name for column in kept}
    seen: set[str] = {column.name for column in dropped}
    renames: list[tuple[str, str]] = []
    for place, each in enumerate(change.alter):
        column = _column(table, each.name, of=f"alter.{place}.name")
        if column.name in seen:
            raise InvalidInputError.of(
                f"alter.{place}.name", "duplicate_name", "a column is changed once, or dropped"
            )
        seen.add(column.name)
        _alter(plan, column, each, of=f"alter.{place}")
        if each.rename is not None:
            new = checked_name(each.rename, of=f"alter.{place}.rename")
            if new != column.name:
                renames.append((column.name, new))
    _rename(plan, renames, names)
    _add(plan, specs_of(change.add, of="add"), names)
    if change.rename is not None:
        plan.name = checked_name(change.rename, of="rename")
        if plan.name != table.name:
            plan.statements.append(ddl.rename_table(table.name, plan.name))
    return plan


def _alter(plan: ChangePlan, column: Column, change: ColumnChange, *, of: str) -> None:
    given = change.model_fields_set
    name = plan.table.name
    kind = column.type
    if change.type is not None:
        kind = type_of(change.type, of=f"{of}.type")
    if kind != column.type:
        plan.checks.append(TypeCheck(of=f"{of}.type", column=column, kind=kind))
        _alter_type(plan, column, kind, change, of=of)
    elif "default" in given:
        default = default_of(kind, change.default, of=f"{of}.default")
        plan.statements.append(ddl.set_default(name, column.name, default))
    if change.nullable is not None and change.nullable != column.nullable:
        if not change.nullable:
            plan.checks.append(NotNullCheck(of=f"{of}.nullable", column=column))
        plan.statements.append(ddl.set_nullable(name, column.name, nullable=change.nullable))
    if change.unique is not None and change.unique != column.unique:
        _alter_unique(plan, column, unique=change.unique, of=of)
    if change.searchable is not None and change.searchable != column.searchable:
        if change.searchable:
            require_searchable(kind, of=f"{of}.searchable")
            plan.needs_trigrams = True
            plan.statements.append(ddl.make_searchable(name, column.name))
        else:
            plan.unsearchable.append(column)
    if "description" in given:
        words = checked_description(change.description, of=f"{of}.description")
        plan.statements.append(ddl.describe_column(name, column.name, words))


def _alter_type(
    plan: ChangePlan, column: Column, kind: ColumnType, change: ColumnChange, *, of: str
) -> None:
    name = plan.table.name
    if column.searchable and change.searchable is not False and kind.name not in SEARCHABLE_TYPES:
        raise InvalidInputError.of(
            f"{of}.type",
            "not_a_text",
            f"{column.name} is searchable, which {kind.spelled()} cannot be; send"
            ' "searchable": false with it',
        )
    if "default" in change.model_fields_set:
        default = default_of(kind, change.default, of=f"{of}.default")
    elif column.default is not None:
        default = literal_of(kind, column.default, of=f"{of}.default")
    else:
        default = None
    if column.default is not None:
        # PostgreSQL casts no default by itself.
        plan.statements.append(ddl.set_default(name, column.name, None))
    plan.statements.append(ddl.set_type(name, column, kind))
    if default is not None:
        plan.statements.append(ddl.set_default(name, column.name, default))


def _alter_unique(plan: ChangePlan, column: Column, *, unique: bool, of: str) -> None:
    if unique:
        plan.checks.append(UniqueCheck(of=f"{of}.unique", column=column))
        plan.statements.append(ddl.add_unique(plan.table.name, column.name))
        return
    for constraint in plan.table.constraints:
        if constraint.columns == (column.name,) and not constraint.is_primary:
            plan.statements.append(ddl.drop_constraint(plan.table.name, constraint.name))


def _rename(plan: ChangePlan, renames: list[tuple[str, str]], names: set[str]) -> None:
    leaving = {old for old, _ in renames}
    for _, new in renames:
        if new in names - leaving:
            raise NameTakenError(f"the table has a column {new!r} already")
    if len({new for _, new in renames}) < len(renames):
        raise InvalidInputError.of("alter", "duplicate_name", "two columns get the same new name")
    # By way of names that no column of a user's can have, so that two may swap theirs.
    for place, (old, _) in enumerate(renames):
        plan.statements.append(ddl.rename_column(plan.table.name, old, f"_renamed_{place}"))
    for place, (old, new) in enumerate(renames):
        plan.statements.append(ddl.rename_column(plan.table.name, f"_renamed_{place}", new))
        names.discard(old)
    names |= {new for _, new in renames}


def _add(plan: ChangePlan, specs: Iterable[ColumnSpec], names: set[str]) -> None:
    for place, spec in enumerate(specs):
        if spec.name in names:
            raise NameTakenError(f"the table has a column {spec.name!r} already")
        names.add(spec.name)
        if not spec.nullable and spec.default is None:
            message = "it has rows, which would have no value in this column; give it a default"
            plan.checks.append(EmptyCheck(of=f"add.{place}", message=message, rows_allowed=0))
        if spec.unique and spec.default is not None:
            message = "its rows would all have the default in this column, which is to be unique"
            plan.checks.append(EmptyCheck(of=f"add.{place}", message=message, rows_allowed=1))
        plan.needs_trigrams |= spec.searchable
        plan.statements.extend(ddl.add_column(plan.table.name, spec))


def _column(table: Table, name: str, *, of: str) -> Column:
    stored = normalised(name)
    for column in table.columns:
        if column.name == stored:
            return column
    message = f"the table {table.name!r} has no column {name[:80]!r}"
    raise UnknownColumnError.of(of, UnknownColumnError.code, message)
