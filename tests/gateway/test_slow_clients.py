"""A client that sends slowly, or says not who it is, holds nothing that others need."""

import asyncio
import json
import socket
from contextlib import AsyncExitStack
from typing import Any

import pytest

from gateway.__main__ import allow_all_files
from tests.gateway.conftest import SettingsMaker
from tests.gateway.peers import FakeService, RunningGateway, problem, running_gateway, signed
from tests.support.profile import only_in_full
from tests.support.waiting import until

HALF = b"POST /api/tables HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n" + b"x" * 500
SLOW_CLIENTS = 1000

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def opened(gateway: RunningGateway, stack: AsyncExitStack, request: bytes) -> Connection:
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    stack.callback(writer.close)
    writer.write(request)
    return reader, writer


async def test_nothing_is_taken_for_a_caller_without_a_token(
    service: FakeService, gateway: RunningGateway
) -> None:
    """Neither a connection to a service nor the body."""
    async with AsyncExitStack() as stack:
        reader, _ = await opened(gateway, stack, HALF)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 401")
        assert b"www-authenticate: Bearer\r\n" in head
        assert json.loads(await reader.read())["code"] == "unauthenticated"
    assert service.connections == 0


@pytest.mark.parametrize("path", ["/api/token", "/api/token/refresh", "/api/auth/otp/verify"])
async def test_the_calls_that_sign_in_need_no_token(
    service: FakeService, gateway: RunningGateway, path: str
) -> None:
    async with AsyncExitStack() as stack:
        request = f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{{}}"
        reader, _ = await opened(gateway, stack, request.encode())
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
    assert service.seen[-1].body == b"{}"


@only_in_full
async def test_a_thousand_clients_with_half_a_body_hold_no_connection_to_a_service(
    service: FakeService, settings: SettingsMaker
) -> None:
    allow_all_files()
    chosen = settings(
        service.url,
        upstream_connections=5,
        bodies_per_subject=SLOW_CLIENTS,
        rate_limit_requests_per_s=10_000,
        rate_limit_requests_burst=10_000,
    )
    async with running_gateway(chosen) as gateway, AsyncExitStack() as stack:
        half = signed(HALF)
        slow = [await opened(gateway, stack, half) for _ in range(SLOW_CLIENTS)]
        bodies = gateway.app.state.bodies
        await until("all of them are being waited for", lambda: bodies.number == SLOW_CLIENTS)
        assert service.connections == 0
        async with gateway.client("bob@example.com") as http:
            for _ in range(5):
                for _, writer in slow:
                    writer.write(b"x")  # they drip, and stay far from the end
                async with http.get("/api/tables") as answer:
                    assert answer.status == 200
        assert service.connections <= 2
        assert {seen.method for seen in service.seen} == {"GET"}


async def test_one_subject_sends_only_so_many_bodies_at_once(
    service: FakeService, settings: SettingsMaker
) -> None:
    chosen = settings(service.url, bodies_per_subject=3)
    async with running_gateway(chosen) as gateway, AsyncExitStack() as stack:
        for _ in range(3):
            _, writer = await opened(gateway, stack, signed(HALF))
        bodies = gateway.app.state.bodies
        await until("three are being waited for", lambda: bodies.number == 3)
        reader, _ = await opened(gateway, stack, signed(HALF))
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 429")
        async with gateway.client() as http, http.post("/api/tables", data=b"whole") as answer:
            assert answer.status == 200, "what arrives in one piece is not counted"
        bob = gateway.client("bob@example.com")
        async with bob, bob.post("/api/tables", data=b"x" * 500_000) as answer:
            assert answer.status == 200
        writer.write(b"x" * 500)
        await until("one has ended", lambda: bodies.number == 2)


@pytest.mark.parametrize("path", [b"/api/tables", b"/api/imports"])
async def test_a_body_that_drips_is_408(
    service: FakeService, settings: SettingsMaker, path: bytes
) -> None:
    """Whether it is read first or passed on as it comes."""
    chosen = settings(service.url, body_rate_bytes_per_s=10**9, body_grace_s=0.05)
    sent = b"x" * (500 if path == b"/api/tables" else 3_000_000)
    async with running_gateway(chosen) as gateway, AsyncExitStack() as stack:
        head = b"POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: 60000000\r\n\r\n" % path
        reader, writer = await opened(gateway, stack, signed(head) + sent)
        answer = asyncio.create_task(reader.readuntil(b"\r\n\r\n"))
        while not answer.done():
            writer.write(b"x")
            await asyncio.wait([answer], timeout=0.02)
        assert (await answer).startswith(b"HTTP/1.1 408")


async def test_a_body_that_takes_too_long_is_408(
    service: FakeService, settings: SettingsMaker
) -> None:
    chosen = settings(service.url, body_time_s=0.1, body_rate_bytes_per_s=0)
    async with running_gateway(chosen) as gateway, AsyncExitStack() as stack:
        reader, writer = await opened(gateway, stack, signed(HALF))
        answer = asyncio.create_task(reader.readuntil(b"\r\n\r\n"))
        while not answer.done():
            writer.write(b"x")
            await asyncio.wait([answer], timeout=0.02)
        assert (await answer).startswith(b"HTTP/1.1 408")


async def test_the_oldest_stranger_makes_room_for_a_new_connection(
    service: FakeService, settings: SettingsMaker
) -> None:
    get = b"GET /api/tables HTTP/1.1\r\nHost: a\r\n\r\n"
    async with (
        running_gateway(settings(service.url, connections_per_address=4)) as gateway,
        AsyncExitStack() as stack,
    ):
        known = await opened(gateway, stack, signed(get))
        await known[0].readuntil(b"\r\n\r\n")
        strangers = [await opened(gateway, stack, b"GET /api") for _ in range(5)]
        for reader, _ in strangers[:2]:
            assert await closed(reader)
        for _, writer in strangers[2:]:
            writer.write(b"/tables HTTP/1.1\r\nHost: a\r\n\r\n")
        for reader, _ in strangers[2:]:
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 401")
        known[1].write(signed(get))
        assert b"HTTP/1.1 200" in await known[0].readuntil(b"ratelimit-policy")


async def test_connections_of_trusted_proxies_are_not_counted(
    service: FakeService, settings: SettingsMaker
) -> None:
    chosen = settings(service.url, connections_per_address=1, trusted_proxies="127.0.0.1")
    async with running_gateway(chosen) as gateway, AsyncExitStack() as stack:
        all_ = [await opened(gateway, stack, b"GET /api") for _ in range(5)]
        for reader, writer in all_:
            writer.write(b"/tables HTTP/1.1\r\nHost: a\r\n\r\n")
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 401")


async def closed(reader: asyncio.StreamReader) -> bool:
    try:
        return await reader.read() == b""
    except ConnectionError:
        return True


@pytest.mark.parametrize(("path", "status"), [("/api/tables", 401), ("/api/imports", 413)])
async def test_an_early_answer_is_read_by_a_client_that_sends_first(
    service: FakeService, gateway: RunningGateway, path: str, status: int
) -> None:
    """As most clients do: they read when all is sent, and a reset would take the answer away."""
    service.answers["/api/imports"] = problem(413, "too_large")
    size = 20_000_000
    head = f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n\r\n".encode()

    def send_then_read() -> bytes:
        with socket.create_connection(("127.0.0.1", gateway.port), timeout=30) as connection:
            connection.sendall(head if status == 401 else signed(head))
            for _ in range(size // 100_000):
                connection.sendall(b"x" * 100_000)
            return connection.recv(100)

    answer: Any = await asyncio.to_thread(send_then_read)
    assert answer.startswith(b"HTTP/1.1 %d" % status)
