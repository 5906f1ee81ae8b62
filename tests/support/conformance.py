"""A running service against its own OpenAPI document: random requests, every answer checked."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
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

Check = Callable[..., Any]

CHECKS: Sequence[Check] = [
    schemathesis.checks.not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


@schemathesis.serializer("application/x-ndjson", "application/offset+octet-stream")
def _lines(_context: schemathesis.SerializationContext, value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")


async def every_call(
    url: str,
    headers_for: Callable[[str], Mapping[str, str]],
    *,
    examples: int,
    without: Collection[str] = (),
    document: str = "/internal/openapi.json",
    checks: Sequence[Check] = CHECKS,
) -> int:
    """Try every operation with so many requests; returns the number of operations.

    `headers_for` gives the headers for a path; paths in `without` are left out. No answer may be
    5xx, or one that the document does not describe.
    """
    address = f"{url}{document}"
    schema = await asyncio.to_thread(schemathesis.openapi.from_url, address)
    tried = 0
    for result in schema.get_all_operations():
        assert isinstance(result, Ok)
        operation = result.ok()
        if operation.path in without:
            continue
        await asyncio.to_thread(_try, operation, headers_for(operation.path), examples, checks)
        tried += 1
    return tried


def _try(
    operation: schemathesis.APIOperation[Any, Any, Any, Any],
    headers: Mapping[str, str],
    examples: int,
    checks: Sequence[Check],
) -> None:
    @given(case=operation.as_strategy())
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    def call(case: schemathesis.Case[Any]) -> None:
        case.call_and_validate(headers=dict(headers), checks=list(checks))

    call()
