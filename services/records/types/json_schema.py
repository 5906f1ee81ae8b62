"""Columns as JSON Schema: a table made from its own schema is the same table.

What JSON Schema has no word for stands in `x-type` (the API's spelling), `x-unique`,
`x-searchable`, `x-references` and `x-default`. `schema_reading` is the other way.
"""

from collections.abc import Mapping
from typing import Any

from services.records.domain import Column, DefaultCall, Table
from services.records.types.definitions import default_value
from services.records.types.rules import rule_value
from shared.contracts.records import ID_COLUMN
from shared.values.rules import RuleName
from shared.values.types import INTEGER_BITS, NUMBER_TYPES, ColumnType, TypeName

DIALECT = "https://json-schema.org/draft/2020-12/schema"
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

NUMBER_WORDS = {
    RuleName.MIN: "minimum",
    RuleName.EXCLUSIVE_MIN: "exclusiveMinimum",
    RuleName.MAX: "maximum",
    RuleName.EXCLUSIVE_MAX: "exclusiveMaximum",
}
FORMAT_WORDS = {
    RuleName.MIN: "formatMinimum",
    RuleName.EXCLUSIVE_MIN: "formatExclusiveMinimum",
    RuleName.MAX: "formatMaximum",
    RuleName.EXCLUSIVE_MAX: "formatExclusiveMaximum",
}
"""JSON Schema limits numbers alone; these words for dates and times are those of Ajv."""
OTHER_WORDS = {
    RuleName.MIN_LENGTH: "minLength",
    RuleName.MAX_LENGTH: "maxLength",
    RuleName.PATTERN: "pattern",
    RuleName.ENUM: "enum",
    RuleName.REFERENCES: "x-references",
}

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
    keys = [list(key) for key in table.composite_keys]
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
        **({"x-unique": keys} if keys else {}),
    }


def property_of(column: Column) -> Schema:
    """The schema of one column's values."""
    schema: Schema = {**shape_of(column), "x-type": column.type.spelled()}
    if column.nullable:
        kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        schema["type"] = [*kinds, "null"]
    if isinstance(column.default, DefaultCall):
        schema["x-default"] = default_value(column)
    elif column.default is not None:
        schema["default"] = default_value(column)
    if column.description is not None:
        schema["description"] = column.description
    if column.unique:
        schema["x-unique"] = True
    if column.searchable:
        schema["x-searchable"] = True
    if column.nullable and "enum" in schema:
        schema["enum"] = [*schema["enum"], None]
    return schema


def shape_of(column: Column) -> Schema:
    """Type, format, limits and rules of a column's values, NULL apart."""
    kind = column.type
    if kind.name in INTEGER_BITS:
        bits = INTEGER_BITS[kind.name]
        schema = {
            "type": "integer",
            "format": f"int{bits + 1}",
            "minimum": -(2**bits),
            "maximum": 2**bits - 1,
        }
    elif kind.length is not None:
        schema = {"type": "string", "maxLength": kind.length}
    else:
        schema = dict(SHAPES.get(kind.name, SHAPES[TypeName.TEXT]))
    for name, value in column.rules.given():
        _add_rule(schema, kind, name, rule_value(kind, name, value))
    return schema


def _add_rule(schema: Schema, kind: ColumnType, name: RuleName, value: object) -> None:
    if name is RuleName.MAX_LENGTH:
        value = min(value, schema.get("maxLength", value))
    words = NUMBER_WORDS if kind.name in NUMBER_TYPES else FORMAT_WORDS
    schema[words.get(name) or OTHER_WORDS[name]] = value
