"""A live OpenAPI document of one table: typed bodies, typed filters, examples from its columns."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any

from services.records.domain import ID, Column, Table
from services.records.face import openapi_parts as parts
from services.records.face.export_stream import CONTENT
from services.records.face.raw_answers import table_path
from services.records.query.expand import name_of
from services.records.query.parameters import EXPORT_PARAMETERS, LIST_PARAMETERS
from services.records.query.plan import TEXT_OPERATORS, Operator
from services.records.query.summary import SUMMARY_PARAMETERS
from services.records.types.json_schema import property_of, schema_of, shape_of
from services.records.types.rules import rule_value
from services.records.types.values import stored_text
from shared.contracts.auth import Scope
from shared.contracts.problem import PROBLEM_MEDIA_TYPE, ProblemDocument
from shared.contracts.records import ID_COLUMN
from shared.http.caller import SCOPE_DESCRIPTIONS
from shared.values.rule_checks import checks_of
from shared.values.rules import BOUNDS, NO_RULES, RuleName
from shared.values.types import FLOAT_TYPES, LENGTH_LIMIT, TEXT_TYPES, TypeName

Json = dict[str, Any]

EXAMPLES: Mapping[TypeName, object] = {
    TypeName.TEXT: "text",
    TypeName.VARCHAR: "text",
    TypeName.CHAR: "t",
    TypeName.SMALLINT: 1,
    TypeName.INTEGER: 42,
    TypeName.BIGINT: 42,
    TypeName.NUMERIC: 12.5,
    TypeName.REAL: 1.5,
    TypeName.DOUBLE: 1.5,
    TypeName.BOOLEAN: True,
    TypeName.DATE: "2026-01-31",
    TypeName.TIME: "08:30:00",
    TypeName.TIMESTAMP: "2026-01-31T08:30:00",
    TypeName.TIMESTAMPTZ: "2026-01-31T08:30:00Z",
    TypeName.INTERVAL: "P1DT2H",
    TypeName.UUID: "3fa85f64-5717-4562-b3fc-2c963f66afa6",
    TypeName.JSON: {"key": "value"},
    TypeName.BYTEA: "\\x00ff",
}
NO_NUMBERS = ("NaN", "Infinity", "-Infinity")
"""Values of REAL and DOUBLE PRECISION for which JSON has no number."""
RECORDS_READ = [{"sign-in": [Scope.RECORDS_READ.value]}]
RECORDS_WRITE = [{"sign-in": [Scope.RECORDS_WRITE.value]}]
STATUSES = (400, 401, 403, 404, 408, 409, 412, 413, 415, 422, 429, 500, 502, 503, 504)
PROBLEMS = {str(status): {"$ref": "#/components/responses/Problem"} for status in STATUSES}


def document_of(table: Table) -> Json:
    """The OpenAPI 3.1 document of a table as it is now."""
    path = f"{table_path(table.name)}/records"
    return {
        "openapi": "3.1.0",
        "info": {
            "title": table.name,
            "version": str(table.version),
            "description": table.description or f"The records of the table {table.name}.",
        },
        "servers": [{"url": "/"}],
        "paths": {
            path: _all_records(table),
            f"{path}/{{id}}": _one_record(table),
            f"{table_path(table.name)}/summary": {"get": _summary(table)},
            f"{table_path(table.name)}/export": {"get": _export(table)},
        },
        "components": _components(table),
    }


def _components(table: Table) -> Json:
    schema = schema_of(table)
    schema["properties"] = {name: _typed(each) for name, each in schema["properties"].items()}
    schema.pop("$schema")
    # The table's name, by which readers could not tell the three schemas apart.
    schema.pop("title")
    new = {**schema, "properties": dict(schema["properties"])}
    del new["properties"][ID_COLUMN]
    followed = {
        name_of(table, column): {
            "type": ["object", "null"],
            "description": f"What {column.name} references, with `expand={column.name}`.",
        }
        for column in _references(table)
    }
    record = {
        **schema,
        "properties": {**schema["properties"], **followed},
        # With `fields` the others are not there; `expand` and `fields` bring more.
        "required": [ID_COLUMN],
        "additionalProperties": True,
    }
    return {
        "schemas": {
            "Record": record,
            "NewRecord": new,
            "RecordChange": {**new, "required": []},
            **_problem(),
        },
        "responses": {
            "Problem": {
                "description": "It was refused, or failed; `code` says why.",
                "content": {PROBLEM_MEDIA_TYPE: {"schema": _ref("Problem")}},
            }
        },
        "securitySchemes": {
            "sign-in": {
                "type": "oauth2",
                "flows": {
                    "password": {
                        "tokenUrl": "/api/auth/token",
                        "scopes": {
                            scope.value: SCOPE_DESCRIPTIONS[scope]
                            for scope in (Scope.RECORDS_READ, Scope.RECORDS_WRITE)
                        },
                    }
                },
            }
        },
    }


def _typed(schema: Json) -> Json:
    """A column's schema as generators of clients read it.

    Without `default`: a client would fill it in and send it, with a change of another column too.
    """
    typed = {key: value for key, value in schema.items() if key != "default"}
    if "default" in schema:
        typed["x-default"] = schema["default"]
    kind = schema["x-type"]
    if kind == TypeName.JSON:
        # Any value; generators know no list of types that holds an array of they know not what.
        del typed["type"]
    elif kind in FLOAT_TYPES:
        typed |= _with_no_numbers({key: typed.pop(key) for key in ("type", "format")})
    return typed


def _with_no_numbers(number: Json) -> Json:
    return {"anyOf": [number, {"type": "string", "enum": list(NO_NUMBERS)}]}


def _references(table: Table) -> list[Column]:
    return [column for column in table.columns if column.rules.references is not None]


def _problem() -> Json:
    schema = ProblemDocument.model_json_schema(ref_template="#/components/schemas/{model}")
    parts: Json = schema.pop("$defs", {})
    return {"Problem": schema, **parts}


def _all_records(table: Table) -> Json:
    filters = list(_filters(table))
    example = _example(table)
    page = {
        "type": "object",
        "properties": {
            "items": {"type": "array", "items": _ref("Record")},
            "next": {"type": ["string", "null"]},
            "total": {"type": ["integer", "null"]},
        },
        "required": ["items", "next", "total"],
    }
    record = {ID_COLUMN: 1, **example}
    listed = {"items": [record], "next": None, "total": None}
    either = {"anyOf": [_ref("Record"), _counts("inserted", "updated")]}
    created = _answer("The record; of several, how many, and their ids.", either, record)
    paging = [
        parts.Q,
        parts.ACCENTS,
        parts.FIELDS,
        parts.SORT,
        *parts.PAGING,
        parts.COUNT,
        parts.NUMBERS,
        *([parts.EXPAND] if _references(table) else []),
    ]
    return {
        "get": _operation(
            "list", "Read records", RECORDS_READ, {"200": _answer("A page.", page, listed)}
        )
        | {"parameters": [*paging, *filters]},
        "post": _operation("create", "Insert records", RECORDS_WRITE, {"201": created})
        | {
            "parameters": [parts.IDEMPOTENCY, *parts.CONFLICT],
            "requestBody": _body(
                {"oneOf": [_ref("NewRecord"), {"type": "array", "items": _ref("NewRecord")}]},
                example,
            ),
        },
        "patch": _operation(
            "change_selected",
            "Change all records that filters select",
            RECORDS_WRITE,
            {"200": _answer("How many.", _counts("updated"), {"updated": 2})},
        )
        | {
            "parameters": [parts.Q, parts.ACCENTS, *filters],
            "requestBody": _body(_ref("RecordChange"), dict(list(example.items())[:1])),
        },
        "delete": _operation(
            "delete_selected",
            "Delete all records that filters select",
            RECORDS_WRITE,
            {"200": _answer("How many.", _counts("deleted"), {"deleted": 2})},
        )
        | {"parameters": [parts.Q, parts.ACCENTS, *filters]},
    }


def _one_record(table: Table) -> Json:
    example = _example(table)
    answer = {"200": _answer("The record.", _ref("Record"), {ID_COLUMN: 1, **example})}
    changed = dict(list(example.items())[:1])
    match = {"parameters": [parts.IF_MATCH]}
    identified = {"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}}
    return {
        "parameters": [identified],
        "get": _operation("get", "One record", RECORDS_READ, answer)
        | {"parameters": [parts.FIELDS, parts.NUMBERS]},
        "patch": _operation("change", "Change a record", RECORDS_WRITE, answer)
        | match
        | {"requestBody": _body(_ref("RecordChange"), changed)},
        "put": _operation("replace", "Replace a record", RECORDS_WRITE, answer)
        | match
        | {"requestBody": _body(_ref("NewRecord"), example)},
        "delete": _operation(
            "delete", "Delete a record", RECORDS_WRITE, {"204": {"description": "It is gone."}}
        )
        | match,
    }


def _summary(table: Table) -> Json:
    own = [each for each in parts.SUMMARY["parameters"] if each is not parts.FILTERS]
    page = {
        "type": "object",
        "properties": {
            "items": {"type": "array", "items": {"type": "object"}},
            "next": {"type": ["string", "null"]},
            "groups": {"type": "integer"},
        },
        "required": ["items", "next", "groups"],
    }
    groups = {"items": [{"count": 2}], "next": None, "groups": 1}
    answer = {"200": _answer("A page of groups.", page, groups)}
    return _operation("summary", "Sums of records, by group", RECORDS_READ, answer) | {
        "parameters": [*own, *_filters(table, reserved=LIST_PARAMETERS | SUMMARY_PARAMETERS)]
    }


def _export(table: Table) -> Json:
    own = [each for each in parts.EXPORT["parameters"] if each is not parts.FILTERS]
    answer = {
        "description": "The file.",
        "content": CONTENT,
    }
    return _operation("export", "Export records", RECORDS_READ, {"200": answer}) | {
        "parameters": [*own, *_filters(table, reserved=LIST_PARAMETERS | EXPORT_PARAMETERS)]
    }


def _filters(table: Table, *, reserved: Collection[str] = LIST_PARAMETERS) -> Iterable[Json]:
    named = {
        f"{column.name}__{operator}"
        for column in (ID, *table.columns)
        for operator in _operators(column)
    }
    for column in (ID, *table.columns):
        # A column named `a__gt` gives way to the filter of `a`.
        plain = column.name not in reserved and column.name not in named
        for operator in _operators(column):
            bare = operator is Operator.EQ and plain
            name = column.name if bare else f"{column.name}__{operator}"
            yield {
                "name": name,
                "in": "query",
                "required": False,
                "schema": _operand(column, operator),
                "description": f"{column.name} {OPERATOR_PHRASES[operator]}",
                # The page of the table shows only those that somebody asks for.
                "x-filter": True,
            }


def _operators(column: Column) -> Iterable[Operator]:
    return (each for each in Operator if column.is_text or each not in TEXT_OPERATORS)


def _operand(column: Column, operator: Operator) -> Json:
    if operator is Operator.ISNULL:
        return {"type": "boolean"}
    if operator is Operator.IN or column.type.name is TypeName.JSON:
        return {"type": "string"}
    # A filter may be what no value is: longer than any, or against the column's rules.
    shape = shape_of(replace(column, rules=NO_RULES))
    shape.pop("maxLength", None)
    return _with_no_numbers(shape) if column.type.name in FLOAT_TYPES else shape


OPERATOR_PHRASES: Mapping[Operator, str] = {
    Operator.EQ: "is this",
    Operator.NE: "is not this",
    Operator.GT: "is greater",
    Operator.GTE: "is greater or this",
    Operator.LT: "is less",
    Operator.LTE: "is less or this",
    Operator.IN: "is one of these, separated by commas",
    Operator.CONTAINS: "holds this",
    Operator.ICONTAINS: "holds this, in any case",
    Operator.STARTSWITH: "begins with this",
    Operator.ISNULL: "has no value (true), or has one (false)",
}
JSON = "application/json"


def _example(table: Table) -> Json:
    examples = {column.name: _example_of(column) for column in table.columns}
    return {name: value for name, value in examples.items() if value is not None}


def _example_of(column: Column) -> object:
    """A value that the column takes; None where none comes to mind and it may be left out."""
    kind, rules = column.type, column.rules
    default = property_of(column).get("default")
    if default is not None:
        return default
    plain = EXAMPLES[kind.name]
    if isinstance(plain, str) and kind.name in TEXT_TYPES:
        most = min(rules.max_length or LENGTH_LIMIT, kind.length or LENGTH_LIMIT)
        plain = plain.ljust(rules.min_length or 0, "x")[:most]
    limits = [rule_value(kind, name, value) for name, value in rules.given() if name in BOUNDS]
    choices = rule_value(kind, RuleName.ENUM, rules.enum) if rules.enum else []
    assert isinstance(choices, list)
    check = checks_of(kind, rules)
    for value in (plain, *choices[:1], *limits):
        if check is None or not check(stored_text(kind, value)):
            return value
    return None if column.nullable or column.default is not None else plain


def _operation(name: str, summary: str, security: list[Json], responses: Json) -> Json:
    return {
        "operationId": f"records_{name}",
        "summary": summary,
        "tags": ["records"],
        "security": security,
        "responses": {**responses, **PROBLEMS},
    }


def _answer(description: str, schema: Json, example: Json) -> Json:
    return {"description": description, "content": {JSON: {"schema": schema, "example": example}}}


def _body(schema: Json, example: object) -> Json:
    return {"required": True, "content": {JSON: {"schema": schema, "example": example}}}


def _counts(*names: str) -> Json:
    properties: Json = {name: {"type": "integer"} for name in names}
    if "inserted" in names:
        properties["ids"] = {"type": "array", "items": {"type": "integer"}}
    return {"type": "object", "properties": properties, "required": list(properties)}


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}
