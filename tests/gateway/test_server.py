"""What raw clients may send; and how the process stops."""

import asyncio
import inspect
from typing import Any, cast

import aiohttp
import pytest
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from gateway.main import gateway_app
from gateway.server import GuardedProtocol, server_for
from tests.gateway.conftest import SettingsMaker
from tests.gateway.peers import (
    FakeService,
    RunningGateway,
    answer_json,
    open_events,
    running_gateway,
    signed,
    start,
)

HOST = b"Host: a\r\n"


def test_uvicorn_has_the_attributes_that_the_protocol_replaces() -> None:
    """They are no public interface: a new version of uvicorn is taken after a look at them."""
    parameters = inspect.signature(RequestResponseCycle).parameters
    cycle = RequestResponseCycle(**cast("Any", dict.fromkeys(parameters)))
    for attribute in ("body", "disconnected", "message_event", "response_complete"):
        assert hasattr(cycle, attribute), attribute
    overridden = {name for name in vars(GuardedProtocol) if name in vars(HttpToolsProtocol)}
    assert overridden >= {
        "__init__",
        "connection_lost",
        "connection_made",
        "data_received",
        "on_body",
        "on_header",
        "on_headers_complete",
        "on_message_begin",
        "on_message_complete",
        "on_url",
        "send_400_response",
    }


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET /api/tables HTTP/1.1\r\n" + HOST + b"X: " + b"x" * 40_000 + b"\r\n\r\n", 431),
        (b"GET /api/tables HTTP/1.1\r\n" + HOST + b"X: " + b"x" * 2_000_000, 431),
        (b"GET /api/tables HTTP/1.1\r\n" + HOST + b"X: y\r\n" * 120 + b"\r\n", 431),
        (b"GET /api/tables?" + b"x" * 40_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 414),
    ],
)
async def test_large_heads_are_refused(
    service: FakeService, gateway: RunningGateway, head: bytes, status: int
) -> None:
    answer = await gateway.raw(head)
    assert answer.startswith(b"HTTP/1.1 %d" % status)
    assert b"application/problem+json" in answer
    assert service.seen == []


CHUNKED = b"Transfer-Encoding: chunked\r\n"
SMUGGLED = b"0\r\n\r\nGET /internal/subjects HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.mark.parametrize(
    "framing",
    [
        pytest.param(b"Content-Length: 4\r\n" + CHUNKED, id="CL.TE"),
        pytest.param(CHUNKED + b"Content-Length: 4\r\n", id="TE.CL"),
        pytest.param(b"Content-Length: 4\r\nContent-Length: 60\r\n", id="CL.CL"),
        pytest.param(b"Content-Length: 4, 60\r\n", id="CL list"),
        pytest.param(b"Content-Length: +4\r\n", id="signed CL"),
        pytest.param(b"Content-Length: 0x4\r\n", id="hexadecimal CL"),
        pytest.param(b"Content-Length: -1\r\n", id="negative CL"),
        pytest.param(b"Transfer-Encoding: chunked, identity\r\n", id="chunked not last"),
        pytest.param(b"Transfer-Encoding: xchunked\r\n", id="unknown coding"),
        pytest.param(b"Transfer-Encoding : chunked\r\n", id="space before colon"),
        pytest.param(b"Transfer-Encoding:\x0bchunked\r\n", id="vertical tab"),
        pytest.param(b"X: y\r\n Transfer-Encoding: chunked\r\n", id="folded line"),
        pytest.param(b"X: y\nTransfer-Encoding: chunked\n", id="bare newlines"),
        pytest.param(b"X: y\rTransfer-Encoding: chunked\r\n", id="bare return"),
        pytest.param(b"X\x00: y\r\n" + CHUNKED, id="NUL in a name"),
        pytest.param(b"X: a\x00b\r\n" + CHUNKED, id="NUL in a value"),
    ],
)
async def test_requests_of_two_meanings_do_not_pass(
    service: FakeService, gateway: RunningGateway, framing: bytes
) -> None:
    head = b"POST /api/imports HTTP/1.1\r\n" + HOST + framing + b"\r\n"
    answer = await gateway.raw(head + SMUGGLED)
    assert answer.startswith(b"HTTP/1.1 400")
    assert answer.count(b"HTTP/1.1 ") - answer.count(b"HTTP/1.1 request") == 1
    assert service.seen == []


@pytest.mark.parametrize(
    "body",
    [
        b"5\r\nhello\r\n0\r\nAuthorization: Bearer forged\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n",
        b"5;ext=1\r\nhello\r\n0\r\nX-Trailer: x\r\n\r\n",
    ],
)
async def test_trailers_are_no_headers(
    service: FakeService, gateway: RunningGateway, body: bytes
) -> None:
    head = b"POST /api/imports HTTP/1.1\r\n" + HOST + CHUNKED + b"Connection: close\r\n\r\n"
    answer = await gateway.raw(head + body)
    assert answer.startswith(b"HTTP/1.1 200")
    seen = service.seen[-1]
    assert seen.body == b"hello"
    assert "forged" not in str(seen.headers)
    assert seen.header("x-trailer") is None
    assert seen.header("x-forwarded-for") == "127.0.0.1"


@pytest.mark.parametrize(
    "chunk", [b"0x5\r\nhello\r\n0\r\n\r\n", b"-5\r\nhello\r\n0\r\n\r\n", b"5\r\nhelloXX0\r\n\r\n"]
)
async def test_chunks_of_odd_sizes_break_the_request(
    service: FakeService, gateway: RunningGateway, chunk: bytes
) -> None:
    head = b"POST /api/imports HTTP/1.1\r\n" + HOST + CHUNKED + b"\r\n"
    answer = await gateway.raw(head + chunk)
    assert answer.startswith(b"HTTP/1.1 400")
    assert service.seen == []


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET http://a/internal/subjects HTTP/1.1\r\nHost: a\r\n\r\n", 404),
        (b"GET /internal/subjects HTTP/1.1\r\nHost: a\r\n\r\n", 404),
        (b"GET //internal/subjects HTTP/1.1\r\nHost: a\r\n\r\n", 404),
        (b"GET /api/../internal/subjects HTTP/1.1\r\nHost: a\r\n\r\n", 404),
        (b"GET /api/%2e%2e/internal HTTP/1.1\r\nHost: a\r\n\r\n", 404),
        (b"GET /api/tables/..%2f..%2finternal HTTP/1.1\r\nHost: a\r\n\r\n", 404),
        (b"GET /api/tables/x/../../../internal HTTP/1.1\r\nHost: a\r\n\r\n", 404),
        (b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 404),
        (b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", 400),
        (b"GET /api/tables HTTP/1.1\r\n\r\n", 400),
        (b"GET /api/tables HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET /api/tables HTTP/9.1\r\nHost: a\r\n\r\n", 400),
        (b"GET /api/t\xe9bles HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    ],
)
async def test_odd_requests_are_refused(
    service: FakeService, gateway: RunningGateway, request_: bytes, status: int
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(signed(request_))
    line = await asyncio.wait_for(reader.readline(), 10)
    assert line.startswith(b"HTTP/1.1 %d" % status)
    assert b"application/problem+json" in await reader.readuntil(b"\r\n\r\n")
    assert service.seen == []
    writer.close()


async def test_pipelined_requests_are_answered_in_order(
    service: FakeService, gateway: RunningGateway
) -> None:
    answer = await gateway.raw(
        b"GET /api/tables/one HTTP/1.1\r\nHost: a\r\n\r\n"
        + signed(b"GET /api/tables/two HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    )
    assert answer.index(b"/api/tables/one") < answer.index(b"/api/tables/two")


async def test_http_1_0_is_answered(service: FakeService, gateway: RunningGateway) -> None:
    answer = await gateway.raw(b"GET /api/tables HTTP/1.0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200")
    assert service.seen[-1].header("x-forwarded-host") == "127.0.0.1"


async def test_a_head_that_does_not_end_is_408(
    service: FakeService, settings: SettingsMaker
) -> None:
    async with running_gateway(settings(service.url, head_timeout_s=0.2)) as gateway:
        assert (await gateway.raw(b"GET /api/tab")).startswith(b"HTTP/1.1 408")
        assert await gateway.raw(b"") == b""


async def test_stopping_ends_event_streams_and_lets_requests_finish(
    service: FakeService, settings: SettingsMaker
) -> None:
    finish, asked = asyncio.Event(), asyncio.Event()

    async def slow(_scope: Any, _receive: Any, send: Any) -> None:
        asked.set()
        await finish.wait()
        await answer_json(send, {"finished": True})

    service.answers["/api/imports/1/events"] = open_events
    service.answers["/api/tables"] = slow
    async with running_gateway(settings(service.url)) as gateway:
        http = gateway.client()
        async with http:
            stream = await http.get("/api/imports/1/events")
            await stream.content.readuntil(b"\n\n")
            request = asyncio.create_task(http.get("/api/tables").__aenter__())
            await asked.wait()
            gateway.server.should_exit = True
            assert await asyncio.wait_for(stream.content.read(), 10) == b""  # a clean end
            finish.set()
            answer = await asyncio.wait_for(request, 10)
            assert await answer.json() == {"finished": True}
            answer.release()


async def test_a_stream_asked_for_while_stopping_ends_at_once(
    service: FakeService, gateway: RunningGateway, http: aiohttp.ClientSession
) -> None:
    async def events(_scope: Any, receive: Any, send: Any) -> None:
        await start(send, (b"content-type", b"text/event-stream"))
        await receive()

    service.answers["/api/imports/1/events"] = events
    gateway.app.stopping.set()
    async with http.get("/api/imports/1/events") as answer:
        assert await asyncio.wait_for(answer.content.read(), 10) == b""


def test_the_server_believes_no_header_about_addresses(settings: SettingsMaker) -> None:
    server = server_for(gateway_app(settings("http://127.0.0.1:1")))
    assert server.config.proxy_headers is False
    assert server.config.access_log is False
