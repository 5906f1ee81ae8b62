"""Webhooks about tables: what records tells is sent to those who may see the table."""

import json
from typing import Any

from shared.contracts.auth import Role, Scope
from tests.ingest.driving import ANN, Ingest
from tests.ingest.webhooks.driving import call, deliveries, registered
from tests.ingest.webhooks.receiving import Receiver
from tests.support.issuer import machine, peer, person

BOB = person("bob@example.com")
CAROL = person("carol@example.com")
ADMIN = person("admin@example.com", role=Role.ADMIN)


def news(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "message_id": f"msg_{number:032x}",
        "type": "table.changed",
        "timestamp": "2026-11-29T10:00:00Z",
        "table": "people",
        "seen_by": {ANN.sub: "owner", BOB.sub: "viewer"},
        "data": {"name": "people", "level": "owner", "version": 2},
        **changes,
    }


async def told(ingest: Ingest, event: dict[str, Any]) -> None:
    answer = await call(ingest, "POST", "/internal/events", event, caller=peer("records"))
    assert answer.status_code == 204, answer.text


async def settled(ingest: Ingest) -> None:
    await ingest.until("SELECT count(*) = 0 FROM ingest.outbox")
    await ingest.until("SELECT count(*) = 0 FROM ingest.webhook_deliveries WHERE state = 'pending'")


async def test_each_reader_gets_the_table_with_their_own_level(
    ingest: Ingest, receiver: Receiver
) -> None:
    made = {
        caller.label: await registered(ingest, receiver.url, "table.changed", caller=caller)
        for caller in (ANN, BOB, CAROL, ADMIN)
    }
    await told(ingest, news(1))
    async with ingest.working():
        await receiver.wait_for(3)
        await settled(ingest)
    assert len(receiver.received) == 3
    assert {received.id for received in receiver.received} == {f"msg_{1:032x}"}
    levels = [json.loads(received.body)["data"]["level"] for received in receiver.received]
    assert sorted(levels) == ["owner", "owner", "viewer"]
    message = json.loads(receiver.received[0].body)
    assert message["type"] == "table.changed"
    assert message["data"]["version"] == 2
    for caller, count in ((ANN, 1), (BOB, 1), (CAROL, 0), (ADMIN, 1)):
        assert len(await deliveries(ingest, made[caller.label], caller=caller)) == count


async def test_news_that_comes_twice_is_sent_once(ingest: Ingest, receiver: Receiver) -> None:
    await registered(ingest, receiver.url, "table.changed")
    await told(ingest, news(1))
    await told(ingest, news(1))
    await told(ingest, news(2, type="table.deleted"))
    async with ingest.working():
        await receiver.wait_for(1)
        await settled(ingest)
    assert [received.id for received in receiver.received] == [f"msg_{1:032x}"]


async def test_a_table_is_for_those_alone_whose_token_opens_tables(
    ingest: Ingest, receiver: Receiver
) -> None:
    loader = machine("loader", Scope.IMPORTS_WRITE)
    await registered(ingest, receiver.url, "table.changed", caller=loader)
    await told(ingest, news(1, seen_by={loader.sub: "owner"}))
    async with ingest.working():
        await settled(ingest)
    assert receiver.received == []


async def test_only_peers_tell_news(ingest: Ingest) -> None:
    answer = await call(ingest, "POST", "/internal/events", news(1), caller=ADMIN)
    assert answer.status_code == 403
