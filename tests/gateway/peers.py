"""Peers of the gateway that the tests write by hand: a service, a broken one, and raw clients."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from deploy.local.processes import free_port
from gateway.app import Gateway
from gateway.main import gateway_app
from gateway.server import Server, server_for
from gateway.settings import GatewaySettings
from shared.process.settings import MailSettings
from tests.support.issuer import new_issuer, person

Answer = Callable[[Any, Any, Any], Awaitable[None]]


@dataclass
class Seen:
    """One request as the service got it."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        values = [value for key, value in self.headers if key == name]
        assert len(values) < 2, values
        return values[0] if values else None


@dataclass
class FakeService:
    """A service: what it is asked is kept, and what it answers can be set by path."""

    url: str = ""
    seen: list[Seen] = field(default_factory=list)
    answers: dict[str, Answer] = field(default_factory=dict)
    document: dict[str, Any] = field(
        default_factory=lambda: {"openapi": "3.1.0", "info": {}, "paths": {}}
    )
    ready: bool = True
    connections: int = 0
    """How many the gateway has opened."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        path = scope["raw_path"].decode()
        if path == "/internal/openapi.json":
            await answer_json(send, self.document)
        elif path == "/.well-known/jwks.json":
            await answer_json(send, ISSUER.jwks())
        elif path == "/readyz":
            await answer_json(send, {}, status=200 if self.ready else 503)
        elif own := self.answers.get(path):
            await own(scope, receive, send)
        else:
            await self._echo(scope, receive, send)

    async def _echo(self, scope: Any, receive: Any, send: Any) -> None:
        body = b"".join([chunk async for chunk in chunks_of(receive)])
        query = scope["query_string"].decode()
        seen = Seen(
            method=scope["method"],
            target=scope["raw_path"].decode() + (f"?{query}" if query else ""),
            headers=[(name.decode(), value.decode()) for name, value in scope["headers"]],
            body=body,
        )
        self.seen.append(seen)
        await answer_json(send, {"target": seen.target, "bytes": len(body)})


async def chunks_of(receive: Any) -> AsyncIterator[bytes]:
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        more = message.get("more_body", False)
        yield message.get("body", b"")


async def start(send: Any, *headers: tuple[bytes, bytes], status: int = 200) -> None:
    await send({"type": "http.response.start", "status": status, "headers": list(headers)})


async def part(send: Any, body: bytes, *, more: bool = True) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": more})


async def open_events(_scope: Any, receive: Any, send: Any) -> None:
    """One event, and then a stream that stays open until its reader goes."""
    await start(send, (b"content-type", b"text/event-stream"))
    await part(send, b"id: 1\n\n")
    while (await receive())["type"] != "http.disconnect":
        pass


async def answer_json(
    send: Any, content: Any, *, status: int = 200, media_type: bytes = b"application/json"
) -> None:
    body = json.dumps(content).encode()
    head = [(b"content-type", media_type), (b"content-length", str(len(body)).encode())]
    await start(send, *head, status=status)
    await part(send, body, more=False)


def problem(status: int, code: str) -> Answer:
    """A service's refusal."""

    async def refuse(_scope: Any, _receive: Any, send: Any) -> None:
        document = {"type": "t", "title": "t", "status": status, "detail": "d", "code": code}
        await answer_json(send, document, status=status, media_type=b"application/problem+json")

    return refuse


@asynccontextmanager
async def running_service() -> AsyncIterator[FakeService]:
    service = FakeService()

    class Counting(HttpToolsProtocol):
        def connection_made(self, transport: Any) -> None:
            service.connections += 1
            super().connection_made(transport)

    config = uvicorn.Config(
        service,
        http=Counting,
        port=(port := free_port()),
        log_config=None,
        lifespan="off",
        loop="none",
        proxy_headers=False,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    service.url = f"http://127.0.0.1:{port}"
    async with running(server):
        yield service


@asynccontextmanager
async def running(server: uvicorn.Server) -> AsyncIterator[None]:
    task = asyncio.create_task(server.serve())
    while not server.started:
        if task.done():
            task.result()
            raise RuntimeError("the server did not start")
        await asyncio.sleep(0)
    try:
        yield
    finally:
        server.should_exit = True
        await task


ISSUER = new_issuer()
"""Signs the tokens that every gateway of these tests takes."""


class Keys:
    """The issuer's keys, without a request to anybody."""

    async def jwks(self) -> Mapping[str, Any]:
        return ISSUER.jwks()


def signed(request: bytes, caller: str = "ann@example.com") -> bytes:
    """A raw request with an access token as its first header."""
    bearer = f"Authorization: Bearer {ISSUER.token(person(caller))}\r\n".encode()
    line, end, rest = request.partition(b"\r\n")
    return line + end + bearer + rest if end else request


@dataclass
class RunningGateway:
    """A gateway on a real port."""

    url: str
    port: int
    app: Gateway
    server: Server

    def client(self, caller: str = "ann@example.com", **more: Any) -> aiohttp.ClientSession:
        """A client that is signed in."""
        headers = ISSUER.bearer(person(caller))
        return aiohttp.ClientSession(base_url=self.url, headers=headers, **more)

    async def raw(self, request: bytes, *, then_eof: bool = False) -> bytes:
        """Send a signed-in request's bytes and read until the gateway closes the connection."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(signed(request))
        if then_eof:
            writer.write_eof()
        try:
            return await reader.read()
        finally:
            writer.close()


@asynccontextmanager
async def running_gateway(
    settings: GatewaySettings, *, mail: MailSettings | None = None, real_auth: bool = False
) -> AsyncIterator[RunningGateway]:
    """With `real_auth` keys and revocations come from the auth of the settings."""
    app = gateway_app(settings, mail=mail, keys=None if real_auth else Keys())
    server = server_for(app, loop="none")
    async with running(server):
        url = f"http://127.0.0.1:{settings.port}"
        yield RunningGateway(url=url, port=settings.port, app=app, server=server)


@asynccontextmanager
async def broken_service(answer: bytes) -> AsyncIterator["BrokenService"]:
    """A TCP server that reads a request's head, sends these bytes and closes."""
    broken = BrokenService(answer)
    server = await asyncio.start_server(broken.serve, "127.0.0.1", 0)
    broken.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield broken


@dataclass
class BrokenService:
    answer: bytes
    url: str = ""
    heads: list[bytes] = field(default_factory=list)
    answers: list[bytes] = field(default_factory=list)
    """What to send to the first requests, before `answer`; each connection serves one after
    another until it is given an answer that does not end in `\\0`, which keeps it open."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                self.heads.append(await reader.readuntil(b"\r\n\r\n"))
                answer = self.answers.pop(0) if self.answers else self.answer
                writer.write(answer.removesuffix(b"\0"))
                await writer.drain()
                if not answer.endswith(b"\0"):
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()
