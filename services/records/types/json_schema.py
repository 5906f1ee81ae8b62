"""Columns as JSON Schema, both ways: a table made from its own schema is the same table.

What JSON Schema has no word for stands in `x-type` (the API's spelling), `x-unique` and
`x-searchable`; schemas from elsewhere, without them, are read by type, format and limits.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import JsonValue, ValidationError

from services.records.domain import Column, ColumnSpec, Table
from services.records.schemas import ColumnDefinition, NewTable
from services.records.types.definitions import default_value, specs_of
from shared.contracts.records import ID_COLUMN
from shared.errors import InvalidInputError
from shared.values.texts import readable
from shared.values.types import INTEGER_BITS, LENGTH_LIMIT, TypeName

DIALECT = "https://json-schema.org/draft/2020-12/schema"
REFERENCE_DEPTH = 20
ANY_TYPE = ("object", "array", "string", "number", "boolean")
Schema = dict[str, Any]

STRING_FORMATS = {
    "date": "DATE",
    "time": "TIME",
    "date-time": "TIMESTAMPTZ",
    "duration": "INTERVAL",
    "uuid": "UUID",
}
NUMBER_FORMATS = {"float": "REAL", "double": "DOUBLE PRECISION"}
INTEGER_FORMATS = {"int16": "SMALLINT", "int32": "INTEGER", "int64": "BIGINT"}

SHAPES: Mapping[TypeName, Schema] = {
    TypeName.TEXT: {"type": "string"},
    TypeName.NUMERIC: {"type": "number"},
    TypeName.REAL: {"type": "number", "format": "float"},
    TypeName.DOUBLE: {"type": "number", "format": "double"},
    TypeName.BOOLEAN: {"type": "boolean"},
    TypeName.DATE: {"type": "string", "format": "date"},
    TypeName.TIME: {
        "type": "string",
        "pattern": r"^[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?$",
    },
    TypeName.TIMESTAMP: {
        "type": "string",
        "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}"
        r"([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?)?$",
    },
    TypeName.TIMESTAMPTZ: {"type": "string", "format": "date-time"},
    TypeName.INTERVAL: {"type": "string", "format": "duration"},
    TypeName.UUID: {"type": "string", "format": "uuid"},
    TypeName.JSON: {"type": list(ANY_TYPE)},
    TypeName.BYTEA: {"type": "string", "pattern": r"^\\x([0-9a-fA-F]{2})*$"},
}


def schema_of(table: Table) -> Schema:
    """The JSON Schema of a record, `id` and all."""
    return {
        "$schema": DIALECT,
        "title": table.name,
        **({"description": table.description} if table.description is not None else {}),
        "type": "object",
        "properties": {
            ID_COLUMN: {"type": "integer", "readOnly": True, "x-type": "BIGINT"},
            **{column.name: property_of(column) for column in table.columns},
        },
        "required": [
            column.name
            for column in table.columns
            if not column.nullable and column.default is None
        ],
        "additionalProperties": False,
    }


def property_of(column: Column) -> Schema:
    """The schema of one column's values."""
    schema: Schema = {**shape_of(column), "x-type": column.type.spelled()}
    if column.nullable:
        kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        schema["type"] = [*kinds, "null"]
    if column.default is not None:
        schema["default"] = default_value(column)
    if column.description is not None:
        schema["description"] = column.description
    if column.unique:
        schema["x-unique"] = True
    if column.searchable:
        schema["x-searchable"] = True
    return schema


def shape_of(column: Column) -> Schema:
    """Type, format and limits of a column's values, NULL apart."""
    kind = column.type
    if kind.name in INTEGER_BITS:
        bits = INTEGER_BITS[kind.name]
        return {
            "type": "integer",
            "format": f"int{bits + 1}",
            "minimum": -(2**bits),
            "maximum": 2**bits - 1,
        }
    if kind.length is not None:
        return {"type": "string", "maxLength": kind.length}
    return dict(SHAPES.get(kind.name, SHAPES[TypeName.TEXT]))


def columns_of(new: NewTable) -> tuple[ColumnSpec, ...]:
    """The columns of a new table, given one way or the other; raises InvalidInputError."""
    if (new.columns is None) == (new.json_schema is None):
        raise InvalidInputError.of(
            "columns", "missing", "send either columns (which may be empty) or json_schema"
        )
    if new.columns is not None:
        return specs_of(new.columns, of="columns")
    assert new.json_schema is not None
    return specs_of(definitions_of(new.json_schema), of="json_schema.properties")


def description_of(new: NewTable) -> str | None:
    """The description of a new table: its own, or its schema's."""
    if new.description is None and new.json_schema is not None:
        described = new.json_schema.get("description")
        return described if isinstance(described, str) else None
    return new.description


def definitions_of(schema: Mapping[str, JsonValue]) -> list[ColumnDefinition]:
    """The columns that a JSON Schema describes, `id` left out; raises InvalidInputError."""
    properties = schema.get("properties")
    if schema.get("type", "object") != "object" or not isinstance(properties, dict):
        raise InvalidInputError.of(
            "json_schema", "invalid_schema", 'send a schema of type "object" with "properties"'
        )
    required = schema.get("required", [])
    names = set(map(str, required)) if isinstance(required, list) else set()
    return [
        _definition(name, each, schema, required=name in names)
        for name, each in properties.items()
        if name != ID_COLUMN
    ]


def _definition(
    name: str, given: JsonValue, root: Mapping[str, JsonValue], *, required: bool
) -> ColumnDefinition:
    schema, null_allowed = _resolved(given, root)
    kinds = schema.get("type")
    listed = kinds if isinstance(kinds, list) else [kinds] if kinds is not None else []
    null_allowed |= "null" in listed
    default = schema.get("default")
    description = schema.get("description")
    try:
        return ColumnDefinition(
            name=name,
            type=_type(schema, [kind for kind in listed if kind != "null"]),
            nullable=null_allowed or not (required or default is not None),
            unique=schema.get("x-unique") is True,
            default=default,
            description=description if isinstance(description, str) else None,
            searchable=schema.get("x-searchable") is True,
        )
    except ValidationError as exc:
        reason = exc.errors()[0]["msg"].removeprefix("Value error, ")
        field = f"json_schema.properties.{readable(name)}"
        raise InvalidInputError.of(field, "invalid_schema", reason) from exc


def _resolved(
    given: JsonValue, root: Mapping[str, JsonValue]
) -> tuple[Mapping[str, JsonValue], bool]:
    """A property with local references followed, and null taken out of its alternatives."""
    null_allowed = False
    for _ in range(REFERENCE_DEPTH):
        if not isinstance(given, dict):
            return {}, True
        reference = given.get("$ref")
        if isinstance(reference, str):
            beside = {key: value for key, value in given.items() if key != "$ref"}
            target = _target(reference, root)
            given = {**target, **beside} if isinstance(target, dict) else beside
            continue
        alternatives = given.get("anyOf", given.get("oneOf"))
        if not isinstance(alternatives, list):
            return given, null_allowed
        rest = [each for each in alternatives if each != {"type": "null"}]
        null_allowed |= len(rest) < len(alternatives)
        beside = {key: value for key, value in given.items() if key not in ("anyOf", "oneOf")}
        if len(rest) != 1 or not isinstance(rest[0], dict):
            return beside, null_allowed
        given = {**rest[0], **beside}
    raise InvalidInputError.of("json_schema", "invalid_schema", "its references go in circles")


def _target(reference: str, root: Mapping[str, JsonValue]) -> JsonValue:
    place: JsonValue = dict(root)
    for step in reference.removeprefix("#").strip("/").split("/"):
        name = step.replace("~1", "/").replace("~0", "~")
        if not reference.startswith("#") or not isinstance(place, dict) or name not in place:
            raise InvalidInputError.of(
                "json_schema", "invalid_schema", f"the reference {reference[:80]!r} leads nowhere"
            )
        place = place[name]
    return place


def _type(schema: Mapping[str, JsonValue], kinds: list[JsonValue]) -> str:
    spelled = schema.get("x-type")
    if isinstance(spelled, str):
        return spelled
    kind = kinds[0] if len(kinds) == 1 else _kind_of_values(schema) if not kinds else None
    form = schema.get("format")
    if kind == "string":
        return _string_type(schema, form)
    if kind == "integer":
        return _integer_type(schema, form)
    if kind == "number":
        return NUMBER_FORMATS.get(str(form), "NUMERIC")
    return "BOOLEAN" if kind == "boolean" else "JSON"


def _kind_of_values(schema: Mapping[str, JsonValue]) -> JsonValue:
    values = schema.get("enum", [schema["const"]] if "const" in schema else [])
    if isinstance(values, list) and values and all(isinstance(each, str) for each in values):
        return "string"
    return None


def _string_type(schema: Mapping[str, JsonValue], form: JsonValue) -> str:
    if isinstance(form, str) and form in STRING_FORMATS:
        return STRING_FORMATS[form]
    length = schema.get("maxLength")
    if isinstance(length, int) and not isinstance(length, bool) and 1 <= length <= LENGTH_LIMIT:
        return f"VARCHAR({length})"
    return "TEXT"


def _integer_type(schema: Mapping[str, JsonValue], form: JsonValue) -> str:
    if isinstance(form, str) and form in INTEGER_FORMATS:
        return INTEGER_FORMATS[form]
    low, high = schema.get("minimum"), schema.get("maximum")
    if isinstance(low, int | float) and isinstance(high, int | float):
        for name in (TypeName.SMALLINT, TypeName.INTEGER):
            bits = INTEGER_BITS[name]
            if -(2**bits) <= low and high <= 2**bits - 1:
                return name.value
    return "BIGINT"
