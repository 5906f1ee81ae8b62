"""What a `TableChange` means for a table as it is: checks first, then statements in their order.

Pure: it decides what to look at and what to run, and runs nothing.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from services.records import ddl
from services.records.change_checks import (
    AnyCheck,
    EmptyCheck,
    KeyCheck,
    NotNullCheck,
    RuleCheck,
    TypeCheck,
    UniqueCheck,
)
from services.records.domain import (
    SEARCHABLE_TYPES,
    Column,
    ColumnSpec,
    DefaultCall,
    Table,
    checked_name,
    normalised,
)
from services.records.errors import Faults, NameTakenError, UnknownColumnError
from services.records.schemas import ColumnChange, Rules, TableChange
from services.records.types.definitions import (
    checked_description,
    checked_key,
    default_of,
    literal_of,
    require_nullable,
    require_searchable,
    specs_of,
)
from services.records.types.rules import answer_of, rules_of
from services.records.types.words import call_of, type_of
from shared.contracts.records import ColumnName
from shared.errors import InvalidInputError
from shared.values.nearest import did_you_mean
from shared.values.rules import ColumnRules
from shared.values.types import ColumnType


@dataclass
class ChangePlan:
    """The checks and statements of one change; `name` is the table's after it."""

    table: Table
    name: str
    description: str | None
    checks: list[AnyCheck] = field(default_factory=list)
    statements: list[ddl.Sql] = field(default_factory=list)
    unsearchable: list[Column] = field(default_factory=list)
    """Columns whose search indexes go first."""
    needs_trigrams: bool = False
    references: list[tuple[str, Column | ColumnSpec]] = field(default_factory=list)
    """Columns with a reference that is new, behind the field that names it."""
    released: list[Column] = field(default_factory=list)
    """Columns that are dropped, or no longer unique: nothing may reference them."""
    keys: set[frozenset[str]] = field(default_factory=set)
    """The unique keys of several columns that stay, by the names that these have now."""
    kept: dict[ColumnName, str] = field(default_factory=dict)
    """The columns that stay: their names now, and those that they get."""
    added: tuple[ColumnSpec, ...] = ()
    """Those that an import brings."""

    @property
    def changes_shape(self) -> bool:
        """Whether the table must be locked for it."""
        return bool(self.statements or self.unsearchable)


def plan_change(table: Table, change: TableChange) -> ChangePlan:
    """Read a change against a table.

    Order: keys and columns dropped, altered, renamed, added, keys added, then the table's own
    name. Raises InvalidInputError naming every field in the way, UnknownColumnError,
    NameTakenError.
    """
    faults = Faults()
    plan = ChangePlan(table=table, name=table.name, description=table.description)
    if "description" in change.model_fields_set:
        with faults.collecting():
            plan.description = checked_description(change.description, of="description")
    _drop_keys(plan, change.unique.drop, faults)
    dropped = _drop(plan, change.drop, faults)
    names: set[str] = {column.name for column in table.columns if column not in dropped}
    renames = _alter_all(plan, change.alter, dropped, faults)
    specs: tuple[ColumnSpec, ...] = ()
    with faults.collecting():
        specs = specs_of(change.add, of="add")
    if change.rename is not None:
        with faults.collecting():
            plan.name = checked_name(change.rename, of="rename")
    faults.refuse()
    renamed = dict(renames)
    plan.kept = {
        column.name: renamed.get(column.name, column.name)
        for column in table.columns
        if column not in dropped
    }
    _rename(plan, renames, names)
    add_all(plan, specs, names)
    _add_keys(plan, change.unique.add, renames=dict(renames), names=names, faults=faults)
    faults.refuse()
    if plan.name != table.name:
        plan.statements.append(ddl.rename_table(table.name, plan.name))
    return plan


def _drop(plan: ChangePlan, names: Sequence[str], faults: Faults) -> list[Column]:
    dropped: list[Column] = []
    for place, name in enumerate(names):
        with faults.collecting():
            dropped.append(_column(plan.table, name, of=f"drop.{place}"))
    for column in dict.fromkeys(dropped):
        plan.released.append(column)
        plan.keys = {key for key in plan.keys if column.name not in key}
        plan.statements.append(ddl.drop_column(plan.table.name, column.name))
    return dropped


def _alter_all(
    plan: ChangePlan, changes: Sequence[ColumnChange], dropped: Sequence[Column], faults: Faults
) -> list[tuple[str, str]]:
    """Plan each change of a column; returns the old and new names of those that get another."""
    seen: set[str] = {column.name for column in dropped}
    renames: list[tuple[str, str]] = []
    for place, each in enumerate(changes):
        with faults.collecting():
            column = _column(plan.table, each.name, of=f"alter.{place}.name")
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
    return renames


def _drop_keys(plan: ChangePlan, keys: Sequence[Sequence[str]], faults: Faults) -> None:
    plan.keys = {frozenset(map(str, key)) for key in plan.table.composite_keys}
    for place, key in enumerate(keys):
        names = {normalised(name) for name in key}
        held = [
            each
            for each in plan.table.constraints
            if len(each.columns) > 1 and set(each.columns) == names
        ]
        if not held:
            message = f"the table {plan.table.name!r} has no such key"
            faults.add(f"unique.drop.{place}", "unknown_key", message)
        plan.keys.discard(frozenset(names))
        for constraint in held:
            plan.statements.append(ddl.drop_constraint(plan.table.name, constraint.name))


def _add_keys(
    plan: ChangePlan,
    keys: Sequence[Sequence[str]],
    *,
    renames: Mapping[str, str],
    names: Collection[str],
    faults: Faults,
) -> None:
    before = {new: old for old, new in renames.items()}
    for place, key in enumerate(keys):
        of = f"unique.add.{place}"
        with faults.collecting():
            checked = checked_key(key, names, of=of)
            if frozenset(before.get(name, name) for name in checked) in plan.keys:
                continue
            old = [plan.table.by_name.get(before.get(name, name)) for name in checked]
            if all(old):
                plan.checks.append(KeyCheck(of, tuple(filter(None, old))))
            plan.statements.append(ddl.add_unique(plan.table.name, *checked))


def _alter(plan: ChangePlan, column: Column, change: ColumnChange, *, of: str) -> None:
    given = change.model_fields_set
    name = plan.table.name
    kind = column.type
    if change.type is not None:
        kind = type_of(change.type, of=f"{of}.type")
    rules = rules_of(kind, change.rules, of=f"{of}.rules") if "rules" in given else column.rules
    if kind != column.type:
        plan.checks.append(TypeCheck(of=f"{of}.type", column=column, kind=kind))
        _drop_rules(plan, column, ColumnRules())
        _alter_type(plan, column, kind, change, of=of)
        if "rules" not in given:
            rules = _kept_rules(kind, column, of=of)
        _add_rules(plan, column, kind, rules, before=ColumnRules(), of=of)
    else:
        if "default" in given:
            default = default_of(kind, change.default, of=f"{of}.default")
            plan.statements.append(ddl.set_default(name, column.name, kind, default))
        if rules != column.rules:
            _drop_rules(plan, column, rules)
            _add_rules(plan, column, kind, rules, before=column.rules, of=of)
    nullable = column.nullable if change.nullable is None else change.nullable
    require_nullable(rules, nullable=nullable, of=f"{of}.rules.references")
    _alter_more(plan, column, kind, change, of=of)


def _alter_more(
    plan: ChangePlan, column: Column, kind: ColumnType, change: ColumnChange, *, of: str
) -> None:
    """What is independent of type, default and rules."""
    name = plan.table.name
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
    if "description" in change.model_fields_set:
        words = checked_description(change.description, of=f"{of}.description")
        plan.statements.append(ddl.describe_column(name, column.name, words))


def _drop_rules(plan: ChangePlan, column: Column, rules: ColumnRules) -> None:
    """Drop the constraints of rules that are gone or others."""
    for held in plan.table.rule_constraints:
        if held.column != column.name:
            continue
        if getattr(rules, held.rule.value) != getattr(column.rules, held.rule.value):
            plan.statements.append(ddl.drop_constraint(plan.table.name, held.name))


def _add_rules(
    plan: ChangePlan,
    column: Column,
    kind: ColumnType,
    rules: ColumnRules,
    *,
    before: ColumnRules,
    of: str,
) -> None:
    new = {
        name.value: value for name, value in rules.given() if value != getattr(before, name.value)
    }
    added = ColumnRules.model_validate(new)
    target = replace(column, type=kind, rules=rules)
    for name, value in added.given():
        plan.checks.append(RuleCheck(f"{of}.rules.{name.value}", target, name, value))
    if added.references is not None and added.references != column.rules.references:
        plan.references.append((f"{of}.rules.references", target))
    plan.statements.extend(ddl.add_rules(plan.table.name, target, added))


def _kept_rules(kind: ColumnType, column: Column, *, of: str) -> ColumnRules:
    """The rules that a column has, under another type; raises InvalidInputError."""
    sent = answer_of(column.type, column.rules)
    if sent is None:
        return column.rules
    try:
        return rules_of(kind, Rules.model_validate(sent.model_dump()), of=f"{of}.rules")
    except InvalidInputError as exc:
        message = f"its rules do not fit {kind.spelled()} ({exc.detail}); send rules with it"
        raise InvalidInputError.of(f"{of}.type", "rule_does_not_fit", message) from exc


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
        default: str | DefaultCall | None = default_of(kind, change.default, of=f"{of}.default")
    elif isinstance(column.default, DefaultCall):
        default = call_of(kind, column.default, of=f"{of}.default")
    elif column.default is not None:
        default = literal_of(kind, column.default, of=f"{of}.default")
    else:
        default = None
    if column.default is not None:
        # PostgreSQL casts no default by itself.
        plan.statements.append(ddl.set_default(name, column.name, kind, None))
    plan.statements.append(ddl.set_type(name, column, kind))
    if default is not None:
        plan.statements.append(ddl.set_default(name, column.name, kind, default))


def _alter_unique(plan: ChangePlan, column: Column, *, unique: bool, of: str) -> None:
    if unique:
        plan.checks.append(UniqueCheck(of=f"{of}.unique", column=column))
        plan.statements.append(ddl.add_unique(plan.table.name, column.name))
        return
    for constraint in plan.table.constraints:
        if constraint.columns == (column.name,) and not constraint.is_primary:
            plan.released.append(column)
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


def add_all(plan: ChangePlan, specs: Iterable[ColumnSpec], names: set[str]) -> None:
    """Plan columns to be made; raises NameTakenError for one of the `names`."""
    for place, spec in enumerate(specs):
        if spec.name in names:
            raise NameTakenError(f"the table has a column {spec.name!r} already")
        names.add(spec.name)
        if not spec.nullable and spec.default is None:
            message = "it has rows, which would have no value in this column; give it a default"
            plan.checks.append(EmptyCheck(of=f"add.{place}", message=message, rows_allowed=0))
        if spec.unique and spec.default is not None and spec.default is not DefaultCall.UUID:
            message = "its rows would all have the default in this column, which is to be unique"
            plan.checks.append(EmptyCheck(of=f"add.{place}", message=message, rows_allowed=1))
        plan.needs_trigrams |= spec.searchable
        if spec.rules.references is not None:
            plan.references.append((f"add.{place}.rules.references", spec))
        plan.statements.extend(ddl.add_column(plan.table.name, spec))


def _column(table: Table, name: str, *, of: str) -> Column:
    stored = normalised(name)
    for column in table.columns:
        if column.name == stored:
            return column
    nearest = did_you_mean(name, [column.name for column in table.columns])
    message = f"the table {table.name!r} has no column {name[:80]!r}{nearest}"
    raise UnknownColumnError.of(of, UnknownColumnError.code, message)
