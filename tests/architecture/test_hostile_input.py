"""No call of any service answers 5xx to what a caller can put into it, and each names the part."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any
from urllib.parse import quote

import httpx2
import pytest

from shared.contracts.base import LARGEST_BIGINT
from shared.values.nearest import SUGGESTED
from tests.support.profile import only_in_full
from tests.support.stack import RunningStack

NO_TEXT = ("%00", "x%00y", "%FF", "%ED%A0%80")
NO_IDS = (str(LARGEST_BIGINT + 1), "9" * 400, "9" * 5000)
NO_JSON = (b"\xff", b'{"a": "\xff"}', b'{"a": "\\u0000"}', b"[" * 100_000, b"1" * 5000, b"1e999")
DEEP = '{"a": '


@dataclass(frozen=True)
class Operation:
    """One call as its service's document shows it."""

    url: str
    method: str
    path: str
    shown: dict[str, Any]

    @property
    def parameters(self) -> list[dict[str, Any]]:
        return [
            each for each in self.shown.get("parameters", ()) if each["in"] in ("path", "query")
        ]

    @property
    def takes_json(self) -> bool:
        return "application/json" in self.shown.get("requestBody", {}).get("content", {})

    def filled(self, hostile: str | None = None, value: str = "") -> str:
        """The address, one parameter given that value (encoded already), the others harmless."""
        path = re.sub(r"\{([^}]+)\}", lambda part: value if part[1] == hostile else "1", self.path)
        query = [
            f"{quote(each['name'])}={value if each['name'] == hostile else '1'}"
            for each in self.parameters
            if each["in"] == "query" and (each["name"] == hostile or each.get("required"))
        ]
        return f"{self.url}{path}?{'&'.join(query)}"


def operations(stack: RunningStack) -> Iterator[Operation]:
    for url in stack.facts["services"].values():
        document = httpx2.get(f"{url}/internal/openapi.json", trust_env=False).json()
        for path, of_path in document["paths"].items():
            for method, shown in of_path.items():
                if not path.startswith("/internal/"):
                    yield Operation(url, method.upper(), path, shown)


@pytest.fixture(scope="module")
def admin(stack: RunningStack) -> Iterator[httpx2.Client]:
    with (
        stack.signed_in() as person,
        httpx2.Client(
            headers={"Authorization": person.headers["Authorization"]},
            trust_env=False,
            timeout=30,
        ) as client,
    ):
        yield client


def is_whole_number(parameter: dict[str, Any]) -> bool:
    schema = parameter["schema"]
    return any(each.get("type") == "integer" for each in (schema, *schema.get("anyOf", ())))


@only_in_full
def test_what_is_no_text_is_refused_by_name(stack: RunningStack, admin: httpx2.Client) -> None:
    tried = 0
    for operation in operations(stack):
        for parameter in operation.parameters:
            name = parameter["name"]
            for value in NO_TEXT:
                where = f"{operation.method} {operation.filled(name, value)}"
                answer = admin.request(operation.method, operation.filled(name, value))
                if answer.status_code == 404 and is_whole_number(parameter):
                    continue  # a number in a path: no route has this one
                unreadable = parameter["in"] == "query" and "%00" not in value
                expected = 400 if unreadable else 422
                assert answer.status_code == expected, f"{where}: {answer.status_code}"
                if operation.method != "HEAD":  # whose answers have no body
                    assert name in [error["field"] for error in answer.json()["errors"]], where
                tried += 1
    assert tried > 150


def test_numbers_beyond_bigint_are_refused(stack: RunningStack, admin: httpx2.Client) -> None:
    tried = 0
    for operation in operations(stack):
        for parameter in filter(is_whole_number, operation.parameters):
            for value in NO_IDS:
                where = f"{operation.method} {operation.path} {parameter['name']}={value[:25]}"
                answer = admin.request(operation.method, operation.filled(parameter["name"], value))
                assert answer.status_code in (404, 422), f"{where}: {answer.status_code}"
                tried += 1
    assert tried > 50


def test_bytes_that_are_no_json_are_refused(stack: RunningStack, admin: httpx2.Client) -> None:
    tried = 0
    for operation in operations(stack):
        if operation.takes_json:
            for body in NO_JSON:
                answer = admin.request(
                    operation.method,
                    operation.filled(),
                    content=body,
                    headers={"Content-Type": "application/json"},
                )
                where = f"{operation.method} {operation.path} {body[:20]!r}"
                assert 400 <= answer.status_code < 500, f"{where}: {answer.status_code}"
                assert answer.headers["content-type"] == "application/problem+json", where
                tried += 1
    assert tried > 50


def members_of(document: dict[str, Any], schema: dict[str, Any]) -> set[str]:
    """The members of a body, whichever of its forms has them."""
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    forms = (form for word in ("anyOf", "oneOf", "allOf") for form in schema.get(word, ()))
    return {*schema.get("properties", ()), *chain(*(members_of(document, f) for f in forms))}


@only_in_full
def test_what_is_as_deep_as_the_parser_takes_is_no_error_of_ours(
    stack: RunningStack, admin: httpx2.Client
) -> None:
    tried = 0
    for operation in operations(stack):
        if not operation.takes_json:
            continue
        document = httpx2.get(f"{operation.url}/internal/openapi.json", trust_env=False).json()
        body = operation.shown["requestBody"]["content"]["application/json"]
        for name in sorted({*members_of(document, body["schema"]), "any"}):
            for value in (f"{'[' * 600}1{']' * 600}", f"{DEEP * 600}1{'}' * 600}"):
                answer = admin.request(
                    operation.method,
                    operation.filled(),
                    content=f"{{{json.dumps(name)}: {value}}}",
                    headers={"Content-Type": "application/json"},
                )
                where = f"{operation.method} {operation.path} {name}: {answer.status_code}"
                assert answer.status_code < 500, where
                tried += 1
    assert tried > 300


def test_a_parameter_that_a_call_does_not_have_is_refused(
    stack: RunningStack, admin: httpx2.Client
) -> None:
    misspelled = "limt"
    for operation in operations(stack):
        filtered = any(each["name"] == "filters" for each in operation.parameters)
        if operation.path.startswith("/api/") and not filtered:
            url = f"{operation.filled()}&{misspelled}=5"
            answer = admin.request(operation.method, url)
            where = f"{operation.method} {operation.path}: {answer.text}"
            if operation.method != "HEAD":
                assert answer.status_code == 422, where
                named = {each["field"]: each["code"] for each in answer.json()["errors"]}
                assert named == {misspelled: "unknown_parameter"}, where


def test_a_member_that_is_there_twice_is_refused(stack: RunningStack, admin: httpx2.Client) -> None:
    tried = 0
    for operation in operations(stack):
        if operation.takes_json:
            answer = admin.request(
                operation.method,
                operation.filled(),
                content=b'{"one": 1, "one": 2}',
                headers={"Content-Type": "application/json"},
            )
            where = f"{operation.method} {operation.path}: {answer.text}"
            if answer.status_code == 404:
                continue  # a body that may be a file is read when its feed is known
            assert answer.status_code == 422, where
            assert "'one' is there twice" in answer.json()["errors"][0]["message"], where
            tried += 1
    assert tried > 30


def test_many_unknown_names_cost_no_more_than_a_few(
    stack: RunningStack, admin: httpx2.Client
) -> None:
    names = [f"name{number}" for number in range(50)]
    url = f"{stack.url}/api/feeds"
    answers = (
        admin.post(url, json=dict.fromkeys(names, 1)),
        admin.get(url, params=dict.fromkeys(["tables", *(f"table{name}" for name in names)], 1)),
    )
    for answer in answers:
        assert answer.status_code == 422, answer.text
        told = [error["message"] for error in answer.json()["errors"]]
        assert len(told) >= len(names)
        assert 0 < sum("did you mean" in each for each in told) <= SUGGESTED


def test_a_member_that_is_there_twice_among_many_is_found(
    stack: RunningStack, admin: httpx2.Client
) -> None:
    members = ",".join(f'"{number}":0' for number in range(80_000))
    answer = admin.post(
        f"{stack.url}/api/feeds",
        content=f'{{{members},"79999":0}}',
        headers={"Content-Type": "application/json"},
    )
    assert answer.status_code == 422
    assert "'79999' is there twice" in answer.text
