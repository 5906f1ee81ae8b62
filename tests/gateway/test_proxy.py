import asyncio
import hashlib
import io
import json
from typing import Any

import aiohttp
import pytest
from yarl import URL

from gateway.bodies import WHOLE_BYTES
from tests.gateway.peers import (
    FakeService,
    RunningGateway,
    answer_json,
    chunks_of,
    part,
    problem,
    signed,
    start,
)
from tests.support.waiting import until_still


@pytest.mark.parametrize(
    "target",
    [
        "/api/tables/a%2Fb%20c%25/records?q=50%25+off&sort=-a,b&x=%E2%82%AC",
        "/api/tables/%C3%89t%C3%A9",
        "/api/catalog/graph?etl=a|b;c&d=[1]",
        "/api/tables/it's(a)$&+,;=:@name",
    ],
)
async def test_the_target_arrives_untouched(
    service: FakeService, http: aiohttp.ClientSession, target: str
) -> None:
    base = str(http._base_url).rstrip("/")
    async with http.get(URL(base + target, encoded=True)) as answer:
        assert answer.status == 200
    assert service.seen[-1].target == target


async def test_letters_typed_behind_curl_arrive_percent_encoded(
    service: FakeService, gateway: RunningGateway
) -> None:
    typed = "GET /api/etl/Ночь/tables?q=ünï HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    answer = await gateway.raw(typed.encode())
    assert answer.startswith(b"HTTP/1.1 200")
    assert service.seen[-1].target == "/api/etl/%D0%9D%D0%BE%D1%87%D1%8C/tables?q=%C3%BCn%C3%AF"


async def test_one_slash_is_dropped_on_the_way(
    service: FakeService, http: aiohttp.ClientSession
) -> None:
    async with http.post("/api/token/?a=b/", json={"username": "a", "password": "b"}) as answer:
        assert answer.status == 200
    assert service.seen[-1].target == "/api/token?a=b/"


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_methods_bodies_and_headers_pass(
    service: FakeService, http: aiohttp.ClientSession, method: str
) -> None:
    async with http.request(
        method, "/api/tables/x", data=b"hello", headers={"If-Match": '"7"', "X-Request-ID": "mine"}
    ) as answer:
        assert answer.headers["X-Request-ID"] == "mine"
        assert (await answer.json())["bytes"] == 5
    seen = service.seen[-1]
    assert (seen.method, seen.body) == (method, b"hello")
    assert seen.header("if-match") == '"7"'
    assert seen.header("x-request-id") == "mine"
    assert seen.header("content-length") == "5"
    assert seen.header("x-forwarded-for") == "127.0.0.1"


async def test_head_has_the_length_and_no_body(
    service: FakeService, http: aiohttp.ClientSession
) -> None:
    async with http.head("/api/tables/x") as answer:
        assert answer.status == 200
        assert int(answer.headers["Content-Length"]) > 0
        assert await answer.read() == b""
    assert service.seen[-1].method == "HEAD"
    async with http.get("/api/tables/x") as answer:  # the connection is still in step
        assert answer.status == 200


async def test_a_service_refusing_is_passed_on_as_it_is(
    service: FakeService, http: aiohttp.ClientSession
) -> None:
    service.answers["/api/tables/secret"] = problem(404, "table_unknown")
    async with http.get("/api/tables/secret") as answer:
        assert answer.status == 404
        assert answer.content_type == "application/problem+json"
        assert (await answer.json(content_type=None))["code"] == "table_unknown"


async def test_answers_keep_their_headers_and_lose_those_of_the_connection(
    service: FakeService, http: aiohttp.ClientSession
) -> None:
    async def answer_with_headers(_scope: Any, _receive: Any, send: Any) -> None:
        await start(
            send,
            (b"content-length", b"2"),
            (b"etag", b'"7"'),
            (b"link", b'</api/tables/x>; rel="next"'),
            (b"set-cookie", b"a=1"),
            (b"set-cookie", b"b=2"),
            (b"keep-alive", b"timeout=1"),
            (b"server", b"secret/1.0"),
            (b"x-request-id", b"theirs"),
        )
        await part(send, b"ok", more=False)

    service.answers["/api/tables/x"] = answer_with_headers
    async with http.get("/api/tables/x", headers={"X-Request-ID": "mine"}) as answer:
        assert answer.headers.getall("Set-Cookie") == ["a=1", "b=2"]
        assert answer.headers["ETag"] == '"7"'
        assert answer.headers.getall("X-Request-ID") == ["mine"]
        assert "Keep-Alive" not in answer.headers
        assert "Server" not in answer.headers
        assert len(answer.headers.getall("Date")) == 1


async def test_compressed_answers_stay_compressed(
    service: FakeService, http: aiohttp.ClientSession
) -> None:
    async def squeezed(_scope: Any, _receive: Any, send: Any) -> None:
        await start(send, (b"content-encoding", b"gzip"), (b"content-length", b"4"))
        await part(send, b"\x1f\x8b\x00\x00", more=False)

    service.answers["/api/tables/x"] = squeezed
    async with http.get("/api/tables/x") as answer:
        assert await answer.read() == b"\x1f\x8b\x00\x00"


async def test_an_upload_streams_while_it_is_sent(
    service: FakeService, http: aiohttp.ClientSession
) -> None:
    """Each part is sent once the service has the one before: beyond 1 MiB nothing is collected."""
    arrived: asyncio.Queue[bytes] = asyncio.Queue()

    async def take(_scope: Any, receive: Any, send: Any) -> None:
        async for chunk in chunks_of(receive):
            if chunk:
                await arrived.put(chunk)
        await answer_json(send, {}, status=202)

    service.answers["/api/imports"] = take

    async def parts() -> Any:
        yield b"x" * 2 * WHOLE_BYTES
        size = 0
        while size < 2 * WHOLE_BYTES:
            size += len(await arrived.get())
        for word in (b"two", b"three"):
            yield word
            assert await arrived.get() == word

    async with http.post("/api/imports", data=parts()) as answer:
        assert answer.status == 202


async def test_an_upload_is_held_back_while_the_service_does_not_take_it(
    service: FakeService, http: aiohttp.ClientSession
) -> None:
    taking, sent = asyncio.Event(), 0

    async def take_later(_scope: Any, receive: Any, send: Any) -> None:
        await taking.wait()
        digest = hashlib.sha256()
        async for chunk in chunks_of(receive):
            digest.update(chunk)
        await answer_json(send, {"sha256": digest.hexdigest()})

    service.answers["/api/imports"] = take_later
    block, blocks = bytes(range(256)) * 1024, 400  # 100 MB

    async def parts() -> Any:
        nonlocal sent
        for _ in range(blocks):
            yield block
            sent += 1

    request = asyncio.create_task(http.post("/api/imports", data=parts()).__aenter__())
    await until_still("the upload", lambda: sent)
    assert sent < blocks / 4  # what is on its way fits into the sockets' buffers
    taking.set()
    answer = await request
    assert (await answer.json())["sha256"] == hashlib.sha256(block * blocks).hexdigest()
    answer.release()


async def test_a_download_waits_for_a_slow_reader(
    service: FakeService, gateway: RunningGateway
) -> None:
    sent, block, blocks = 0, b"x" * 262_144, 400

    async def give(_scope: Any, _receive: Any, send: Any) -> None:
        nonlocal sent
        await start(send, (b"content-length", str(len(block) * blocks).encode()))
        for number in range(blocks):
            await part(send, block, more=number + 1 < blocks)
            sent += 1

    service.answers["/api/tables/x/export"] = give
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(
        signed(b"GET /api/tables/x/export HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    )
    await until_still("the download", lambda: sent)
    assert sent < blocks / 4
    answer = await reader.read()
    assert answer.partition(b"\r\n\r\n")[2] == block * blocks
    writer.close()


async def test_events_arrive_one_by_one(service: FakeService, http: aiohttp.ClientSession) -> None:
    next_event = asyncio.Event()

    async def events(_scope: Any, _receive: Any, send: Any) -> None:
        await start(send, (b"content-type", b"text/event-stream; charset=utf-8"))
        for number in range(3):
            await part(send, b"id: %d\n\n" % number)
            await next_event.wait()
            next_event.clear()
        await part(send, b"", more=False)

    service.answers["/api/imports/1/events"] = events
    async with http.get("/api/imports/1/events") as answer:
        for number in range(3):
            assert await answer.content.readuntil(b"\n\n") == b"id: %d\n\n" % number
            next_event.set()
        assert await answer.content.read() == b""


async def test_the_service_sees_that_a_reader_left(
    service: FakeService, gateway: RunningGateway
) -> None:
    left = asyncio.Event()

    async def events(_scope: Any, receive: Any, send: Any) -> None:
        await start(send, (b"content-type", b"text/event-stream"))
        await part(send, b"id: 1\n\n")
        while (await receive())["type"] != "http.disconnect":
            pass
        left.set()

    service.answers["/api/imports/1/events"] = events
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(signed(b"GET /api/imports/1/events HTTP/1.1\r\nHost: a\r\n\r\n"))
    await reader.readuntil(b"id: 1\n\n")
    writer.close()
    await asyncio.wait_for(left.wait(), 10)


async def test_a_client_that_leaves_in_mid_upload_ends_the_upload(
    service: FakeService, gateway: RunningGateway
) -> None:
    ended = asyncio.get_running_loop().create_future()
    begun = asyncio.Event()

    async def take(_scope: Any, receive: Any, _send: Any) -> None:
        while (message := await receive())["type"] == "http.request":
            begun.set()
            if not message.get("more_body", False):
                ended.set_result("complete")
                return
        ended.set_result("broken off")

    service.answers["/api/imports"] = take
    _, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    head = b"POST /api/imports HTTP/1.1\r\nHost: a\r\nContent-Length: 9000000\r\n\r\n"
    writer.write(signed(head + b"x" * 3_000_000))
    await begun.wait()
    writer.close()
    assert await asyncio.wait_for(ended, 10) == "broken off"


async def test_an_early_answer_reaches_a_client_that_still_sends(
    service: FakeService, http: aiohttp.ClientSession
) -> None:
    service.answers["/api/imports"] = problem(413, "too_large")
    async with http.post("/api/imports", data=io.BytesIO(b"x" * 3_000_000)) as answer:
        assert answer.status == 413
        assert (await answer.json(content_type=None))["code"] == "too_large"
    async with http.get("/api/tables/x") as answer:
        assert answer.status == 200


async def test_a_body_over_the_limit_is_refused_before_it_is_read(
    service: FakeService, gateway: RunningGateway
) -> None:
    over = gateway.app.settings.body_limit_bytes + 1
    length = b"Content-Length: %d\r\n" % over
    answer = await gateway.raw(b"POST /api/tables HTTP/1.1\r\nHost: a\r\n" + length + b"\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 413")
    assert b"application/problem+json" in head
    problem_ = json.loads(body)
    assert (problem_["code"], problem_["limit_bytes"]) == ("too_large", over - 1)
    assert service.seen == []
    service.answers["/api/imports"] = problem(401, "unauthenticated")
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    head_ = b"POST /api/imports HTTP/1.1\r\nHost: a\r\n" + length + b"\r\n"
    writer.write(signed(head_ + b"x" * 3_000_000))
    answer = await reader.readuntil(b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 401"), "an upload's limit is the service's own"
    writer.close()


async def test_100_continue_comes_from_the_service(
    service: FakeService, gateway: RunningGateway
) -> None:
    """Nothing of the body is asked for before the service wants it."""
    may_read = asyncio.Event()

    async def take(_scope: Any, receive: Any, send: Any) -> None:
        await may_read.wait()
        body = b"".join([chunk async for chunk in chunks_of(receive)])
        await answer_json(send, {"bytes": len(body)})

    service.answers["/api/imports"] = take
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    head = (
        b"POST /api/imports HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
        b"Content-Length: 4\r\nConnection: close\r\n\r\n"
    )
    writer.write(signed(head))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(reader.read(1), 0.3)
    may_read.set()
    assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(b"body")
    answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.endswith(b'{"bytes": 4}')
    writer.close()


async def test_a_refusal_instead_of_100_continue(
    service: FakeService, gateway: RunningGateway
) -> None:
    service.answers["/api/imports"] = problem(401, "unauthenticated")
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    head = (
        b"POST /api/imports HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
        b"Content-Length: 4\r\n\r\n"
    )
    writer.write(signed(head))
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 401")
    writer.close()
