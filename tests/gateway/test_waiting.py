"""Calls whose clients never repeat what got 429 wait for their turn."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import pytest

from gateway.limits import exchanges
from gateway.under_way import UnderWay
from shared.contracts.auth import API_KEY_PATH
from shared.errors import TooManyRequestsError
from tests.gateway.conftest import SettingsMaker
from tests.gateway.peers import (
    FakeService,
    answer_json,
    part,
    problem,
    running_gateway,
    signed,
    start,
)
from tests.gateway.test_slow_clients import opened
from tests.support.waiting import until

LINEAGE = "/api/v1/lineage"
HALF = b"POST /api/v1/lineage HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n" + b"x" * 500


async def test_over_the_rate_limit_they_wait(service: FakeService, settings: SettingsMaker) -> None:
    chosen = settings(service.url, rate_limit_requests_per_s=100, rate_limit_requests_burst=5)
    async with running_gateway(chosen) as gateway, gateway.client() as http:

        async def status(method: str, path: str) -> int:
            async with http.request(method, path) as answer:
                return answer.status

        events = [
            status("POST", f"{LINEAGE}{end}") for end in ("", "/batch", "/") for _ in range(20)
        ]
        others = [status("GET", "/api/tables") for _ in range(20)]
        statuses = await asyncio.gather(*events, *others)
        assert statuses[:60] == [200] * 60
        assert 429 in statuses[60:]
        assert len([seen for seen in service.seen if seen.method == "POST"]) == 60


async def test_while_as_many_bodies_as_allowed_come_others_wait() -> None:
    bodies = UnderWay(limit=1, message="are under way")
    order = []

    async def send(name: str) -> None:
        async with bodies.in_turn("ann"):
            order.append(name)

    async with asyncio.TaskGroup() as tasks:
        with bodies.one_more("ann"):
            waiting = tasks.create_task(send("waited"))
            await send_as_another(bodies, order)
            assert not waiting.done()
            order.append("first ended")
        with pytest.raises(TooManyRequestsError), bodies.one_more("bob"), bodies.one_more("bob"):
            pass
    assert order == ["another", "first ended", "waited"]
    assert bodies.number == 0


async def send_as_another(bodies: UnderWay, order: list[str]) -> None:
    await asyncio.sleep(0)
    async with bodies.in_turn("bob"):
        order.append("another")


async def test_their_bodies_may_come_in_pieces(
    service: FakeService, settings: SettingsMaker
) -> None:
    chosen = settings(service.url, bodies_per_subject=1)
    async with running_gateway(chosen) as gateway, AsyncExitStack() as stack:
        pairs = [await opened(gateway, stack, signed(HALF)) for _ in range(3)]
        bodies = gateway.app.state.bodies
        await until("one is being waited for", lambda: bodies.number == 1)
        for _, writer in pairs:
            writer.write(b"x" * 500)
        for reader, _ in pairs:
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
        assert bodies.number == 0


@pytest.mark.parametrize("path", ["/api/tables", LINEAGE])
async def test_one_subjects_requests_leave_connections_to_others(
    service: FakeService, settings: SettingsMaker, path: str
) -> None:
    answered = asyncio.Event()

    async def wait(_scope: Any, _receive: Any, send: Any) -> None:
        await answered.wait()
        await answer_json(send, {})

    service.answers[path] = wait
    chosen = settings(service.url, upstream_connections=5, exchanges_per_subject=3)
    async with running_gateway(chosen) as gateway, gateway.client() as ann:

        async def status() -> int:
            async with ann.post(path, json={}) as answer:
                return answer.status

        waiting = [asyncio.create_task(status()) for _ in range(20)]
        exchanges = gateway.app.state.exchanges
        await until("three are with the service", lambda: exchanges.number == 3)
        async with gateway.client("bob@example.com") as bob, asyncio.timeout(10):
            for _ in range(5):
                async with bob.get("/api/catalog/etls") as answer:
                    assert answer.status == 200
        assert not any(each.done() for each in waiting)
        answered.set()
        assert await asyncio.gather(*waiting) == [200] * 20
        assert exchanges.number == 0


async def test_who_waits_too_long_for_the_own_requests_gets_429(
    service: FakeService, settings: SettingsMaker
) -> None:
    answered = asyncio.Event()

    async def wait(_scope: Any, _receive: Any, send: Any) -> None:
        await start(send)
        await answered.wait()
        await part(send, b"", more=False)

    service.answers["/api/tables"] = wait
    chosen = settings(service.url, exchanges_per_subject=1, answer_timeout_s=0.2)
    async with running_gateway(chosen) as gateway, gateway.client() as http:
        async with http.get("/api/tables") as first:
            async with http.get("/api/tables") as second:
                assert second.status == 429
                assert "being answered" in (await second.json())["detail"]
            answered.set()
            await first.read()
        async with http.get("/api/catalog/etls") as third:
            assert third.status == 200


@pytest.mark.parametrize("limited", [True, False])
async def test_a_key_that_cannot_be_checked_is_503_which_clients_repeat(
    service: FakeService, settings: SettingsMaker, *, limited: bool
) -> None:
    service.answers[API_KEY_PATH] = problem(503, "unavailable")
    async with (
        running_gateway(settings(service.url)) as gateway,
        aiohttp.ClientSession(gateway.url) as http,
    ):
        limit = exchanges("127.0.0.1")
        while limited and (await gateway.app.state.limiter.check((limit,))).allowed:
            pass
        headers = {"Authorization": "Bearer tab_" + "k" * 43}
        async with http.post(LINEAGE, json={}, headers=headers) as answer:
            assert answer.status == 503
            assert answer.headers["Retry-After"] == "1"


async def test_without_a_token_they_are_401_and_then_429(
    service: FakeService, settings: SettingsMaker
) -> None:
    chosen = settings(service.url, rate_limit_requests_per_s=0.001, rate_limit_requests_burst=2)
    async with running_gateway(chosen) as gateway, aiohttp.ClientSession(gateway.url) as http:
        statuses = []
        for _ in range(3):
            async with http.post(LINEAGE, json={}) as answer:
                statuses.append(answer.status)
        assert statuses == [401, 401, 429]
