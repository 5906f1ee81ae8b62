"""The service against its own OpenAPI document: no failure of ours, no answer left untold."""

import asyncio
from typing import Any

import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.catalog.conftest import Catalog
from tests.support.issuer import peer
from tests.support.profile import examples

EXAMPLES = examples(40)


@schemathesis.serializer("application/x-ndjson")
def _lines(_context: schemathesis.SerializationContext, value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")


async def test_any_call_gets_an_answer_that_the_document_tells(catalog: Catalog) -> None:
    await catalog.see_edge("nightly", "shop", "orders")
    address = f"{catalog.url}/internal/openapi.json"
    schema = await asyncio.to_thread(schemathesis.openapi.from_url, address)
    operations = []
    for found in schema.get_all_operations():
        assert isinstance(found, Ok)
        operations.append(found.ok())
    assert len(operations) == 14

    for operation in operations:
        caller = peer("ingest") if operation.path.startswith("/internal/") else catalog.reader
        headers = catalog.issuer.bearer(caller)
        await asyncio.to_thread(_try, operation, headers)


def _try(operation: schemathesis.APIOperation[Any, Any, Any, Any], headers: Any) -> None:
    @given(case=operation.as_strategy())
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    def call(case: schemathesis.Case[Any]) -> None:
        case.call_and_validate(
            headers=headers,
            checks=[
                schemathesis.checks.not_a_server_error,
                status_code_conformance,
                content_type_conformance,
                response_headers_conformance,
                response_schema_conformance,
            ],
        )

    call()


async def test_operations_have_stable_names_texts_and_problems(catalog: Catalog) -> None:
    document = (await catalog.http.get("/internal/openapi.json")).json()

    operations = {
        operation["operationId"]: operation
        for path in document["paths"].values()
        for operation in path.values()
    }
    assert sorted(operations) == [
        "catalog_edges_delete",
        "catalog_edges_put",
        "catalog_etls_create",
        "catalog_etls_get",
        "catalog_etls_list",
        "catalog_graph_get",
        "catalog_schemas_list",
        "catalog_tables_get",
        "catalog_tables_list",
        "etl_tables_action",
        "internal_catalog_edges",
        "internal_catalog_merge",
        "internal_catalog_scan",
        "internal_catalog_table_events",
    ]
    for operation in operations.values():
        assert operation["summary"]
        assert operation["description"]
        assert operation["tags"]
        assert operation["security"]
        assert "application/problem+json" in operation["responses"]["4XX"]["content"]
