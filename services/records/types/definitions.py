"""Columns to be made, from each form in which callers describe them."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence

from pydantic import JsonValue, ValidationError

from services.records.domain import (
    SEARCHABLE_TYPES,
    Column,
    ColumnMemory,
    ColumnSpec,
    DefaultCall,
    checked_name,
    normalised,
)
from services.records.errors import Faults
from services.records.schemas import CallDefault, ColumnDefinition, TableChange
from services.records.types.rules import json_of, rules_of
from services.records.types.values import Fault, check_for, parse_json, stored_text
from services.records.types.words import call_of, field_of, type_of
from shared.contracts.records import ColumnName, NewColumn
from shared.errors import InvalidInputError
from shared.values.numbers import Number, is_deeper, json_text
from shared.values.rule_checks import checks_of
from shared.values.rules import NO_RULES, ColumnRules, OnDelete
from shared.values.texts import readable
from shared.values.types import ColumnType, TypeName

DEFAULT_LEVELS = 100
"""So deep may a default be nested: it stands in every answer about its table, and the writer of
those takes 255 levels."""


def specs_of(definitions: Sequence[ColumnDefinition], *, of: str) -> tuple[ColumnSpec, ...]:
    """Columns of the resource face; raises InvalidInputError naming `columns.<place>.<field>`."""
    faults = Faults()
    specs: list[ColumnSpec] = []
    for place, each in enumerate(definitions):
        with faults.collecting():
            specs.append(spec_of(each, of=f"{of}.{place}"))
    faults.refuse()
    return _distinct(specs, of=of)


def spec_of(definition: ColumnDefinition, *, of: str) -> ColumnSpec:
    """One column of the resource face; raises InvalidInputError naming every field in the way."""
    faults = Faults()
    name, description = definition.name, None
    with faults.collecting():
        name = checked_name(definition.name, of=f"{of}.name")
    with faults.collecting():
        description = checked_description(definition.description, of=f"{of}.description")
    kind = ColumnType(name=TypeName.TEXT)
    default: str | DefaultCall | None = None
    rules = NO_RULES
    with faults.collecting():
        # What is behind a type cannot be judged without one.
        kind = type_of(definition.type, of=f"{of}.type")
        with faults.collecting():
            if definition.searchable:
                require_searchable(kind, of=f"{of}.searchable")
        with faults.collecting():
            rules = rules_of(kind, definition.rules, of=f"{of}.rules")
        with faults.collecting():
            require_nullable(rules, nullable=definition.nullable, of=f"{of}.rules.references")
        default = default_of(kind, definition.default, of=f"{of}.default")
        require_passing(kind, rules, default, of=f"{of}.default")
    faults.refuse()
    return ColumnSpec(
        name=ColumnName(name),
        type=kind,
        nullable=definition.nullable,
        unique=definition.unique,
        default=default,
        description=description,
        searchable=definition.searchable,
        rules=rules,
    )


def require_nullable(rules: ColumnRules, *, nullable: bool, of: str) -> None:
    """Raise InvalidInputError for a reference that would put NULL where there must be none."""
    reference = rules.references
    if reference is not None and reference.on_delete is OnDelete.SET_NULL and not nullable:
        message = "set_null needs a column that may be null"
        raise InvalidInputError.of(f"{of}.on_delete", "rule_does_not_fit", message)


def checked_key(key: Sequence[str], names: Collection[str], *, of: str) -> tuple[str, ...]:
    """The columns of a unique key, which the table has; raises InvalidInputError."""
    checked = tuple(normalised(name) for name in key)
    for name in checked:
        if name not in names:
            raise InvalidInputError.of(of, "unknown_column", f"there is no column {name[:80]!r}")
    if len(set(checked)) < len(checked):
        raise InvalidInputError.of(of, "duplicate_name", "a key names each of its columns once")
    return checked


def keys_of(keys: Sequence[Sequence[str]], specs: Sequence[ColumnSpec]) -> list[tuple[str, ...]]:
    """The unique keys of a new table; raises InvalidInputError naming `unique.<place>`."""
    names = {spec.name for spec in specs}
    checked = [checked_key(key, names, of=f"unique.{place}") for place, key in enumerate(keys)]
    seen: set[frozenset[str]] = set()
    for place, key in enumerate(checked):
        if frozenset(key) in seen:
            raise InvalidInputError.of(
                f"unique.{place}", "duplicate_name", "this key is there twice"
            )
        seen.add(frozenset(key))
    return checked


def specs_of_fields(fields: Mapping[str, str]) -> tuple[ColumnSpec, ...]:
    """Columns of the verb face: `{"email": "TEXT UNIQUE"}`."""
    specs = [
        spec_of_field(name, words, of=f"fields.{readable(name)}") for name, words in fields.items()
    ]
    return _distinct(specs, of="fields")


def spec_of_field(name: str, words: str, *, of: str) -> ColumnSpec:
    """One column of the verb face; raises InvalidInputError naming the field `of`."""
    field = field_of(words, of=of)
    default = field.default
    if default is not None and not isinstance(default, DefaultCall):
        default = literal_of(field.type, default, of=of)
    return ColumnSpec(
        name=ColumnName(checked_name(name, of=of)),
        type=field.type,
        nullable=field.nullable,
        unique=field.unique,
        default=default,
    )


def change_adding(name: str, words: str) -> TableChange:
    """The change that adds one column of the verb face; raises InvalidInputError."""
    checked_name(name, of="column_name")
    spec = spec_of_field(name, words, of="column_type")
    default: JsonValue = spec.default
    if isinstance(spec.default, DefaultCall):
        default = {"call": spec.default.value}
    elif spec.default is not None and spec.type.name is TypeName.JSON:
        default = json.loads(spec.default)
    column = ColumnDefinition(
        name=spec.name,
        type=spec.type.spelled(),
        nullable=spec.nullable,
        unique=spec.unique,
        default=default,
    )
    return TableChange(add=[column])


def specs_for_import(columns: Iterable[NewColumn]) -> tuple[ColumnSpec, ...]:
    """Columns of a table that an import makes."""
    specs = [
        ColumnSpec(
            name=ColumnName(checked_name(each.name, of=f"columns.{place}.name")),
            type=type_of(each.type.spelled(), of=f"columns.{place}.type"),
            description=checked_description(each.description, of=f"columns.{place}.description"),
            memory=_memory(each),
        )
        for place, each in enumerate(columns)
    ]
    return _distinct(specs, of="columns")


def _memory(column: NewColumn) -> ColumnMemory | None:
    if column.source is None and not column.null_values:
        return None
    return ColumnMemory(column.source or column.name, column.null_values)


def default_of(kind: ColumnType, value: JsonValue, *, of: str) -> str | DefaultCall | None:
    """PostgreSQL's text of a default that came as JSON, or its call; None for none."""
    if value is None:
        return None
    if is_deeper(value, DEFAULT_LEVELS):
        message = f"a default is nested at most {DEFAULT_LEVELS} levels deep"
        raise InvalidInputError.of(of, "too_complex", message)
    if isinstance(value, dict) and kind.name is not TypeName.JSON:
        try:
            return call_of(kind, CallDefault.model_validate(value).call, of=of)
        except ValidationError as exc:
            message = f'send a literal, or {{"call": …}} with one of {", ".join(DefaultCall)}'
            raise InvalidInputError.of(of, "type_mismatch", message) from exc
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    checked: object = Number(repr(value)) if plain else value
    if kind.name is TypeName.JSON:
        checked = parse_json(json_text(value).encode(errors="surrogatepass"))
    result = check_for(kind)(checked)
    if isinstance(result, Fault):
        raise InvalidInputError.of(of, result.code, result.message)
    return stored_text(kind, checked if result is None else result)


def require_passing(
    kind: ColumnType, rules: ColumnRules, default: str | DefaultCall | None, *, of: str
) -> None:
    """Raise InvalidInputError for a default that the column's own rules refuse."""
    check = checks_of(kind, rules)
    if check is None or default is None or isinstance(default, DefaultCall):
        return
    for violation in check(default):
        raise InvalidInputError.of(of, violation.code, f"its rules refuse it: {violation.message}")


def default_value(column: Column) -> JsonValue:
    """A default as JSON; numbers that JSON readers would round are texts."""
    text = column.default
    if isinstance(text, DefaultCall):
        return {"call": text.value}
    if text is None:
        return None
    try:
        if column.type.name is TypeName.JSON:
            value: JsonValue = json.loads(text)
            return value
        return json_of(column.type, text)
    except ValueError:
        return text  # an expression that somebody wrote by hand


def literal_of(kind: ColumnType, text: str, *, of: str) -> str:
    """The text of a literal, if the type can read it; raises InvalidInputError."""
    value: object = text
    if kind.name is TypeName.JSON:
        try:
            value = parse_json(text.encode())
        except InvalidInputError as exc:
            raise InvalidInputError.of(of, "type_mismatch", "the default is not JSON") from exc
    result = check_for(kind)(value)
    if isinstance(result, Fault):
        raise InvalidInputError.of(of, result.code, f"the default does not fit: {result.message}")
    return text if result is None else result


def require_searchable(kind: ColumnType, *, of: str) -> None:
    """Raise InvalidInputError unless a trigram index can be made on the type."""
    if kind.name not in SEARCHABLE_TYPES:
        raise InvalidInputError.of(
            of, "not_a_text", f"{kind.spelled()} cannot be searchable; TEXT and VARCHAR(n) can"
        )


def checked_description(description: str | None, *, of: str) -> str | None:
    """The description, without NUL, which PostgreSQL cannot store; raises InvalidInputError."""
    if description is not None:
        result = check_for(ColumnType(name=TypeName.TEXT))(description)
        if isinstance(result, Fault):
            raise InvalidInputError.of(of, result.code, result.message)
    return description


def _distinct(specs: Sequence[ColumnSpec], *, of: str) -> tuple[ColumnSpec, ...]:
    seen: set[str] = set()
    for spec in specs:
        if spec.name in seen:
            raise InvalidInputError.of(of, "duplicate_name", f"{spec.name!r} is there twice")
        seen.add(spec.name)
    return tuple(specs)
