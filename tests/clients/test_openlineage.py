"""OpenLineage's own client sends to a running stack, signed in both ways that it knows."""

import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest
from openlineage.client import OpenLineageClient
from openlineage.client.event_v2 import Job, OutputDataset, Run, RunEvent, RunState

from tests.support.profile import only_in_full
from tests.support.stack import RunningStack
from tests.support.waiting import until_now

RECORDED = Path(__file__).parents[1] / "catalog" / "openlineage" / "client_1_54.jsonl"
SCOPES = ["catalog:read", "catalog:write"]
EVENTS_AT_ONCE = 400
"""More than the rate limit allows at once."""


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client is built on requests, which would send even local calls through a proxy."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")


def client(stack: RunningStack, auth: Mapping[str, str], **more: Any) -> OpenLineageClient:
    transport = {"type": "http", "url": stack.url, "auth": dict(auth), **more}
    return OpenLineageClient(config={"transport": transport})


def send_run(sender: OpenLineageClient, job: str) -> None:
    run, output = Run(str(uuid.uuid4())), OutputDataset("postgres://wh.example.com:5432", "a.b.c")
    for state in (RunState.START, RunState.COMPLETE):
        sender.emit(
            RunEvent(
                eventType=state,
                eventTime=datetime.now(UTC).isoformat(),
                run=run,
                job=Job("tests", job),
                outputs=[output],
                producer="https://example.com/tests",
            )
        )


def assert_succeeded(http: httpx2.Client, job: str) -> None:
    def states() -> list[str] | None:
        answer = http.get(f"/api/catalog/etls/{job}/runs")
        states = [run["state"] for run in answer.json().get("items", ())]
        return states if states == ["succeeded"] else None

    until_now("the run has succeeded", states)


@pytest.mark.parametrize("compression", [None, "gzip"])
def test_with_an_api_key(stack: RunningStack, compression: str | None) -> None:
    job = f"by-key-{compression}"
    with stack.signed_in() as http:
        key = {"name": job, "scopes": SCOPES}
        made = http.post("/api/auth/api-keys", json=key).json()
        more = {"compression": compression} if compression else {}
        send_run(client(stack, {"type": "api_key", "apiKey": made["key"]}, **more), job)
        assert_succeeded(http, job)


@pytest.mark.parametrize("way", ["client_secret_basic", "client_secret_post"])
def test_with_client_credentials(stack: RunningStack, way: str) -> None:
    job = f"by-{way}"
    with stack.signed_in() as http:
        made = http.post("/api/auth/clients", json={"name": "lineage", "scopes": SCOPES}).json()
        auth = {
            "type": "oauth2",
            "clientId": made["id"],
            "clientSecret": made["secret"],
            "tokenEndpoint": f"{stack.url}/api/auth/token",
            "clientAuthMethod": way,
        }
        send_run(client(stack, auth), job)
        assert_succeeded(http, job)


@only_in_full
def test_more_events_than_a_rate_limit_allows_all_arrive(stack: RunningStack) -> None:
    recorded = [json.loads(line) for line in RECORDED.read_text().splitlines()]
    run = next(event for event in recorded if event.get("eventType") == "START")
    with stack.signed_in() as http:
        statuses = set()
        for number in range(EVENTS_AT_ONCE):
            run["run"]["runId"] = f"flood-{number}"
            run["job"]["name"] = "flood"
            statuses.add(http.post("/api/v1/lineage", json=run).status_code)
        assert statuses == {200}

        def all_there() -> bool:
            answer = http.get("/api/catalog/etls/flood/runs", params={"limit": 1000})
            return len(answer.json().get("items", ())) == EVENTS_AT_ONCE

        until_now("all runs are in the catalog", all_there, bearing=(httpx2.HTTPError,))
