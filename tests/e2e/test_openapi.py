"""The one document, as the services really give it."""

import json
from collections.abc import Iterator
from typing import Any

import httpx2
import jsonschema_rs
import pytest
import schemathesis

from tests.support.profile import only_in_full
from tests.support.stack import RunningStack

METHODS = {"get", "put", "post", "delete", "patch", "head", "options", "trace"}
FREE = (
    "/api/token",
    "/api/auth/otp",
    "/api/auth/token",
    "/api/auth/revoke",
    "/.well-known",
    "/api/mail/stop",
)
"""Calls that nobody is signed in for."""

Operation = tuple[str, dict[str, Any]]


@pytest.fixture(scope="module")
def document(stack: RunningStack) -> dict[str, Any]:
    answer = httpx2.get(f"{stack.url}/openapi.json", trust_env=False)
    assert answer.status_code == 200
    content: dict[str, Any] = answer.json()
    return content


def operations(document: dict[str, Any]) -> Iterator[Operation]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method in METHODS:
                yield f"{method.upper()} {path}", operation


def test_all_services_are_in_it(document: dict[str, Any]) -> None:
    assert "x-missing" not in document
    assert document["openapi"].startswith("3.1")
    for path in ("/api/token", "/api/tables", "/api/imports", "/api/catalog/etls"):
        assert path in document["paths"]
    assert not [path for path in document["paths"] if "internal" in path]


@only_in_full
def test_it_is_valid_openapi_3_1(document: dict[str, Any]) -> None:
    schemathesis.openapi.from_dict(document).validate()


def test_operation_ids_are_unique(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, operation in operations(document)]
    assert len(names) == len(set(names))


def test_every_operation_is_described_and_tagged(document: dict[str, Any]) -> None:
    described = {tag["name"] for tag in document["tags"] if tag.get("description")}
    for where, operation in operations(document):
        assert operation.get("summary"), where
        assert operation.get("description"), where
        assert set(operation["tags"]) <= described, where


def test_every_error_is_a_problem(document: dict[str, Any]) -> None:
    for where, operation in operations(document):
        refusals = {
            status: answer
            for status, answer in operation["responses"].items()
            if status[0] in "45d"
        }
        assert refusals, where
        for answer in refusals.values():
            assert list(answer["content"]) == ["application/problem+json"], where
            schema = answer["content"]["application/problem+json"]["schema"]
            assert schema == {"$ref": "#/components/schemas/ProblemDocument"}, where


def test_every_call_but_sign_in_names_its_scheme(
    document: dict[str, Any], stack: RunningStack
) -> None:
    schemes = document["components"]["securitySchemes"]
    (flow,) = [scheme["flows"]["password"] for scheme in schemes.values() if "flows" in scheme]
    assert flow["tokenUrl"] == f"{stack.url}/api/auth/token"
    for where, operation in operations(document):
        method, path = where.split(" ")
        if method != "OPTIONS" and not path.startswith(FREE):
            assert operation.get("security"), where


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    text = json.dumps(document)
    for pointer in {part.split('"')[0] for part in text.split('"$ref": "')[1:]}:
        node: Any = document
        for part in pointer.removeprefix("#/").split("/"):
            node = node[part]


def test_every_body_has_an_example_that_fits_its_schema(document: dict[str, Any]) -> None:
    for where, operation in operations(document):
        for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
            examples = [content["example"]] if "example" in content else []
            examples += [named["value"] for named in content.get("examples", {}).values()]
            schema = content["schema"]
            if not examples:
                named = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
                examples = named.get("examples", [])
            assert examples, f"{where} {media_type}"
            whole = {**schema, "components": document["components"]}
            for example in examples:
                jsonschema_rs.validate(whole, example)


def test_every_refusal_has_its_status(document: dict[str, Any]) -> None:
    for where, operation in operations(document):
        statuses = set(operation["responses"])
        assert not [status for status in statuses if status.endswith("XX")], where
        assert {"400", "422", "429", "500", "503"} <= statuses, where
        if operation.get("security"):
            assert {"401", "403"} <= statuses, where
        if "{" in where:
            assert "404" in statuses, where
        if "requestBody" in operation:
            assert {"413", "415"} <= statuses, where


def test_every_answer_in_json_has_an_example_that_fits_its_schema(
    document: dict[str, Any],
) -> None:
    for where, operation in operations(document):
        for status, answer in operation["responses"].items():
            content = answer.get("content", {}).get("application/json")
            if not status.startswith("2") or content is None:
                continue
            examples = [content["example"]] if "example" in content else []
            examples += [named["value"] for named in content.get("examples", {}).values()]
            assert examples, f"{where} {status}"
            whole = {**content.get("schema", {}), "components": document["components"]}
            for example in examples:
                jsonschema_rs.validate(whole, example)


def test_file_fields_are_files_to_swagger_ui(document: dict[str, Any]) -> None:
    found = 0
    for _, operation in operations(document):
        content = operation.get("requestBody", {}).get("content", {})
        for name, field in _fields(document, content.get("multipart/form-data", {})):
            if name == "file":
                assert (field["type"], field["format"]) == ("string", "binary")
                found += 1
    assert found == 7  # imports, corrections, uploads, previews, feeds, upload-csv, data/file


def _fields(document: dict[str, Any], content: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    schema = content.get("schema", {})
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    yield from schema.get("properties", {}).items()
