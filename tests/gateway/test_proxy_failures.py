"""What a client is told of failures: a problem before the first byte, a clean abort after it."""

import asyncio
from typing import Any

import aiohttp
import pytest

from deploy.local.processes import free_port
from tests.gateway.conftest import SettingsMaker
from tests.gateway.peers import FakeService, broken_service, running_gateway


async def test_a_service_that_is_down_is_503(settings: SettingsMaker) -> None:
    async with (
        running_gateway(settings(f"http://127.0.0.1:{free_port()}")) as gateway,
        gateway.client() as http,
        http.post("/api/imports", data=b"x") as answer,
    ):
        assert answer.status == 503
        assert answer.headers["Retry-After"] == "2"
        document = await answer.json(content_type=None)
        assert document["code"] == "service_unavailable"
        assert document["request_id"] == answer.headers["X-Request-ID"]


@pytest.mark.parametrize("bytes_", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Le"])
async def test_an_answer_that_cannot_be_read_is_502(settings: SettingsMaker, bytes_: bytes) -> None:
    async with (
        broken_service(bytes_) as broken,
        running_gateway(settings(broken.url)) as gateway,
        gateway.client() as http,
        http.post("/api/imports", data=b"x") as answer,
    ):
        assert answer.status == 502
        assert (await answer.json(content_type=None))["code"] == "bad_gateway"
        assert len(broken.heads) == 1


async def test_no_answer_in_time_is_504(service: FakeService, settings: SettingsMaker) -> None:
    gone = asyncio.Event()

    async def think(_scope: Any, receive: Any, _send: Any) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        gone.set()

    service.answers["/api/tables"] = think
    async with (
        running_gateway(settings(service.url, answer_timeout_s=0.2)) as gateway,
        gateway.client() as http,
        http.get("/api/tables") as answer,
    ):
        assert answer.status == 504
        assert (await answer.json(content_type=None))["code"] == "gateway_timeout"
        await asyncio.wait_for(gone.wait(), 10)


async def test_a_client_that_stops_sending_is_408(
    service: FakeService, settings: SettingsMaker
) -> None:
    async with running_gateway(settings(service.url, idle_timeout_s=0.2)) as gateway:
        answer = await gateway.raw(
            b"POST /api/imports HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf"
        )
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"request_timeout" in answer


@pytest.mark.parametrize(
    "head", [b"Content-Length: 100\r\n\r\nhalf", b"Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"]
)
async def test_an_answer_broken_off_ends_as_one(settings: SettingsMaker, head: bytes) -> None:
    """No end is made up: the client sees that something is missing."""
    async with (
        broken_service(b"HTTP/1.1 200 OK\r\n" + head) as broken,
        running_gateway(settings(broken.url)) as gateway,
        gateway.client() as http,
        http.get("/api/tables") as answer,
    ):
        assert answer.status == 200
        with pytest.raises(aiohttp.ClientPayloadError):
            await answer.read()


KEPT = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok\0"


@pytest.mark.parametrize(
    ("method", "status", "requests"), [("GET", 200, 3), ("PUT", 502, 2), ("DELETE", 502, 2)]
)
async def test_only_reads_are_sent_again_on_a_dead_connection(
    settings: SettingsMaker, method: str, status: int, requests: int
) -> None:
    async with (
        broken_service(KEPT) as broken,
        running_gateway(settings(broken.url)) as gateway,
        gateway.client() as http,
    ):
        async with http.get("/api/tables") as answer:
            assert answer.status == 200
        broken.answers = [b""]  # the kept connection dies under the next request
        async with http.request(method, "/api/tables") as answer:
            assert answer.status == status
        assert len(broken.heads) == requests
