"""What OpenLineage's receiver is told of imports, and what it cannot hold up."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import httpx2
import jsonschema_rs
import pytest
import pytest_asyncio
from aiohttp import web
from pydantic import SecretStr

from deploy.local.processes import free_port
from services.ingest.connections.domain import (
    Selection,
    SourceId,
    SourceKind,
    SourceQuery,
    SourceTable,
    SourceTarget,
)
from services.ingest.domain.run import State
from services.ingest.main import create_app
from services.ingest.runs.reads import DatabaseRead
from services.ingest.runs.row import run_of_snapshot
from services.ingest.work.openlineage import Facts, Names, run_event
from tests.ingest.driving import Ingest
from tests.ingest.openlineage import validate
from tests.support.profile import only_in_full
from tests.support.serving import serving

ROWS = b"name,age\nAnn,1\nBob,old\n"


@dataclass
class Receiver:
    """A server that takes RunEvents; it can refuse them, or be slow."""

    port: int = field(default_factory=free_port)
    events: list[dict[str, Any]] = field(default_factory=list)
    tokens: list[str | None] = field(default_factory=list)
    answer: int = 200
    calls: int = 0
    held: asyncio.Event = field(default_factory=asyncio.Event)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/openlineage/"

    async def take(self, request: web.Request) -> web.Response:
        body = await request.json()
        async with self.changed:
            self.calls += 1
            if self.answer == 200 and self.held.is_set():
                self.events.append(body)
                self.tokens.append(request.headers.get("Authorization"))
            self.changed.notify_all()
        await self.held.wait()
        return web.Response(status=self.answer)

    async def wait_for(self, count: int) -> list[dict[str, Any]]:
        async with asyncio.timeout(60), self.changed:
            await self.changed.wait_for(lambda: len(self.events) >= count)
        return self.events

    async def wait_for_calls(self, count: int) -> None:
        async with asyncio.timeout(60), self.changed:
            await self.changed.wait_for(lambda: self.calls >= count)


@pytest_asyncio.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    receiver.held.set()
    app = web.Application()
    app.router.add_post("/openlineage/api/v1/lineage", receiver.take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", receiver.port).start()
    yield receiver
    receiver.held.set()
    await runner.cleanup()


@asynccontextmanager
async def telling(ingest: Ingest, receiver: Receiver) -> AsyncIterator[None]:
    async with ingest.working(
        openlineage_url=receiver.url,
        openlineage_api_key=SecretStr("tab_key"),
        public_url="https://data.example.com",
    ):
        yield


async def settled(ingest: Ingest) -> None:
    await ingest.until("SELECT count(*) = 0 FROM ingest.outbox")


async def test_a_success_is_told_with_its_columns_and_counts(
    ingest: Ingest, receiver: Receiver
) -> None:
    async with telling(ingest, receiver):
        rows = b"Full name,age,extra\nAnn,1,x\nBob,old,y\n"
        mapping = '{"Full name": "name", "extra": null}'
        await ingest.finished(await ingest.submit(rows, mapping=mapping, etl_name="crm nightly"))
        start, complete = await receiver.wait_for(2)
        await settled(ingest)
    for event in (start, complete):
        validate(event)
        assert event["job"]["namespace"] == "tabularium"
        assert event["job"]["name"] == "crm nightly"
        assert event["producer"] == "https://data.example.com"
    assert [start["eventType"], complete["eventType"]] == ["START", "COMPLETE"]
    assert start["run"]["runId"] == complete["run"]["runId"]
    assert start["eventTime"] < complete["eventTime"]
    assert set(receiver.tokens) == {"Bearer tab_key"}
    (source,), (target,) = complete["inputs"], complete["outputs"]
    assert (source["namespace"], source["name"]) == ("file", "people.csv")
    assert source["inputFacets"]["dataQualityMetrics"]["rowCount"] == 2
    assert source["inputFacets"]["dataQualityAssertions"]["assertions"] == [
        {"assertion": "type_mismatch", "success": False, "column": "age"}
    ]
    database = ingest.database.url("ingest").rpartition("/")[2].partition("?")[0]
    assert target["namespace"].startswith("postgres://127.0.0.1:")
    assert target["name"] == f"{database}.data.people"
    assert target["outputFacets"]["outputStatistics"]["rowCount"] == 1
    fields = target["facets"]["schema"]["fields"]
    assert {"name": "name", "type": "TEXT"} in fields
    assert target["facets"]["columnLineage"]["fields"] == {
        "name": {
            "inputFields": [{"namespace": "file", "name": "people.csv", "field": "Full name"}]
        },
        "age": {"inputFields": [{"namespace": "file", "name": "people.csv", "field": "age"}]},
    }


async def test_a_failure_says_why(ingest: Ingest, receiver: Receiver) -> None:
    async with telling(ingest, receiver):
        failed = await ingest.finished(await ingest.submit(ROWS, on_error="abort"))
        start, fail = await receiver.wait_for(2)
        await settled(ingest)
    for event in (start, fail):
        validate(event)
    assert fail["eventType"] == "FAIL"
    assert fail["run"]["facets"]["errorMessage"]["message"] == failed["error"]["detail"]
    assert "outputFacets" not in fail["outputs"][0]


async def test_what_is_cancelled_is_aborted(ingest: Ingest, receiver: Receiver) -> None:
    settings = ingest.settings.model_copy(update={"openlineage_url": receiver.url})
    async with (
        serving(create_app(settings)) as url,
        httpx2.AsyncClient(base_url=url, trust_env=False) as http,
    ):
        api = ingest.over(http)
        import_ = await api.submit(ROWS)
        assert (await api.post(f"/api/imports/{import_['id']}/cancel")).status_code == 202
    async with telling(ingest, receiver):
        (abort,) = await receiver.wait_for(1)
        await settled(ingest)
    validate(abort)
    assert abort["eventType"] == "ABORT"


async def test_a_database_is_named_as_the_specification_names_it(ingest: Ingest) -> None:
    """`scheme://host:port` and `database.schema.table`; a query is a facet of the job."""
    await ingest.submit(ROWS)
    row = await ingest.owner.fetchval("SELECT to_jsonb(i) FROM ingest.imports i")
    run = run_of_snapshot({**json.loads(row), "file_name": None})
    target = SourceTarget(SourceKind.POSTGRESQL, "db.example.com", 5432, "ann", database="shop")
    names = Names(
        producer="https://data.example.com",
        job_namespace="tabularium",
        public_url="https://data.example.com",
        namespace="postgres://localhost:5432",
        database="tabularium",
    )
    running = replace(run, state=State.RUNNING)

    def event(selection: Selection) -> dict[str, Any]:
        read = DatabaseRead(SourceId(1), target, None, selection)
        facts = Facts(run=running, at=datetime.now(UTC), columns=(), read=read, contract=None)
        return run_event(facts, names)

    of_table = event(SourceTable("public", "orders"))
    validate(of_table)
    (source,) = of_table["inputs"]
    assert (source["namespace"], source["name"]) == (
        "postgres://db.example.com:5432", "shop.public.orders",
    )  # fmt: skip
    of_query = event(SourceQuery("SELECT 1"))
    validate(of_query)
    assert of_query["inputs"] == []
    assert of_query["job"]["facets"]["sql"]["query"] == "SELECT 1"


async def test_a_dry_run_writes_to_no_table(ingest: Ingest, receiver: Receiver) -> None:
    async with telling(ingest, receiver):
        await ingest.finished(await ingest.submit(ROWS, dry_run="true"))
        events = await receiver.wait_for(2)
        await settled(ingest)
    assert [(event["eventType"], event["outputs"]) for event in events] == [
        ("START", []),
        ("COMPLETE", []),
    ]


@only_in_full
async def test_a_receiver_that_is_slow_holds_up_nothing(ingest: Ingest, receiver: Receiver) -> None:
    receiver.held.clear()
    async with telling(ingest, receiver):
        for age in range(3):
            rows = b"name,age\nAnn,%d\n" % age
            await ingest.finished(await ingest.submit(rows, email="ann@example.com"))
        await receiver.wait_for_calls(1)
        await ingest.mailbox.wait_for(3)
        await ingest.peers.wait_for_edges(3)
        assert await ingest.owner.fetchval(
            "SELECT count(*) FROM ingest.outbox WHERE kind = 'lineage'"
        )
        receiver.held.set()
        await settled(ingest)
    assert len({event["run"]["runId"] for event in receiver.events}) == 3


async def test_what_is_away_is_told_later_and_what_is_refused_for_good_is_dropped(
    ingest: Ingest, receiver: Receiver
) -> None:
    receiver.answer = 503
    async with telling(ingest, receiver):
        await ingest.finished(await ingest.submit(ROWS))
        await receiver.wait_for_calls(2)
        await ingest.until("SELECT count(last_error) = 2 FROM ingest.outbox")
        receiver.answer = 200
        await ingest.owner.execute("UPDATE ingest.outbox SET next_attempt_at = now()")
        assert {event["eventType"] for event in await receiver.wait_for(2)} == {
            "START", "COMPLETE",
        }  # fmt: skip
        await settled(ingest)
        receiver.answer = 400
        await ingest.finished(await ingest.submit(b"name\nCat\n"))
        await settled(ingest)
    assert len(receiver.events) == 2


async def test_without_a_receiver_nothing_is_written(ingest: Ingest) -> None:
    async with ingest.working():
        await ingest.finished(await ingest.submit(ROWS))
        await settled(ingest)
    assert (
        await ingest.owner.fetchval(
            "SELECT pg_sequence_last_value(pg_get_serial_sequence('ingest.outbox', 'id'))"
        )
        == 1
    )  # the edge


async def test_an_event_that_is_none_does_not_fit_the_schema(
    ingest: Ingest, receiver: Receiver
) -> None:
    async with telling(ingest, receiver):
        await ingest.finished(await ingest.submit(ROWS))
        (event, _) = await receiver.wait_for(2)
    for broken in (
        {**event, "eventType": "DONE"},
        {**event, "eventTime": "yesterday"},
        {**event, "run": {"runId": "42"}},
        {**event, "job": {"name": "x"}},
        {**event, "inputs": [{"namespace": "file"}]},
    ):
        with pytest.raises(jsonschema_rs.ValidationError):
            validate(broken)
