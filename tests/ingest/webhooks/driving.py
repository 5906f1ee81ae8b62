"""Calls about webhooks."""

from typing import Any

import httpx2

from shared.contracts.auth import Caller
from tests.ingest.driving import ANN, Ingest


async def call(
    ingest: Ingest, method: str, path: str, body: Any = None, *, caller: Caller = ANN
) -> httpx2.Response:
    return await ingest.http.request(method, path, json=body, headers=ingest.issuer.bearer(caller))


async def registered(
    ingest: Ingest,
    url: str,
    *events: str,
    caller: Caller = ANN,
    **fields: Any,
) -> dict[str, Any]:
    body = {"url": url, "events": events or ("import.succeeded", "import.failed"), **fields}
    answer = await call(ingest, "POST", "/api/webhooks", body, caller=caller)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    assert answer.headers["location"] == f"/api/webhooks/{made['id']}"
    return made


async def deliveries(
    ingest: Ingest, webhook: dict[str, Any], *, caller: Caller = ANN
) -> list[dict[str, Any]]:
    answer = await ingest.get(f"/api/webhooks/{webhook['id']}/deliveries", caller=caller)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items
