"""Makes `docs/postman_collection.json` out of the API's document (Postman's format v2.1).

    python -m tests.clients.postman [URL]     # a running stack; http://127.0.0.1:8000 by default

First a walk through the API, which newman runs; then every operation, by tag, with its example.
The same document always gives the same bytes.
"""

import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx2

from tests.clients.walk import FILE, LOOK_AGAIN_MS, MOST_LOOKS, WALK, Step

Json = dict[str, Any]

COLLECTION = Path(__file__).resolve().parents[2] / "docs" / "postman_collection.json"
SCHEMA = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
WALK_FOLDER = "Walk through"
METHODS = ("get", "post", "put", "patch", "delete")
DEEPEST = 6


def collection(document: Mapping[str, Any]) -> Json:
    """The collection of a document; raises KeyError for a step that is no operation of it."""
    info = document["info"]
    variables = {
        "baseUrl": "http://127.0.0.1:8000",
        "username": "admin",
        "password": "",
        **dict.fromkeys(("access", "refresh", "table", "record", "import", "etl"), ""),
    }
    return {
        "info": {
            "name": info["title"],
            "description": f"Generated from /openapi.json, version {info['version']}. Set the"
            f" variables `username` and `password`, then run the folder *{WALK_FOLDER}*, or sign in"
            " with its first request and use any other.",
            "schema": SCHEMA,
        },
        "auth": {"type": "bearer", "bearer": [_pair("token", "{{access}}")]},
        "variable": [{**_pair(name, value)} for name, value in variables.items()],
        "item": [
            {
                "name": WALK_FOLDER,
                "description": "From sign-in to a loaded, queried, exported and dropped table.",
                "item": [_of_step(step, document) for step in WALK],
            },
            *_folders(document),
        ],
    }


def _of_step(step: Step, document: Mapping[str, Any]) -> Json:
    operation = _operations(document)[step.method, _shape(step.path)]
    path = step.path.replace("{", "{{").replace("}", "}}")
    request: Json = {
        "method": step.method,
        "description": operation.get("summary", ""),
        "header": [],
        "url": _url(path, [_pair(name, value) for name, value in step.query.items()]),
    }
    if not step.signed_in:
        request["auth"] = {"type": "noauth"}
    if step.form is not None:
        fields = [{"type": "text", **_pair(name, value)} for name, value in step.form.items()]
        file = {"key": "file", "type": "file", "src": FILE}
        request["body"] = {"mode": "formdata", "formdata": [*fields, file]}
    elif step.body is not None:
        request["body"] = _json_body(step.body)
    events = [_script("test", _checks(step))]
    if step.before is not None:
        events.insert(0, _script("prerequest", [step.before]))
    return {"name": step.name, "event": events, "request": request}


def _checks(step: Step) -> list[str]:
    """The step's test script."""
    lines = [
        "const kind = pm.response.headers.get('Content-Type') || '';",
        "const told = kind.includes('json') && pm.response.text() ? pm.response.json() : {};",
    ]
    if step.until is not None:
        lines += [
            "const looks = Number(pm.collectionVariables.get('looks') || 0);",
            f"if (!({step.until}) && looks < {MOST_LOOKS}) {{",
            "  pm.collectionVariables.set('looks', looks + 1);",
            "  pm.execution.setNextRequest(pm.info.requestName);",
            f"  setTimeout(() => {{}}, {LOOK_AGAIN_MS});",
            "  return;",
            "}",
            "pm.collectionVariables.unset('looks');",
        ]
    lines += [
        f"pm.test('{step.status}', () => pm.response.to.have.status({step.status}));",
        *(f"pm.collectionVariables.set('{name}', {found});" for name, found in step.keep.items()),
        *(
            f"pm.test({json.dumps(words)}, () => pm.expect({condition}).to.be.true);"
            for words, condition in step.expect.items()
        ),
    ]
    return lines


def _folders(document: Mapping[str, Any]) -> Iterator[Json]:
    """A folder per tag, with every operation that bears it first."""
    for tag in document["tags"]:
        items = [
            _of_operation(method, path, operation, document)
            for path, item in document["paths"].items()
            for method, operation in item.items()
            if method in METHODS and operation["tags"][0] == tag["name"]
        ]
        if items:
            yield {
                "name": tag["name"],
                "description": tag.get("description", ""),
                "item": items,
            }


def _of_operation(
    method: str, path: str, operation: Mapping[str, Any], document: Mapping[str, Any]
) -> Json:
    parameters = [_resolved(one, document) for one in operation.get("parameters", [])]
    query = [
        {**_pair(name, value), "disabled": True}
        | ({"description": one["description"]} if "description" in one else {})
        for one in parameters
        if one["in"] == "query"
        for name, value in _query_pairs(one, document)
    ]
    url = _url(re.sub(r"\{([^}]+)\}", r":\1", path), query)
    url["variable"] = [
        _pair(one["name"], _text(_example(one, document)))
        for one in parameters
        if one["in"] == "path"
    ]
    request: Json = {
        "method": method.upper(),
        "description": operation.get("description", operation.get("summary", "")),
        "header": [
            {**_pair(one["name"], ""), "disabled": True}
            for one in parameters
            if one["in"] == "header"
        ],
        "url": url,
    }
    if not operation.get("security"):
        request["auth"] = {"type": "noauth"}
    content = operation.get("requestBody", {}).get("content", {})
    if content:
        request["body"] = _body(content, document)
    return {"name": operation["summary"], "request": request}


def _query_pairs(
    parameter: Mapping[str, Any], document: Mapping[str, Any]
) -> Iterator[tuple[str, str]]:
    """A parameter as it stands in a query; an object's members stand there by themselves."""
    example = _example(parameter, document)
    if parameter.get("schema", {}).get("type") == "object" and example:
        yield from ((name, _text(value)) for name, value in example.items())
    else:
        yield parameter["name"], _text(example)


def _body(content: Mapping[str, Any], document: Mapping[str, Any]) -> Json:
    """A body in the first media type that is given, out of its example or its schema."""
    media_type, given = next(iter(content.items()))
    example = _example(given, document)
    if media_type.endswith("json"):
        return _json_body(example)
    fields = example if isinstance(example, dict) else {}
    if media_type == "multipart/form-data":
        return {
            "mode": "formdata",
            "formdata": [
                {"key": name, "type": "file", "src": FILE}
                if name == "file"
                else {"type": "text", **_pair(name, _text(value))}
                for name, value in fields.items()
            ],
        }
    return {
        "mode": "urlencoded",
        "urlencoded": [_pair(name, _text(value)) for name, value in fields.items()],
    }


def _example(given: Mapping[str, Any], document: Mapping[str, Any]) -> Any:
    """The example of a media type or parameter; made out of its schema when it has none."""
    if "example" in given:
        return given["example"]
    if isinstance(given.get("examples"), dict) and given["examples"]:
        return next(iter(given["examples"].values())).get("value")
    return _sample(given.get("schema", {}), document, depth=0)


def _sample(schema: Mapping[str, Any], document: Mapping[str, Any], *, depth: int) -> Any:
    schema = _resolved(schema, document)
    given = [schema[key] for key in ("example", "const", "default") if schema.get(key) is not None]
    given += [schema[key][0] for key in ("examples", "enum") if schema.get(key)]
    if given:
        return given[0]
    variants = [
        variant
        for key in ("anyOf", "oneOf", "allOf")
        for variant in schema.get(key, [])
        if variant.get("type") != "null"
    ]
    if variants:
        return _sample(variants[0], document, depth=depth)
    if depth > DEEPEST:
        return None
    if "properties" in schema:
        wanted = schema.get("required") or list(schema["properties"])
        return {
            name: _sample(schema["properties"][name], document, depth=depth + 1)
            for name in schema["properties"]
            if name in wanted
        }
    if schema.get("type") == "array":
        return [_sample(schema.get("items", {}), document, depth=depth + 1)]
    plain = {"object": {}, "integer": schema.get("minimum", 1), "number": 1, "boolean": False}
    return plain.get(str(schema.get("type")), "")


def _operations(document: Mapping[str, Any]) -> dict[tuple[str, str], Mapping[str, Any]]:
    return {
        (method.upper(), _shape(path)): operation
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method in METHODS
    }


def _shape(path: str) -> str:
    """A path whatever its parameters are called."""
    return re.sub(r"\{[^}]*\}", "{}", path).rstrip("/")


def _resolved(node: Mapping[str, Any], document: Mapping[str, Any]) -> Mapping[str, Any]:
    while "$ref" in node:
        found: Any = document
        for part in node["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        node = found
    return node


def _url(path: str, query: list[Json]) -> Json:
    raw = "{{baseUrl}}" + path
    enabled = "&".join(f"{one['key']}={one['value']}" for one in query if not one.get("disabled"))
    url: Json = {
        "raw": f"{raw}?{enabled}" if enabled else raw,
        "host": ["{{baseUrl}}"],
        "path": path.lstrip("/").split("/"),
    }
    if query:
        url["query"] = query
    return url


def _json_body(value: Any) -> Json:
    text = json.dumps(value, indent=2, ensure_ascii=False)
    # An id is a number: a variable in its place must not stand in quotes.
    text = text.replace('"{{record}}"', "{{record}}")
    return {"mode": "raw", "raw": text, "options": {"raw": {"language": "json"}}}


def _script(listen: str, lines: list[str]) -> Json:
    return {"listen": listen, "script": {"type": "text/javascript", "exec": lines}}


def _pair(key: str, value: str) -> Json:
    return {"key": key, "value": value}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def written(document: Mapping[str, Any]) -> str:
    """The collection as the file has it."""
    return json.dumps(collection(document), indent=1, ensure_ascii=False) + "\n"


def main() -> None:
    """Fetch the document and write the file."""
    url = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000"
    answer = httpx2.get(f"{url}/openapi.json", trust_env=False).raise_for_status()
    COLLECTION.write_text(written(answer.json()))
    sys.stdout.write(f"{COLLECTION}\n")


if __name__ == "__main__":
    main()
