"""What FastAPI cannot see by itself: bodies that are read as they were sent, and filters."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from services.records.query import summary
from services.records.query.export import ExportFormat
from services.records.query.parameters import DEFAULT_LIMIT, LIMIT
from services.records.query.plan import Operator
from services.records.query.summary import Unit
from shared.store.idempotency import HEADER

Parameter = dict[str, Any]

RECORD = {"type": "object", "additionalProperties": True}
RECORD_EXAMPLE = {"name": "Ann", "email": "ann@example.com", "created_at": "2026-01-31"}


def parameter(name: str, schema: Mapping[str, Any], description: str) -> Parameter:
    """A parameter of the query."""
    return {
        "name": name,
        "in": "query",
        "required": False,
        "schema": dict(schema),
        "description": description,
    }


FILTERS: Parameter = {
    "name": "filters",
    "in": "query",
    "required": False,
    "style": "form",
    "explode": True,
    "schema": {"type": "object", "additionalProperties": {"type": "string"}},
    # Swagger UI fills in an example, which no table need have a column for.
    "example": {},
    "description": "Column filters as an object: `column=value`, or `column__operator=value` with"
    " one of "
    + ", ".join(Operator)
    + ". `in` takes values separated by commas; a column named like a parameter is filtered by"
    " `__eq`.",
}
Q = parameter(
    "q",
    {"type": "string"},
    "Words that stand in some text column, in any case, with or without accents.",
)
ACCENTS = parameter(
    "accents",
    {"type": "string", "enum": ["ignore", "keep"]},
    "Whether `q` (default: ignore) and `icontains` (default: keep) tell accents apart.",
)
FIELDS = parameter("fields", {"type": "string"}, "Columns to answer, separated by commas.")
SORT = parameter(
    "sort",
    {"type": "string"},
    "Columns to sort by, `-` for descending: `-age,name`. Texts are sorted as people do it;"
    " `name:code` by code point, which an index helps.",
)
COUNT = parameter(
    "count", {"type": "string", "enum": ["none", "estimated", "exact"]}, "What `total` says."
)
NUMBERS = parameter(
    "numbers",
    {"type": "string", "enum": ["json", "text"]},
    "BIGINT and NUMERIC as numbers, or as texts for readers that round.",
)
EXPAND = parameter(
    "expand",
    {"type": "string"},
    "References to follow, by their columns: `customer_id,customer_id.country`. Each referenced"
    " record becomes an object named as the column without `_id`, or `…_record` where that is"
    " taken; null where you may not see it.",
)
PAGING = (
    parameter("page", {"type": "integer", "minimum": 1}, "Page by number; or use `cursor`."),
    parameter(
        "limit",
        {"type": "integer", "minimum": 1, "maximum": LIMIT, "default": DEFAULT_LIMIT},
        "Records on a page.",
    ),
    parameter("cursor", {"type": "string"}, "Where the page before ended; follow `next`."),
)
LIST = {"parameters": [Q, ACCENTS, FIELDS, SORT, *PAGING, COUNT, NUMBERS, EXPAND, FILTERS]}
FURTHER = (PAGING[0], PAGING[2])
"""What `next` adds to a list whose other parameters are in its body."""
TEXTS = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}
QUERY_BODY = {
    "type": "object",
    "properties": {
        **{each["name"]: each["schema"] for each in (Q, ACCENTS, *PAGING, COUNT, NUMBERS)},
        "fields": TEXTS,
        "sort": TEXTS,
        "expand": TEXTS,
    },
    "additionalProperties": True,
    "description": "The parameters of the list and its column filters; `column__in` is an array.",
}
QUERY_EXAMPLE = {"name__in": ["Ann", "Bob"], "sort": ["-created_at", "name"], "limit": 100}
SUMMARY = {
    "parameters": [
        parameter(
            "group_by",
            {"type": "string"},
            "Columns, or times cut to a unit, separated by commas: `origin,month(time_hour)`. Units"
            f" are {', '.join(Unit)}. Without it there is one group, of all records.",
        ),
        parameter(
            "measures",
            {"type": "string", "default": "count"},
            "What to say of each group, separated by commas: `count` of its records, and"
            " `sum`, `avg`, `min`, `max`, `count_distinct` of a column: `count,avg(delay)`.",
        ),
        parameter(
            "sort",
            {"type": "string"},
            "Words of `group_by` and `measures`, `-` for descending: `-count`. By the groups in"
            " their order otherwise.",
        ),
        parameter(
            "limit",
            {
                "type": "integer",
                "minimum": 1,
                "maximum": summary.LIMIT,
                "default": summary.DEFAULT_LIMIT,
            },
            "Groups on a page.",
        ),
        PAGING[2],
        NUMBERS,
        Q,
        ACCENTS,
        FILTERS,
    ]
}
EXPORT = {
    "parameters": [
        parameter(
            "format",
            {"type": "string", "enum": list(ExportFormat)},
            "The format.",
        ),
        parameter(
            "excel_safe", {"type": "boolean", "default": False}, "Neutralise formulas in CSV."
        ),
        Q,
        ACCENTS,
        FIELDS,
        SORT,
        NUMBERS,
        FILTERS,
    ]
}
NUMBERED = {
    "parameters": [
        {**parameter("table_name", {"type": "string"}, "The table."), "required": True},
        PAGING[0],
        parameter(
            "limit",
            {"type": "integer", "minimum": 1, "maximum": LIMIT, "default": 10},
            "Records on a page.",
        ),
        parameter("order_by", {"type": "string"}, "A column."),
        parameter("order_direction", {"type": "string", "enum": ["ASC", "DESC"]}, "Its direction."),
        parameter("search", {"type": "string"}, "Words that stand in some text column."),
        ACCENTS,
        FILTERS,
    ]
}
IDEMPOTENCY: Parameter = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    "description": "Sent again with the same body, it is answered with the first answer.",
}
IF_MATCH: Parameter = {
    "name": "If-Match",
    "in": "header",
    "required": False,
    "schema": {"type": "string"},
    "description": "Only if the record's ETag is still this one; else 412.",
}
CONFLICT = (
    parameter(
        "on_conflict",
        {"type": "string", "enum": ["error", "ignore", "update"]},
        "What happens to a record whose key is there already.",
    ),
    parameter("key", {"type": "string"}, "The unique column(s) that make the key."),
)


def body(
    schema: Mapping[str, Any], example: object, *, parameters: Sequence[Parameter] = ()
) -> dict[str, Any]:
    """A JSON body with this schema, for `openapi_extra`."""
    content = {"application/json": {"schema": dict(schema), "example": example}}
    described: dict[str, Any] = {"requestBody": {"required": True, "content": content}}
    if parameters:
        described["parameters"] = list(parameters)
    return described


def body_of(
    model: type[BaseModel], example: object, *, parameters: Sequence[Parameter] = ()
) -> dict[str, Any]:
    """A JSON body with a model's schema."""
    schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
    anything = [name for name, each in schema.pop("$defs", {}).items() if not each]
    return body(_without(schema, anything), example, parameters=parameters)


def _without(node: Any, names: Sequence[str]) -> Any:
    """A schema that refers to none of these, which allow anything and are in no document."""
    if isinstance(node, list):
        return [_without(each, names) for each in node]
    if not isinstance(node, dict):
        return node
    if str(node.get("$ref", "")).rpartition("/")[2] in names:
        return {}
    return {key: _without(value, names) for key, value in node.items()}
