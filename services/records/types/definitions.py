"""Columns to be made, from each form in which callers describe them."""

import json
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from pydantic import JsonValue

from services.records.domain import (
    SEARCHABLE_TYPES,
    Column,
    ColumnSpec,
    checked_name,
)
from services.records.schemas import ColumnDefinition, TableChange
from services.records.types.values import Fault, check_for, parse_json, stored_text
from services.records.types.words import field_of, type_of
from shared.contracts.records import ColumnName, NewColumn
from shared.errors import InvalidInputError
from shared.values.numbers import Number
from shared.values.texts import readable
from shared.values.types import TRUE_WORDS, ColumnType, TypeName

NUMBERS = frozenset(
    {TypeName.SMALLINT, TypeName.INTEGER, TypeName.BIGINT, TypeName.REAL, TypeName.DOUBLE}
)
EXACT_DIGITS = 15
"""A JSON reader that makes doubles keeps so many digits."""


def specs_of(definitions: Sequence[ColumnDefinition], *, of: str) -> tuple[ColumnSpec, ...]:
    """Columns of the resource face; raises InvalidInputError naming `columns.<place>.<field>`."""
    specs = [spec_of(each, of=f"{of}.{place}") for place, each in enumerate(definitions)]
    return _distinct(specs, of=of)


def spec_of(definition: ColumnDefinition, *, of: str) -> ColumnSpec:
    """One column of the resource face."""
    kind = type_of(definition.type, of=f"{of}.type")
    if definition.searchable:
        require_searchable(kind, of=f"{of}.searchable")
    return ColumnSpec(
        name=ColumnName(checked_name(definition.name, of=f"{of}.name")),
        type=kind,
        nullable=definition.nullable,
        unique=definition.unique,
        default=default_of(kind, definition.default, of=f"{of}.default"),
        description=checked_description(definition.description, of=f"{of}.description"),
        searchable=definition.searchable,
    )


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
    if default is not None:
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
    if spec.default is not None and spec.type.name is TypeName.JSON:
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
        )
        for place, each in enumerate(columns)
    ]
    return _distinct(specs, of="columns")


def default_of(kind: ColumnType, value: JsonValue, *, of: str) -> str | None:
    """PostgreSQL's text of a default that came as JSON; None for none."""
    if value is None:
        return None
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    checked: object = Number(repr(value)) if plain else value
    if kind.name is TypeName.JSON:
        checked = parse_json(json.dumps(value).encode())
    result = check_for(kind)(checked)
    if isinstance(result, Fault):
        raise InvalidInputError.of(of, result.code, result.message)
    return stored_text(kind, checked if result is None else result)


def default_value(column: Column) -> JsonValue:
    """A default as JSON; numbers that JSON readers would round are texts."""
    text = column.default
    if text is None:
        return None
    name = column.type.name
    try:
        if name is TypeName.BOOLEAN:
            return text.lower() in TRUE_WORDS
        if name is TypeName.JSON:
            value: JsonValue = json.loads(text)
            return value
        if name in NUMBERS or name is TypeName.NUMERIC:
            return _number(text)
    except (ValueError, ArithmeticError):
        return text  # an expression that somebody wrote by hand
    return text


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


def _number(text: str) -> JsonValue:
    value = Decimal(text)
    if not value.is_finite() or len(value.as_tuple().digits) > EXACT_DIGITS:
        return text
    return int(value) if value == value.to_integral_value() else float(value)
