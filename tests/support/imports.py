"""Submitting and following imports through the gateway, as a client does."""

import json
from collections.abc import Iterator
from typing import Any

import httpx2


def submit(
    http: httpx2.Client,
    table: str,
    content: bytes,
    *,
    name: str = "rows.csv",
    status: int = 202,
    **fields: str,
) -> dict[str, Any]:
    """`POST /api/imports`; returns the import, or the problem for another expected status."""
    answer = http.post(
        "/api/imports", data={"table": table, **fields}, files={"file": (name, content)}
    )
    assert answer.status_code == status, answer.text
    body: dict[str, Any] = answer.json()
    if status == 202:
        assert answer.headers["location"] == f"/api/imports/{body['id']}"
    return body


def events(http: httpx2.Client, import_: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The import's server-sent events, until the server ends the stream."""
    kind, data = "message", ""
    with http.stream("GET", import_["links"]["events"], timeout=120) as stream:
        assert stream.status_code == 200
        assert stream.headers["content-type"].startswith("text/event-stream")
        for line in stream.iter_lines():
            if line.startswith("event:"):
                kind = line[6:].strip()
            elif line.startswith("data:"):
                data += line[5:].strip()
            elif not line and data:
                yield kind, json.loads(data)
                kind, data = "message", ""


def finished(http: httpx2.Client, import_: dict[str, Any]) -> dict[str, Any]:
    """Wait for `done` and return the import as its own address tells it then."""
    told = dict(events(http, import_))
    assert "done" in told, told
    answer = http.get(import_["links"]["self"])
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    assert body["state"] == told["done"]["state"]
    return body


def errors(http: httpx2.Client, import_: dict[str, Any]) -> list[dict[str, Any]]:
    """Every reject of the JSON view, page after page."""
    found: list[dict[str, Any]] = []
    path: str | None = import_["links"]["errors"]
    while path is not None:
        page = http.get(path).json()
        found += page["items"]
        path = page["next"]
    return found
