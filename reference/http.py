"""The HTTP interface, out of the same OpenAPI document that the gateway answers."""

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from gateway.openapi import METHODS, TAGS, merge
from gateway.routing import Service
from reference.markdown import code, page, plain, table
from services.auth.main import create_app as auth
from services.auth.settings import AuthSettings
from services.catalog.main import create_app as catalog
from services.catalog.settings import CatalogSettings
from services.ingest.main import create_app as ingest
from services.ingest.settings import IngestSettings
from services.records.main import create_app as records
from services.records.query.plan import Operator
from services.records.settings import RecordsSettings

Schema = dict[str, Any]

OPERATORS = {
    Operator.EQ: "Equal; text also where it is another Unicode form of the same characters.",
    Operator.NE: "Not equal; NULL is none of both.",
    Operator.GT: "Greater.",
    Operator.GTE: "Greater or equal.",
    Operator.LT: "Less.",
    Operator.LTE: "Less or equal.",
    Operator.IN: "One of a comma-separated list; long ones by `POST …/query`.",
    Operator.CONTAINS: "Text that contains it, case and accents as given.",
    Operator.ICONTAINS: "The same in any case; with `accents=ignore` also without accents.",
    Operator.STARTSWITH: "Text that begins with it.",
    Operator.ISNULL: "`true`: NULL; `false`: not NULL.",
}


@dataclass(frozen=True, slots=True)
class Call:
    """One operation of the document."""

    method: str
    path: str
    operation: dict[str, Any]

    @property
    def scopes(self) -> list[str]:
        """What a token or key must have; empty where none is asked for by scope."""
        asked = (
            scopes for entry in self.operation.get("security", ()) for scopes in entry.values()
        )
        return sorted({scope for scopes in asked for scope in scopes})


@functools.cache
def document() -> Schema:
    """The merged document of all services, which need no database to write it."""
    # Without validation: of what the environment must give, no document says anything.
    apps = {
        Service.AUTH: auth(AuthSettings.model_construct()),
        Service.CATALOG: catalog(CatalogSettings.model_construct()),
        Service.RECORDS: records(RecordsSettings.model_construct()),
        Service.INGEST: ingest(IngestSettings.model_construct()),
    }
    return merge({service: app.openapi() for service, app in apps.items()}, missing=())


def calls() -> Iterator[Call]:
    """Every operation, in the document's order."""
    for path, item in document()["paths"].items():
        for method in METHODS:
            if method in item:
                yield Call(method.upper(), path, item[method])


def calls_page() -> str:
    """Every call, by tag."""
    parts = []
    for tag, meaning in TAGS.items():
        rows = [
            [
                f"{call.method} {code(call.path)}",
                call.operation.get("summary", ""),
                ", ".join(map(code, call.scopes)),
                ", ".join(sorted(call.operation["responses"])),
            ]
            for call in calls()
            if call.operation.get("tags", [None])[0] == tag
        ]
        if rows:
            parts += [f"## {tag}", meaning, table(["call", "what", "scope", "answers"], rows)]
    return page(
        "HTTP calls",
        "The same as in `/docs` and `/openapi.json` of every installation, where bodies, fields"
        " and examples stand. Each path works with and without one slash at its end.",
        *parts,
    )


def scopes_page() -> str:
    """What each scope of a token or key opens."""
    by_scope: dict[str, list[Call]] = {}
    for call in calls():
        for scope in call.scopes:
            by_scope.setdefault(scope, []).append(call)
    return page(
        "Scopes and keys",
        "An access token and an API key hold scopes; a call asks for those named here, and"
        " [grants](../rules.md) of a table decide beside them what may be seen. A person's token"
        " has all that are for their role; a key or a machine client has those that it was given.",
        table(
            ["scope", "opens"],
            [
                [code(scope), ", ".join(f"{call.method} {code(call.path)}" for call in opened)]
                for scope, opened in sorted(by_scope.items())
            ],
        ),
    )


def imports_page() -> str:
    """Every option of an import."""
    body = document()["paths"]["/api/imports"]["post"]["requestBody"]["content"]
    form = _resolved(body["multipart/form-data"]["schema"])
    return page(
        "Import options",
        "Fields of the form of `POST /api/imports`; the same in its JSON body beside `upload`, in"
        " `POST /api/imports/database` where they make sense, in `POST /api/previews`, in the"
        " options of a feed, and with dashes in `tabularium import`. [Files](../files.md) shows"
        " them at work.",
        table(["option", "value", "default", "meaning"], _fields(form)),
    )


def records_page() -> str:
    """The parameters of a list of records, and how columns are compared."""
    listing = document()["paths"]["/api/tables/{table}/records"]["get"]
    rows = [
        [code(each["name"]), _kind(_resolved(each["schema"])), plain(each.get("description"))]
        for each in (_resolved(parameter) for parameter in listing["parameters"])
        if each["in"] == "query"
    ]
    return page(
        "Reading records",
        "Parameters of `GET /api/tables/{table}/records`; `POST /api/tables/{table}/query` takes"
        " the same as a JSON body.",
        table(["parameter", "value", "meaning"], rows),
        "## Filters",
        "`column=value`, or `column__operator=value`. A column named like a parameter is filtered"
        " by `column__eq`. Several filters must all hold.",
        table(
            ["operator", "records whose value is"],
            [[code(o.value), OPERATORS[o]] for o in Operator],
        ),
        "## ETags",
        "A single record comes with an `ETag`, its `_version`. `If-Match` with it on PATCH, PUT or"
        " DELETE changes the record only if nobody did meanwhile: else 412 `stale_etag`.",
        "## Idempotency",
        "`Idempotency-Key` on any POST: the same key with the same body within a day gets the kept"
        " answer, with another body 409.",
    )


def _fields(schema: Schema) -> list[list[str]]:
    return [
        [
            code(name),
            _kind(_resolved(field)),
            code(_resolved(field).get("default", "")),
            plain(_resolved(field).get("description")),
        ]
        for name, field in schema["properties"].items()
    ]


def _resolved(schema: Schema) -> Schema:
    """The schema behind a reference, with what stands beside the reference."""
    if "$ref" not in schema:
        return schema
    target: Any = document()
    for part in schema["$ref"].removeprefix("#/").split("/"):
        target = target[part]
    return {**target, **{key: value for key, value in schema.items() if key != "$ref"}}


def _kind(schema: Schema) -> str:
    if "enum" in schema:
        return ", ".join(map(code, schema["enum"]))
    if "const" in schema:
        return code(schema["const"])
    if "anyOf" in schema:
        kinds = (_kind(_resolved(each)) for each in schema["anyOf"] if each.get("type") != "null")
        return " or ".join(dict.fromkeys(kinds))
    if schema.get("type") == "array":
        return f"list of {_kind(_resolved(schema.get('items', {})))}"
    if "minimum" in schema and "maximum" in schema:
        return f"{schema['type']}, {schema['minimum']} to {schema['maximum']}"
    return str(schema.get("format") or schema.get("type") or "any")
