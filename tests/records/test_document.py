"""Requests made out of the service's OpenAPI document: no 5xx, nothing that it does not say."""

import asyncio
import itertools
from contextlib import suppress
from typing import Any

import httpx2
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import (
    content_type_conformance,
    not_a_server_error,
    response_schema_conformance,
    status_code_conformance,
)

from tests.records.conftest import Service
from tests.support.profile import examples, only_in_full

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
EXAMPLES = examples(25)
FIELDS = {"name": "TEXT", "age": "INTEGER", "email": "TEXT UNIQUE", "doc": "JSON"}


def hit(service: Service, headers: dict[str, str], modes: list[GenerationMode]) -> int:
    """Try every operation with requests that fit its schema, or do not; how many there were."""
    numbers = itertools.count()
    tried = 0
    document = httpx2.get(f"{service.url}/internal/openapi.json", trust_env=False).json()
    schema = schemathesis.openapi.from_dict(document)
    schema.config.update(base_url=service.url)
    with httpx2.Client(base_url=service.url, trust_env=False, timeout=60) as http:

        def fresh_table() -> str:
            name = f"Document{next(numbers)}"
            made = http.post(
                "/api/create-table", json={"table_name": name, "fields": FIELDS}, headers=headers
            )
            assert made.status_code == 201, made.text
            record = {"table_name": name, "data": {"name": "Ann", "age": 1}}
            http.post("/api/insert-record", json=record, headers=headers)
            return name

        table = fresh_table()
        for result in schema.get_all_operations():
            operation = result.ok()  # type: ignore[union-attr]
            cases = st.one_of(*(operation.as_strategy(generation_mode=mode) for mode in modes))

            @given(case=cases, known=st.sampled_from([True, True, True, False]))
            @settings(
                max_examples=EXAMPLES,
                deadline=None,
                database=None,
                suppress_health_check=list(HealthCheck),
            )
            def run(case: Any, known: bool) -> None:
                nonlocal table, tried
                if known:
                    if http.get(f"/api/tables/{table}", headers=headers).status_code == 404:
                        table = fresh_table()
                    _aim(case, table)
                response = case.call(headers=headers)
                case.validate_response(response, checks=CHECKS)
                tried += 1

            with suppress(Unsatisfiable):  # a schema that every request fits
                run()
    return tried


def _aim(case: Any, table: str) -> None:
    """Point a request at a table that is there."""
    if "table" in (case.path_parameters or {}):
        case.path_parameters["table"] = table
    if "id" in (case.path_parameters or {}):
        case.path_parameters["id"] = 1
    if "table_name" in (case.query or {}):
        case.query["table_name"] = table
    if isinstance(case.body, dict) and "table_name" in case.body:
        case.body["table_name"] = table


@only_in_full
@pytest.mark.parametrize("mode", list(GenerationMode))
async def test_no_request_ends_in_what_the_document_does_not_say(
    service: Service, mode: GenerationMode
) -> None:
    # The requests are synchronous, and the service runs in this loop.
    tried = await asyncio.to_thread(hit, service, service.ann.headers, [mode])
    assert tried > EXAMPLES


async def test_every_operation_is_described(service: Service) -> None:
    document = (await service.http.get("/internal/openapi.json")).json()
    ids = []
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            where = f"{method} {path}"
            ids.append(operation["operationId"])
            assert operation["tags"], where
            assert operation["summary"], where
            assert operation["description"], where
            if "requestBody" in operation:
                content = operation["requestBody"]["content"]["application/json"]
                assert _has_example(content, document), where
    assert len(set(ids)) == len(ids)


def _has_example(content: dict[str, Any], document: dict[str, Any]) -> bool:
    if "example" in content or "examples" in content:
        return True
    reference = content["schema"].get("$ref", "").rpartition("/")[2]
    named = document["components"]["schemas"].get(reference, {})
    return "examples" in content["schema"] or "examples" in named
