"""Passing one request to a service and its answer back, both as streams.

Never more of a body is held than the sockets' buffers: each chunk is handed on before the next is
taken. What is retried: GET and HEAD without a body, once, when a kept connection turns out dead.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import Enum

import aiohttp
import structlog
from multidict import CIMultiDict
from starlette.types import Receive
from yarl import URL

from gateway.errors import (
    AnswerTimeoutError,
    BadAnswerError,
    ClientGoneError,
    ServiceUnavailableError,
)
from gateway.incoming import CONNECTION_HEADERS, Incoming
from gateway.metrics import upstream_failures
from gateway.reply import Reply
from gateway.routing import Service
from gateway.settings import GatewaySettings
from shared.contracts.problem import PROBLEM_MEDIA_TYPE
from shared.errors import ProblemError
from shared.process import tracing

TICK_S = 1.0
"""How often, at least, a long request is looked at: is the client there, does anything move?"""
KEEP_CONNECTION_S = 4.0
"""Less than the 5 s after which the services' servers close an idle connection."""
READ_BUFFER_BYTES = 256 * 1024
UPSTREAM_HEAD_LIMIT_BYTES = 64 * 1024
EVENTS_MEDIA_TYPE = "text/event-stream"
PROBLEM_PEEK_BYTES = 16 * 1024

_NOT_PASSED_BACK = CONNECTION_HEADERS | {b"date", b"server", b"x-request-id"}
_READS = ("GET", "HEAD")

log = structlog.get_logger()


class Phase(Enum):
    """Whom a request is waiting for."""

    CLIENT_BODY = "client_body"
    SERVICE_TAKES = "service_takes"
    SERVICE_ANSWER = "service_answer"
    SERVICE_BODY = "service_body"
    CLIENT_TAKES = "client_takes"


@dataclass(frozen=True, slots=True)
class Upstream:
    """One service: its name and origin."""

    service: Service
    scheme: str
    authority: str

    @classmethod
    def at(cls, service: Service, url: str) -> "Upstream":
        """From the URL of the settings."""
        parsed = URL(url)
        return cls(service=service, scheme=parsed.scheme, authority=parsed.authority)

    def url(self, path: str, query: str) -> URL:
        """An address on this service; path and query go as they are, percent signs and all."""
        return URL.build(
            scheme=self.scheme,
            authority=self.authority,
            path=path,
            query_string=query,
            encoded=True,
        )


class Stopping:
    """Set when the process is asked to stop; event streams end then."""

    def __init__(self) -> None:
        self.is_set = False
        self._callbacks: set[Callable[[], None]] = set()

    def set(self) -> None:
        """End what would go on for ever."""
        self.is_set = True
        for callback in tuple(self._callbacks):
            callback()

    def add(self, callback: Callable[[], None]) -> None:
        """Call this when stopping, or now if it is too late."""
        if self.is_set:
            callback()
        else:
            self._callbacks.add(callback)

    def discard(self, callback: Callable[[], None]) -> None:
        """Forget a callback."""
        self._callbacks.discard(callback)


@asynccontextmanager
async def upstream_session(settings: GatewaySettings) -> AsyncIterator[aiohttp.ClientSession]:
    """The one client of the process: adds nothing to requests, undoes nothing in answers."""
    connector = aiohttp.TCPConnector(
        limit=0,
        limit_per_host=settings.upstream_connections,
        keepalive_timeout=KEEP_CONNECTION_S,
        ttl_dns_cache=30,
    )
    async with aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        skip_auto_headers=("Accept", "Accept-Encoding", "User-Agent", "Content-Type"),
        trust_env=False,
        read_bufsize=READ_BUFFER_BYTES,
        max_line_size=UPSTREAM_HEAD_LIMIT_BYTES,
        max_field_size=UPSTREAM_HEAD_LIMIT_BYTES,
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=settings.connect_timeout_s),
    ) as session:
        # aiohttp would send PUT and DELETE a second time; a test holds this name.
        session._retry_connection = False  # noqa: SLF001
        yield session


class Exchange:
    """One request on its way through; made anew for each."""

    __slots__ = (
        "_body",
        "_client_left",
        "_incoming",
        "_loop",
        "_phase",
        "_receive",
        "_refusal",
        "_reply",
        "_session",
        "_settings",
        "_since",
        "_stopping",
        "_task",
        "_tick_s",
        "_timed_out",
        "_timer",
        "_upstream",
        "_watcher",
    )

    def __init__(
        self,
        session: aiohttp.ClientSession,
        settings: GatewaySettings,
        upstream: Upstream,
        *,
        incoming: Incoming,
        receive: Receive,
        body: bytes | None,
        reply: Reply,
        stopping: Stopping,
    ) -> None:
        self._session = session
        self._settings = settings
        self._upstream = upstream
        self._incoming = incoming
        self._receive = receive
        self._body = body
        """None: it still comes, through `receive`."""
        self._refusal: ProblemError | None = None
        self._reply = reply
        self._stopping = stopping
        self._loop = asyncio.get_running_loop()
        self._phase = Phase.SERVICE_ANSWER
        self._since = self._loop.time()
        self._task: asyncio.Task[object] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._client_left = False
        self._tick_s = min(TICK_S, settings.answer_timeout_s, settings.idle_timeout_s)
        self._timed_out: Phase | None = None

    async def run(self) -> None:
        """Pass the request on and the answer back.

        Raises ServiceUnavailableError (503), BadAnswerError (502), AnswerTimeoutError (504) or
        ClientTooSlowError (408); after the answer's head was sent these mean: break off.
        Raises ClientGoneError when there is nobody left to answer.
        """
        self._task = asyncio.current_task()
        self._timer = self._loop.call_later(self._tick_s, self._tick)
        try:
            await self._pass_on()
        except asyncio.CancelledError:
            if self._task is None or not (self._client_left or self._timed_out):
                raise
            self._task.uncancel()
            raise self._reason() from None
        finally:
            self._timer.cancel()
            if self._watcher is not None:
                self._watcher.cancel()

    async def _pass_on(self) -> None:
        try:
            response = await self._request()
        except aiohttp.ClientError as exc:
            raise self._failure(exc) from exc
        try:
            await self._pass_back(response)
        finally:
            response.close()

    async def _request(self) -> aiohttp.ClientResponse:
        incoming = self._incoming
        url = self._upstream.url(incoming.path, incoming.query)
        headers = CIMultiDict(incoming.headers)
        headers.update(tracing.headers())
        if incoming.has_body:
            streams = self._body is None
            return await self._session.request(
                incoming.method,
                url,
                headers=headers,
                data=self._pieces() if streams else self._body,
                expect100=streams and incoming.expects_continue,
                allow_redirects=False,
            )
        try:
            return await self._session.request(
                incoming.method, url, headers=headers, allow_redirects=False
            )
        except (aiohttp.ClientConnectorError, aiohttp.ServerTimeoutError):
            raise
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
            if incoming.method not in _READS:
                raise
            upstream_failures.labels(self._upstream.service, "retried").inc()
            return await self._session.request(
                incoming.method, url, headers=headers, allow_redirects=False
            )

    async def _pieces(self) -> AsyncIterator[bytes]:
        more = True
        while more:
            self._enter(Phase.CLIENT_BODY)
            try:
                message = await self._receive()
            except ProblemError as exc:
                self._refusal = exc
                raise
            if message["type"] == "http.disconnect":
                self._client_left = True
                raise ClientGoneError
            more = message.get("more_body", False)
            if chunk := message.get("body", b""):
                self._enter(Phase.SERVICE_TAKES)
                yield chunk
        self._enter(Phase.SERVICE_ANSWER)

    async def _pass_back(self, response: aiohttp.ClientResponse) -> None:
        headers = [
            (lower, value)
            for name, value in response.raw_headers
            if (lower := name.lower()) not in _NOT_PASSED_BACK
        ]
        await self._reply.start(response.status, headers)
        if response.content_type != EVENTS_MEDIA_TYPE:
            await self._pump(response)
            return
        # An event stream would outlive SIGTERM: it is ended in good order, and its reader comes
        # back with `Last-Event-ID`, by then to another process.
        end = response.content.feed_eof
        self._stopping.add(end)
        try:
            await self._pump(response)
        finally:
            self._stopping.discard(end)

    async def _pump(self, response: aiohttp.ClientResponse) -> None:
        content = response.content
        problem = response.status >= 400 and response.content_type == PROBLEM_MEDIA_TYPE
        seen = b""
        more = True
        while more:
            self._enter(Phase.SERVICE_BODY)
            try:
                chunk = await content.readany()
            except aiohttp.ClientError as exc:
                raise self._failure(exc) from exc
            more = not content.at_eof()
            if problem and len(seen) < PROBLEM_PEEK_BYTES:
                seen += chunk
                self._reply.code = None if more else _problem_code(seen)
            self._enter(Phase.CLIENT_TAKES)
            await self._reply.body(chunk, more=more)

    def _enter(self, phase: Phase) -> None:
        self._phase = phase
        self._since = self._loop.time()

    def _tick(self) -> None:
        limit_s = (
            self._settings.answer_timeout_s
            if self._phase is Phase.SERVICE_ANSWER
            else self._settings.idle_timeout_s
        )
        # How long the client's body may take is `receive`'s to know.
        is_ours = self._phase is not Phase.CLIENT_BODY
        if is_ours and self._loop.time() - self._since > limit_s:
            self._timed_out = self._phase
            self._cancel()
            return
        self._timer = self._loop.call_later(self._tick_s, self._tick)
        body_is_read = self._phase not in (Phase.CLIENT_BODY, Phase.SERVICE_TAKES)
        if self._watcher is None and body_is_read:
            self._watcher = self._loop.create_task(self._watch())

    async def _watch(self) -> None:
        """Wait for the client to leave; a read, or an answer on its way, is given up then."""
        try:
            while (await self._receive())["type"] != "http.disconnect":
                pass
        except ProblemError:  # the rest of a body that was answered already came too slowly
            return
        if self._reply.finished:
            return
        if self._reply.status or self._incoming.method in _READS:
            self._client_left = True
            self._cancel()

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def _reason(self) -> Exception:
        if self._client_left:
            return ClientGoneError()
        upstream_failures.labels(self._upstream.service, "timeout").inc()
        if self._timed_out is Phase.CLIENT_TAKES:
            return ClientGoneError()
        return AnswerTimeoutError(f"{self._upstream.service} did not answer in time")

    def _failure(self, exc: aiohttp.ClientError) -> Exception:
        if self._client_left:
            return ClientGoneError()
        if self._refusal is not None:
            return self._refusal
        name = self._upstream.service
        failure: ProblemError
        if isinstance(exc, (aiohttp.ClientConnectorError, aiohttp.ServerTimeoutError)):
            kind = "connect"
            failure = ServiceUnavailableError(
                f"{name} does not answer; try again in a moment", retry_after_s=2
            )
        else:
            kind = "broken"
            failure = BadAnswerError(f"{name} broke off before its answer was complete")
        upstream_failures.labels(name, kind).inc()
        log.warning("service_failed", upstream=name, failure=kind, error=type(exc).__name__)
        return failure


def _problem_code(body: bytes) -> str | None:
    try:
        code = json.loads(body).get("code")
    except (ValueError, AttributeError):
        return None
    return code if isinstance(code, str) else None
