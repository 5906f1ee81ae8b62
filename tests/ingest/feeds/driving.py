"""Making, running and looking at feeds through the API."""

from typing import Any
from urllib.parse import quote

import httpx2

from shared.contracts.auth import Caller
from tests.ingest.driving import ANN, Ingest

PUSH = {"kind": "push"}


async def call(
    ingest: Ingest, method: str, path: str, body: object = None, *, caller: Caller = ANN
) -> httpx2.Response:
    headers = ingest.issuer.bearer(caller)
    return await ingest.http.request(method, path, json=body, headers=headers)


async def made(ingest: Ingest, name: str = "people", **settings: Any) -> dict[str, Any]:
    """A feed that is taken; by default one into `people` that waits for files."""
    body = {"name": name, "table": "people", "from": PUSH, **settings}
    answer = await call(ingest, "POST", "/api/feeds", body)
    assert answer.status_code == 201, answer.text
    assert answer.headers["location"] == f"/api/feeds/{quote(name, safe='')}"
    feed: dict[str, Any] = answer.json()
    return feed


async def refused(
    ingest: Ingest, name: str = "people", *, caller: Caller = ANN, **settings: Any
) -> tuple[int, list[tuple[str, str]]]:
    """The status, and each field with its code."""
    body = {"name": name, "table": "people", "from": PUSH, **settings}
    answer = await call(ingest, "POST", "/api/feeds", body, caller=caller)
    problem = answer.json()
    entries = problem.get("errors") or [{"field": "", "code": problem["code"]}]
    return answer.status_code, [(entry["field"], entry["code"]) for entry in entries]


async def looked(ingest: Ingest, name: str = "people", *, caller: Caller = ANN) -> dict[str, Any]:
    answer = await call(ingest, "GET", f"/api/feeds/{quote(name, safe='')}", caller=caller)
    assert answer.status_code == 200, answer.text
    feed: dict[str, Any] = answer.json()
    return feed


async def pushed(
    ingest: Ingest, content: bytes, *, name: str = "people", file_name: str = "people.csv"
) -> dict[str, Any]:
    """The import that a file sent to a feed became, at its end."""
    answer = await ingest.upload(content, path=f"/api/feeds/{name}/runs", name=file_name)
    assert answer.status_code == 202, answer.text
    return await ingest.finished(answer.json())


async def run(ingest: Ingest, name: str = "people", **headers: str) -> dict[str, Any]:
    """The import of a run of a feed that fetches its rows, as it is taken."""
    answer = await ingest.post(f"/api/feeds/{name}/runs", headers=headers)
    assert answer.status_code == 202, answer.text
    body: dict[str, Any] = answer.json()
    return body
