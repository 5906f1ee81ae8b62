"""One OpenAPI 3.1 document out of those of the services; pure, no network here.

Paths that the gateway does not route are left out. Schemas of the same name and different shape
are told apart by their service's name; operation ids stay as the services gave them.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gateway.answers import with_answers
from gateway.examples import with_example, with_parameter_example
from gateway.routing import Service, rule_for
from shared import __version__
from shared.contracts.problem import PROBLEM_MEDIA_TYPE

Document = Mapping[str, Any]

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")

ORIGIN = "http://origin.invalid"
"""Stands for where the reader reaches the gateway: OpenAPI 3.1 wants whole URLs for tokens."""

TOKEN_SCHEME = "AccessToken"  # noqa: S105 - a name
"""For those who have a token already, such as people who sign in with a code by mail."""

TITLE = "Tabularium"
DESCRIPTION = """\
Make tables, load files and other databases into them, see exactly which rows were refused and why,
and which ETL fed which table.

**Start here**: press *Authorize* and sign in with user name (or e-mail address) and password. Or
ask for a code by mail (`POST /api/auth/otp`), exchange it (`POST /api/auth/otp/verify`) and give
the access token to *Authorize*. Then *Try it out* works on every call.

[Each table has a document of its own](/docs/tables), with its columns as fields and filters.

Every path works with and without one slash at its end. Errors are `application/problem+json`
(RFC 9457) with a stable `code`; `request_id` finds the request in the logs.
"""

TAGS = {
    "sign-in": "Get tokens: with a code by mail, a password, or as a machine client.",
    "account": "Your own account.",
    "api-keys": "Your own keys, for programs that cannot renew a token.",
    "tables": "Make, change and drop tables; see their columns and their JSON Schema.",
    "records": "Read, filter, search, write and export the rows of a table.",
    "imports": "Load a file or another database into a table; follow it, and get back what was "
    "refused, with line, column and reason.",
    "uploads": "Files kept for a day, whole or piece by piece (tus), to be imported by id.",
    "feeds": "Imports that come again: pushed, or fetched by a schedule.",
    "sources": "Saved connections to other databases.",
    "webhooks": "Have your own programs called when an import ends or a table changes; the "
    "messages themselves are under `webhooks` in this document.",
    "catalog": "Schemas, tables and ETLs, and which ETL feeds which table.",
    "openlineage": "Events of OpenLineage's clients: Airflow, dbt, Spark and others.",
    "grants": "Who may see, fill and own a table.",
    "verbs": "The calls of the two older systems, with their exact paths and bodies.",
    "users": "Accounts of people; for admins.",
    "clients": "Machine clients and their scopes; for admins.",
    "keys": "The public keys that access tokens are signed with.",
    "mail": "Stop the mails about imports, by a signed link.",
    "audit": "Who did what to what; for admins.",
}
"""In the order in which they are shown."""


def merge(documents: Mapping[Service, Document], *, missing: Sequence[Service]) -> dict[str, Any]:
    """The one document; `missing` names services that have none to give at the moment."""
    paths: dict[str, Any] = {}
    webhooks: dict[str, Any] = {}
    components: dict[str, dict[str, Any]] = {}
    owners: dict[str, Service] = {}
    tags: dict[str, str | None] = {}
    for service in Service:
        if service not in documents:
            continue
        document = _with_own_names(documents[service], components, service)
        for section, entries in document.get("components", {}).items():
            components.setdefault(section, {}).update(entries)
        for tag in document.get("tags", []):
            tags.setdefault(tag["name"], tag.get("description"))
        webhooks.update(document.get("webhooks", {}))
        for path, item in document.get("paths", {}).items():
            if rule_for(path) is None:
                continue
            paths[path] = _tidied(item, service, owners, tags)
    schemas = components.get("schemas", {})
    _leave_out_defaults(paths, schemas)
    paths = {path: _answered(path, item, schemas) for path, item in paths.items()}
    merged = {
        "openapi": "3.1.0",
        "info": {
            "title": TITLE,
            "version": __version__,
            "description": DESCRIPTION + _note(missing),
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/", "description": "this gateway"}],
        "tags": _described(tags),
        "paths": dict(sorted(paths.items(), key=lambda entry: _place(entry[0]))),
        "components": _with_schemes(_reachable([paths, webhooks], components)),
    }
    if webhooks:
        merged["webhooks"] = webhooks
    if missing:
        merged["x-missing"] = [service.value for service in missing]
    return merged


def _leave_out_defaults(paths: Mapping[str, Any], schemas: dict[str, Any]) -> None:
    """Drop the defaults of what a PATCH takes: a field that is left out stays as it is.

    Generated clients fill defaults in, and so would send fields that nobody named.
    """
    for item in paths.values():
        body = item.get("patch", {}).get("requestBody", {})
        for content in body.get("content", {}).values():
            name = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
            if name in schemas:
                properties = {
                    field: {key: value for key, value in each.items() if key != "default"}
                    for field, each in schemas[name].get("properties", {}).items()
                }
                schemas[name] = {**schemas[name], "properties": properties}


def _with_schemes(components: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    schemes = {
        name: {
            **scheme,
            "flows": {
                flow: {
                    key: ORIGIN + value
                    if key.endswith("Url") and str(value).startswith("/")
                    else value
                    for key, value in words.items()
                }
                for flow, words in scheme["flows"].items()
            },
        }
        if "flows" in scheme
        else scheme
        for name, scheme in components.get("securitySchemes", {}).items()
    }
    if schemes:
        schemes[TOKEN_SCHEME] = {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "An access token, such as `POST /api/auth/otp/verify` answers.",
        }
    return {**components, **({"securitySchemes": schemes} if schemes else {})}


def _reachable(paths: Any, components: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The components that paths and messages lead to; internal ones are left out."""
    kept: dict[str, dict[str, Any]] = {
        "securitySchemes": components.get("securitySchemes", {}),
    }
    waiting = list(_pointers(paths))
    while waiting:
        section, _, name = waiting.pop().removeprefix("#/components/").partition("/")
        entry = components.get(section, {}).get(name)
        if entry is not None and name not in kept.setdefault(section, {}):
            kept[section][name] = entry
            waiting.extend(_pointers(entry))
    return {section: dict(sorted(entries.items())) for section, entries in kept.items() if entries}


def _pointers(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref" and isinstance(value, str):
                yield value
            elif key == "discriminator" and isinstance(value, dict):
                yield from value.get("mapping", {}).values()
            else:
                yield from _pointers(value)
    elif isinstance(node, list):
        for element in node:
            yield from _pointers(element)


def _note(missing: Sequence[Service]) -> str:
    if not missing:
        return ""
    names = ", ".join(missing)
    return f"\n> **Not complete at the moment:** {names} does not answer; its calls are missing.\n"


def _place(path: str) -> tuple[int, str]:
    """Sign-in first, then the rest by name."""
    return (0 if path.startswith(("/api/auth", "/api/token")) else 1, path)


def _described(tags: Mapping[str, str | None]) -> list[dict[str, str]]:
    known = list(TAGS)
    ordered = sorted(tags, key=lambda name: (known.index(name) if name in TAGS else 99, name))
    described = []
    for name in ordered:
        description = tags[name] or TAGS.get(name)
        described.append(
            {"name": name, "description": description} if description else {"name": name}
        )
    return described


def _tidied(
    item: Mapping[str, Any],
    service: Service,
    owners: dict[str, Service],
    tags: dict[str, str | None],
) -> dict[str, Any]:
    tidy = dict(item)
    for method in METHODS:
        if method not in tidy:
            continue
        operation = dict(tidy[method])
        name = operation.get("operationId", f"{service}_{method}")
        if name in owners:
            name = f"{service}_{name}"
        owners[name] = service
        operation["operationId"] = name
        operation.setdefault("tags", [service.value])
        for tag in operation["tags"]:
            tags.setdefault(tag, None)
        operation["responses"] = {
            status: _as_problem(answer) if status[0] in "45d" else _of_3_1(answer)
            for status, answer in operation.get("responses", {}).items()
        }
        if "security" in operation:
            operation["security"] = [*operation["security"], {TOKEN_SCHEME: []}]
        if "parameters" in operation:
            operation["parameters"] = [
                with_parameter_example(name, each) for each in operation["parameters"]
            ]
        if "requestBody" in operation:
            operation["requestBody"] = with_example(
                name, _with_file_fields(operation["requestBody"])
            )
        tidy[method] = operation
    return tidy


def _answered(path: str, item: Document, schemas: Document) -> dict[str, Any]:
    return {
        key: with_answers(path, key, value, schemas) if key in METHODS else value
        for key, value in item.items()
    }


def _as_problem(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    """FastAPI writes a model under the route's media type; problems have one of their own."""
    content = answer.get("content", {})
    if PROBLEM_MEDIA_TYPE not in content:
        return answer
    described = (entry for entry in content.values() if entry.get("schema"))
    return {**answer, "content": {PROBLEM_MEDIA_TYPE: next(described, {})}}


def _of_3_1(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    """FastAPI describes streams with `itemSchema`, which is a word of OpenAPI 3.2."""
    content = {
        media_type: {
            **{key: value for key, value in entry.items() if key != "itemSchema"},
            "schema": entry.get("schema", {"type": "string"}),
        }
        if "itemSchema" in entry
        else entry
        for media_type, entry in answer.get("content", {}).items()
    }
    return {**answer, "content": content} if content else answer


def _with_file_fields(body: Any) -> Any:
    """Say `format: binary` of file fields, which is what Swagger UI makes a file button of.

    OpenAPI 3.1 itself says `contentMediaType: application/octet-stream`; both may stand.
    """
    if isinstance(body, dict):
        changed = {key: _with_file_fields(value) for key, value in body.items()}
        if (
            changed.get("type") == "string"
            and changed.get("contentMediaType") == "application/octet-stream"
        ):
            changed["format"] = "binary"
        return changed
    if isinstance(body, list):
        return [_with_file_fields(element) for element in body]
    return body


def _with_own_names(
    document: Document, taken: Mapping[str, Mapping[str, Any]], service: Service
) -> Document:
    """The document with those components renamed whose names mean something else already."""
    renamed = {}
    for section, entries in document.get("components", {}).items():
        for name, entry in entries.items():
            if name in taken.get(section, {}) and taken[section][name] != _with_file_fields(entry):
                pointer = f"#/components/{section}/{name}"
                renamed[pointer] = f"{service.value.capitalize()}{name}"
    changed: Document = _rewritten(document, renamed)
    components: dict[str, dict[str, Any]] = {}
    for section, entries in changed.get("components", {}).items():
        components[section] = {}
        for name, entry in entries.items():
            own = _with_file_fields(entry)
            new_name = renamed.get(f"#/components/{section}/{name}")
            if new_name is not None and "title" in own:
                # Generators of clients name their classes after the title.
                own = {**own, "title": new_name}
            components[section][new_name or name] = own
    return {**changed, "components": components}


def _rewritten(node: Any, renamed: Mapping[str, str]) -> Any:
    if isinstance(node, dict):
        return {
            key: _new_pointer(value, renamed)
            if key == "$ref" and isinstance(value, str)
            else _rewritten(value, renamed)
            for key, value in node.items()
        }
    if isinstance(node, list):
        return [_rewritten(element, renamed) for element in node]
    return node


def _new_pointer(pointer: str, renamed: Mapping[str, str]) -> str:
    name = renamed.get(pointer)
    return pointer if name is None else f"{pointer.rpartition('/')[0]}/{name}"
