"""HTTP to addresses that people gave: what is connected to, followed, sent and read."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from yarl import URL

from services.ingest.connections.guard import Endpoint, Guard, guard_of
from services.ingest.connections.web import (
    AnswerError,
    Download,
    UrlRefusedError,
    Validators,
    checked_url,
    download,
    guarded_session,
)

LOOPBACK = guard_of(networks="127.0.0.0/8,::1/128", ports="")
PUBLIC = guard_of(networks="public", ports="")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[URL]:
    """A server on the loopback whose every path is answered by the handler."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        yield URL(f"http://127.0.0.1:{port}/")
    finally:
        await runner.cleanup()


async def fetched(
    url: URL,
    *,
    guard: Guard = LOOPBACK,
    headers: dict[str, str] | None = None,
    validators: Validators | None = None,
    limit_bytes: int = 1_000,
) -> tuple[Download, bytes]:
    """The answer and its body."""
    async with (
        guarded_session(guard) as session,
        download(
            session,
            url,
            headers=headers or {},
            validators=validators or Validators(),
            limit_bytes=limit_bytes,
        ) as answer,
    ):
        return answer, b"".join([piece async for piece in answer.chunks()])


@pytest.mark.parametrize(
    "text",
    [
        *("ftp://example.com/a", "/a.csv", "https://", "https://ann:secret@example.com/"),
        *("https://example.com/a b", "https://example.com/\r\nX: y", "https://example.com:99999/"),
        "https://example.com/" + "a" * 3_000,
    ],
)
def test_what_is_no_plain_url_is_refused_by_field(text: str) -> None:
    with pytest.raises(UrlRefusedError) as refused:
        checked_url(text, field_name="from.url")
    assert [error.field for error in refused.value.errors] == ["from.url"]


async def test_an_answer_comes_with_its_version_and_name() -> None:
    async def answer(_request: web.Request) -> web.Response:
        disposition = "attachment; filename=\"x.csv\"; filename*=UTF-8''M%C3%A4rz.csv"
        headers = {"ETag": '"1"', "Content-Disposition": disposition, "Last-Modified": "yesterday"}
        return web.Response(body=b"a\n1\n", headers=headers)

    async with serving(answer) as url:
        found, body = await fetched(url / "file")
    assert (found.unchanged, found.file_name, body) == (False, "März.csv", b"a\n1\n")
    assert found.validators == Validators('"1"', "yesterday")


@pytest.mark.parametrize("name", ["../../etc/x.csv", "..\\\\..\\\\x.csv", "/x.csv"])
async def test_of_a_name_the_last_part_is_kept(name: str) -> None:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(headers={"Content-Disposition": f'attachment; filename="{name}"'})

    async with serving(answer) as url:
        found, _ = await fetched(url)
    assert found.file_name == "x.csv"


async def test_a_version_that_is_known_is_not_sent_again() -> None:
    async def answer(request: web.Request) -> web.Response:
        assert request.headers["If-None-Match"] == '"1"'
        return web.Response(status=304, headers={"ETag": '"1"'})

    async with serving(answer) as url:
        found, body = await fetched(url, validators=Validators(etag='"1"'))
    assert (found.unchanged, body) == (True, b"")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0x7f000001"])
async def test_an_address_that_is_not_allowed_is_never_called(host: str) -> None:
    calls: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        calls.append(request.path)
        return web.Response()

    async with serving(answer) as url:
        with pytest.raises(AnswerError):
            await fetched(URL(f"http://{host}:{url.port}/"), guard=PUBLIC)
    assert not calls


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2"])
async def test_a_server_of_the_installation_is_never_called(host: str) -> None:
    calls: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        calls.append(request.path)
        return web.Response()

    async with serving(answer) as url:
        assert url.port is not None
        own = guard_of(networks="127.0.0.0/8", ports="", own=[Endpoint("localhost", url.port)])
        with pytest.raises(AnswerError):
            await fetched(URL(f"http://{host}:{url.port}/"), guard=own)
    assert not calls


async def test_a_redirect_to_an_address_that_is_not_allowed_is_not_followed() -> None:
    calls: list[str] = []

    async def inner(request: web.Request) -> web.Response:
        calls.append(request.path)
        return web.Response()

    async with serving(inner) as inside:

        async def outer(_request: web.Request) -> web.Response:
            raise web.HTTPFound(f"http://127.0.0.2:{inside.port}/secret")

        async with serving(outer) as url:
            only_one = guard_of(networks="127.0.0.1/32", ports="")
            with pytest.raises(AnswerError, match="may not connect") as refused:
                await fetched(url, guard=only_one)
    assert not refused.value.again
    assert not calls


async def test_headers_go_to_the_origin_that_was_named_alone() -> None:
    seen: dict[str, str | None] = {}

    async def other(request: web.Request) -> web.Response:
        seen["other"] = request.headers.get("X-Api-Key")
        return web.Response(body=b"x")

    async with serving(other) as there:

        async def first(request: web.Request) -> web.Response:
            seen[request.path] = request.headers.get("X-Api-Key")
            raise web.HTTPFound("/again" if request.path == "/" else str(there))

        async with serving(first) as url:
            _, body = await fetched(url, headers={"X-Api-Key": "secret"})
    assert body == b"x"
    assert seen == {"/": "secret", "/again": "secret", "other": None}


async def test_redirects_end() -> None:
    async def answer(_request: web.Request) -> web.Response:
        raise web.HTTPFound("/again")

    async with serving(answer) as url:
        with pytest.raises(AnswerError, match="more than 5 times"):
            await fetched(url)


@pytest.mark.parametrize(
    ("status", "again"),
    [
        *((202, True), (204, False), (206, False)),
        *((404, False), (403, False), (429, True), (500, True), (503, True)),
    ],
)
async def test_what_may_be_tried_again_is_told_apart(status: int, again: bool) -> None:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(status=status)

    async with serving(answer) as url:
        with pytest.raises(AnswerError, match=str(status)) as failed:
            await fetched(url)
    assert failed.value.again is again


@pytest.mark.parametrize("declared", [True, False])
async def test_a_body_ends_at_the_limit(declared: bool) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        if declared:
            response.content_length = 1 << 30
        await response.prepare(request)
        while True:
            await response.write(b"a" * 1_000)

    async with serving(answer) as url:
        with pytest.raises(AnswerError, match="larger than 5,000 bytes") as failed:
            await fetched(url, limit_bytes=5_000)
    assert not failed.value.again


async def test_a_body_that_breaks_off_may_be_tried_again() -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        response.content_length = 100
        await response.prepare(request)
        await response.write(b"half")
        assert request.transport is not None
        request.transport.close()
        return response

    async with serving(answer) as url:
        with pytest.raises(AnswerError, match="broke off") as failed:
            await fetched(url)
    assert failed.value.again


async def test_nobody_there_may_be_tried_again() -> None:
    with pytest.raises(AnswerError, match="cannot be reached") as failed:
        await fetched(URL("http://127.0.0.1:9/"))
    assert failed.value.again
