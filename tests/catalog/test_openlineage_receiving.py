"""How OpenLineage's events are received: bodies, scopes, batches, and what holds up nothing."""

import gzip
import json

import asyncpg
import httpx2
import pytest

from shared.contracts.auth import Scope
from tests.catalog.conftest import Catalog
from tests.catalog.openlineage_events import PATH, STORY, applied, post, runs, send
from tests.support.issuer import machine


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"[]",
        b"{}",
        b"1",
        b"\xff",
        b'{"eventTime":"x","job":{"namespace":"n","name":"j"}}',
        b'{"eventTime":"2026-11-28T21:22:05Z"}',
        b'{"eventTime":"2026-11-28T21:22:05Z","job":{"namespace":"n","name":""}}',
        b'{"eventTime":"9999-12-31T23:59:59-12:00","job":{"namespace":"n","name":"j"}}',
        b'{"eventTime":"2026-11-28T21:22:05Z","job":{"namespace":"n","name":"\\ud800"}}',
        b"[" * 100_000,
    ],
)
async def test_what_is_no_event_is_refused(catalog: Catalog, body: bytes) -> None:
    headers = catalog.issuer.bearer(catalog.reader) | {"Content-Type": "application/json"}
    answer = await catalog.http.post(PATH, content=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "event_unreadable"), answer.text


async def test_a_batch_says_which_events_it_could_not_read(catalog: Catalog) -> None:
    body = [STORY[0], {"eventTime": "x"}, STORY[2], 7]
    answer = await post(catalog, body, f"{PATH}/batch")
    assert answer.status_code == 200
    outcome = answer.json()
    assert outcome["status"] == "partial_success"
    assert outcome["summary"] == {
        "received": 4,
        "successful": 2,
        "failed": 2,
        "retriable": 0,
        "non_retriable": 2,
    }
    assert [failed["index"] for failed in outcome["failed_events"]] == [1, 3]
    await applied(catalog)
    assert [run["state"] for run in await runs(catalog)] == ["succeeded"]
    assert (await post(catalog, [], f"{PATH}/batch")).json()["status"] == "success"
    assert (await post(catalog, [1], f"{PATH}/batch")).json()["status"] == "failed"
    assert (await post(catalog, {}, f"{PATH}/batch")).status_code == 400


TWICE = (
    b'{"eventTime":"2026-11-28T21:22:05Z","job":{"namespace":"n","name":"j"},"run":{"runId":"1",'
    b'"runId":"2"}}'
)


async def test_a_member_that_is_there_twice_is_refused(catalog: Catalog) -> None:
    headers = catalog.issuer.bearer(catalog.reader) | {"Content-Type": "application/json"}
    answer = await catalog.http.post(PATH, content=TWICE, headers=headers)
    assert answer.status_code == 422
    assert "'runId' is there twice" in answer.json()["errors"][0]["message"]

    story = json.dumps(STORY[0]).encode()
    body = b"[" + b",".join([story, TWICE, story]) + b"]"
    answer = await catalog.http.post(f"{PATH}/batch", content=body, headers=headers)
    assert answer.json()["failed_events"] == [
        {"index": 1, "reason": "'runId' is there twice in one object", "retriable": False}
    ]
    await applied(catalog)
    assert [run["state"] for run in await runs(catalog)] == ["running"]


async def compressed(catalog: Catalog, body: bytes, coding: str = "gzip") -> httpx2.Response:
    headers = catalog.issuer.bearer(catalog.reader) | {"Content-Encoding": coding}
    return await catalog.http.post(PATH, content=body, headers=headers, timeout=60)


async def test_bodies_come_in_gzip(catalog: Catalog) -> None:
    body = gzip.compress(json.dumps(STORY[0]).encode())
    assert (await compressed(catalog, body)).status_code == 200
    await applied(catalog)
    assert len(await runs(catalog)) == 1
    assert (await compressed(catalog, body[:-9])).status_code == 400
    assert (await compressed(catalog, b"no gzip")).status_code == 400
    assert (await compressed(catalog, body, "br")).status_code == 422
    bomb = await compressed(catalog, gzip.compress(b" " * (65 << 20)))
    assert (bomb.status_code, bomb.json()["code"]) == (413, "too_large")


async def test_sending_wants_the_scope(catalog: Catalog) -> None:
    reader = machine("reader", Scope.CATALOG_READ)
    assert (await post(catalog, STORY[0], caller=reader)).status_code == 403
    writer = machine("airflow", Scope.CATALOG_WRITE)
    assert (await post(catalog, STORY[0], caller=writer)).status_code == 200


async def test_an_event_that_cannot_be_applied_holds_up_no_other(catalog: Catalog) -> None:
    connection = await asyncpg.connect(catalog.database.url())
    await connection.execute("INSERT INTO catalog.lineage_inbox (body) VALUES ('garbage')")
    await connection.close()
    await send(catalog, *STORY)
    assert [run["state"] for run in await runs(catalog)] == ["succeeded"]
    [(error,)] = await catalog.rows("SELECT error FROM catalog.lineage_inbox")
    assert error.startswith("EventUnreadableError")


async def test_receiving_does_not_wait_for_a_bulk_merge(catalog: Catalog) -> None:
    connection = await asyncpg.connect(catalog.database.url("catalog"))
    transaction = connection.transaction()
    await transaction.start()
    await connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended('tabularium.catalog', 0))"
    )
    assert (await post(catalog, STORY[0])).status_code == 200
    assert (await catalog.get("/api/catalog/etls/load/runs")).status_code == 404
    await transaction.rollback()
    await connection.close()
    await applied(catalog)
    assert len(await runs(catalog)) == 1
