"""Answers in the document: each status by which a call may be refused, and examples of success.

Services describe refusals as `4XX` and `5XX`, which generators of clients pass over; what a call
may be refused with follows from its parts. An example is made of its answer's schema where neither
the service nor `gateway.examples` has one.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from gateway.examples import ANSWERS, TEXTS

Json = Mapping[str, Any]

REFUSALS: Mapping[int, str] = {
    400: "The request cannot be read.",
    401: "There is no access token, or none that holds.",
    403: "The scope, the role or a grant is missing.",
    404: "There is no such thing, or none that you may see.",
    408: "The body took too long to arrive.",
    409: "The state of the thing forbids it now.",
    410: "It is there no more.",
    412: "The thing has changed since it was read.",
    413: "The body is too large.",
    415: "The body is of a media type that is not taken here.",
    422: "The input does not fit; `errors` names each field.",
    429: "Too many requests; `Retry-After` says when to come back.",
    460: "The checksum does not match.",
    500: "It failed on our side.",
    502: "A service gave no readable answer.",
    503: "Something that this needs is away, or has no room for it; `Retry-After` says when.",
    504: "A service took too long to answer.",
    507: "There is no room left for what was sent.",
}
ANY_CALL = frozenset({400, 422, 429, 500, 502, 503, 504})
TAGGED: Mapping[str, frozenset[int]] = {
    "catalog": frozenset({409}),
    "imports": frozenset({410}),
    "mail": frozenset({410}),
    "sign-in": frozenset({401}),
    "uploads": frozenset({410, 412, 415, 460, 507}),
    "verbs": frozenset({401, 404}),
}
FORMATS = {
    "date-time": "2026-01-31T08:30:00Z",
    "date": "2026-01-31",
    "time": "08:30:00Z",
    "uuid": "3fa85f64-5717-4562-b3fc-2c963f66afa6",
    "email": "ann@example.com",
    "uri": "https://example.com/",
}
PLAIN: Mapping[str, Any] = {
    "string": "text",
    "integer": 1,
    "number": 1.5,
    "boolean": True,
    "null": None,
}
WORDS: Mapping[str, str] = {
    "column": "email",
    "columns": "email",
    "email": "ann@example.com",
    "errors": "/api/imports/1/errors",
    "etl": "customers.csv",
    "etl_name": "customers.csv",
    "events": "/api/imports/1/events",
    "file_name": "customers.csv",
    "name": "Customer",
    "owner": "ann@example.com",
    "rejects": "/api/imports/1/rejects",
    "removed_by": "ann@example.com",
    "request_id": "437fc8e568205921b3c2e4f6",
    "schema": "data",
    "self": "/api/imports/1",
    "submitted_by": "ann@example.com",
    "table": "Customer",
    "type": "TEXT",
    "username": "ann",
}
"""Texts by the name of their member."""
CHOICES = ("anyOf", "oneOf", "allOf")
DEEPEST = 12


def with_answers(path: str, method: str, operation: Json, schemas: Json) -> dict[str, Any]:
    """The operation with explicit statuses, and examples of what it answers."""
    given: Json = operation.get("responses", {})
    responses = {status: each for status, each in given.items() if not status.endswith("XX")}
    for status in sorted(_refusals(path, method, operation)):
        kind = given.get(f"{status // 100}XX")
        if kind is not None:
            responses.setdefault(str(status), {**kind, "description": REFUSALS[status]})
    name = operation.get("operationId", "")
    return {
        **operation,
        "responses": {
            status: _with_example(name, answer, schemas) if status.startswith("2") else answer
            for status, answer in responses.items()
        },
    }


def _refusals(path: str, method: str, operation: Json) -> Iterator[int]:
    yield from ANY_CALL
    if operation.get("security"):
        yield from (401, 403)
    if "{" in path:
        yield 409
    if "{" in path or operation.get("parameters") or "requestBody" in operation:
        yield 404  # a query or a body, too, may name what is not there
    if method not in ("get", "head", "options"):
        yield 409
    if "requestBody" in operation:
        yield from (408, 413, 415)
        if {"imports", "uploads"} & set(operation.get("tags", ())):
            yield 507
    headers = (each for each in operation.get("parameters", ()) if each.get("in") == "header")
    if any(each.get("name", "").lower() == "if-match" for each in headers):
        yield 412
    for tag in operation.get("tags", ()):
        yield from TAGGED.get(tag, ())


def _with_example(name: str, answer: Json, schemas: Json) -> Json:
    content = {}
    for media_type, entry in answer.get("content", {}).items():
        content[media_type] = entry
        if "example" in entry or "examples" in entry:
            continue
        if media_type == "application/json":
            example = ANSWERS.get(name) or example_of(entry.get("schema", {}), schemas)
        elif media_type in TEXTS:
            example = TEXTS[media_type]
        else:
            continue
        content[media_type] = {**entry, "example": example}
    return {**answer, "content": content} if content else answer


def example_of(schema: Json, schemas: Json, depth: int = 0, *, name: str = "") -> Any:
    """A value that fits the schema; its own examples, defaults and choices go first.

    `name` is that of the member which the value is for.
    """
    stated = [*schema.get("examples", ())[:1], *schema.get("enum", ())[:1]]
    stated += [schema[word] for word in ("example", "const", "default") if word in schema]
    if name == "next" or (stated and stated[0] is not None):
        return None if name == "next" else stated[0]
    if inner := _inner(schema, schemas):
        return {} if depth > DEEPEST else example_of(inner, schemas, depth + 1, name=name)
    if _kind(schema) == "object":
        return _object(schema, schemas, depth)
    if _kind(schema) == "array":
        items: Json = schema.get("items", {})
        return [] if depth > DEEPEST else [example_of(items, schemas, depth + 1, name=name)]
    return _scalar(schema, name)


def _object(schema: Json, schemas: Json, depth: int) -> dict[str, Any]:
    properties: Json = schema.get("properties", {})
    values = {
        key: example_of(each, schemas, depth + 1, name=key) for key, each in properties.items()
    }
    required = schema.get("required", ())
    return {key: value for key, value in values.items() if value is not None or key in required}


def _scalar(schema: Json, name: str) -> Any:
    kind = _kind(schema)
    plain = PLAIN.get(kind)
    if kind in ("integer", "number"):
        return max(schema.get("minimum", plain), plain)
    if kind == "string":
        return FORMATS.get(schema.get("format", "")) or WORDS.get(name, plain)
    return plain


def _inner(schema: Json, schemas: Json) -> Json | None:
    """The schema that this one stands for: named, or the first of its choices."""
    if "$ref" in schema:
        named: Json = schemas.get(schema["$ref"].rpartition("/")[2], {})
        return named
    choices = [each for word in CHOICES for each in schema.get(word, ())]
    if {"type": "null"} in choices and any("$ref" in each for each in choices):
        # An error, a rule, a schedule: most things have none.
        return {"type": "null"}
    return next((each for each in choices if each.get("type") != "null"), None)


def _kind(schema: Json) -> str:
    kinds = schema.get("type", "object" if "properties" in schema else "")
    if isinstance(kinds, list):
        return next((each for each in kinds if each != "null"), "null")
    return str(kinds)
