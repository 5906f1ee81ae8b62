"""uvicorn as the gateway needs it: a limit on heads, a time for them, and streams that end.

uvicorn's httptools protocol reads a request's head of any size and waits for it for ever.
"""

import asyncio
import json
import re
import socket
from collections.abc import Callable
from typing import Any, cast

import uvicorn
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from gateway.app import Gateway
from gateway.connections import Connections
from gateway.incoming import CONNECTION
from gateway.main import around
from gateway.transport import JoiningTransport
from shared.contracts.problem import PROBLEM_MEDIA_TYPE
from shared.errors import problem_document
from shared.process.request_id import HEADER, accepted_or_new

HEADERS_LIMIT = 100
BODY_WAITING_BYTES = 256 * 1024
"""How much of a body may wait for the application before no more is read: one read's worth."""
LINGER_S = 30.0
"""For how long, at most, a body is read and forgotten after its request was answered."""
LINGER_IN_HEAD_S = 2.0
"""The same for a head that was refused."""


class HeadError(Exception):
    """A head that is refused while it is read; `status` says how."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


_RAW = re.compile(rb"[\x80-\xff]")
_REFUSALS = {
    400: ("bad_request", "The request cannot be read", "this is not a valid HTTP/1.1 request"),
    408: ("request_timeout", "The request took too long to arrive", "send the head faster"),
    414: ("uri_too_long", "The address is too long", "put long input into the body"),
    431: ("headers_too_large", "The headers are too large", "send fewer or shorter headers"),
}


def protocol_for(app: Gateway) -> type[HttpToolsProtocol]:
    """The protocol of uvicorn with this process's limits."""
    return type(
        "BoundProtocol",
        (GuardedProtocol,),
        {
            "head_limit_bytes": app.settings.head_limit_bytes,
            "head_timeout_s": app.settings.head_timeout_s,
            "record_unread": staticmethod(app.record_unread),
            "open_connections": Connections(
                limit=app.settings.connections_per_address,
                trusted_proxies=app.settings.trusted_proxies,
            ),
        },
    )


class GuardedProtocol(HttpToolsProtocol):
    """One connection of a client."""

    head_limit_bytes = 32 * 1024
    head_timeout_s = 15.0
    record_unread: Callable[[int, str, str], None]
    """Given a status, the problem's code and the request id."""
    open_connections: Connections

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._in_head = True
        self._head_bytes = 0
        self._unread_bytes = 0
        self._head_started = False
        self._refusal = 400
        self._refused = False
        self._head_timer: asyncio.TimerHandle | None = None
        self._counted_as: str | None = None
        self._is_unknown = True

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock for the first head."""
        self._joining = JoiningTransport(transport, self.loop, linger_s=self._linger_s)
        super().connection_made(cast("asyncio.Transport", self._joining))
        if self.client is not None:
            self._counted_as = self.open_connections.add(self, self.client[0])
        self._head_timer = self.loop.call_later(self.head_timeout_s, self._head_is_late)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        self._stop_head_timer()
        if self._counted_as is not None:
            self.open_connections.remove(self, self._counted_as)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Feed the parser; a head that does not end within the limit is refused."""
        if self._refused:
            return
        if self._in_head and self._head_timer is None:
            self._head_timer = self.loop.call_later(self.head_timeout_s, self._head_is_late)
        if self._in_head and not self._head_started and not data.isascii():
            data = _with_encoded_target(data)
        super().data_received(data)
        if not self._in_head or self._refused or self.transport.is_closing():
            return
        # The head is still open. Where in this chunk it began is not known, but all that came
        # before the chunk belongs to it; a parser's half-read header is not seen by `on_header`.
        if self._unread_bytes > self.head_limit_bytes:
            self._refuse(431)
        self._unread_bytes += len(data)

    def on_message_begin(self) -> None:
        """A new request on this connection."""
        if self._refused:
            raise HeadError(400)  # behind the last request that is answered
        self._in_head = True
        self._head_started = True
        self._head_bytes = 0
        self._unread_bytes = 0
        super().on_message_begin()
        cast("dict[str, Any]", self.scope)[CONNECTION] = self

    def on_url(self, url: bytes) -> None:
        """A part of the request's target."""
        self._count(len(url), status=414)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header; those after the body (trailers) are no part of the request's meaning."""
        if not self._in_head:
            return
        self._count(len(name) + len(value) + 4, status=431)
        if len(self.headers) >= HEADERS_LIMIT:
            self._refusal = 431
            raise HeadError(431)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._in_head = False
        self._head_started = False
        self._stop_head_timer()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A part of the body; uvicorn would copy it twice on its way to the application."""
        cycle = self.cycle
        if cycle.response_complete:
            return
        waiting = bytes(cycle.body) + body if cycle.body else body
        # `receive` makes `bytes` of what it finds here, which costs nothing for bytes.
        cycle.body = waiting  # type: ignore[assignment]
        if len(waiting) > BODY_WAITING_BYTES:
            self.flow.pause_reading()
        cycle.message_event.set()

    def on_message_complete(self) -> None:
        """The body is whole; what comes next is a head, if it is not the end."""
        super().on_message_complete()
        self._in_head = True
        self._unread_bytes = 0
        if self._joining.closing:
            self._refused = True
            self._joining.close_at_once()

    def has_shown_a_token(self) -> None:
        """A request on this connection had a good access token."""
        if self._is_unknown and self._counted_as is not None:
            self._is_unknown = False
            self.open_connections.has_shown_a_token(self, self._counted_as)

    def close_now(self) -> None:
        """End the connection for a new one from the same address."""
        self.transport.abort()

    def _linger_s(self) -> float:
        """How long a connection that is to be closed is still read: while a body comes."""
        return 0.0 if self._in_head or self._refused else LINGER_S

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's signature
        """Answer what the parser refused, and close."""
        self._refuse(self._refusal)

    def _count(self, size_bytes: int, *, status: int) -> None:
        self._head_bytes += size_bytes
        if self._head_bytes > self.head_limit_bytes:
            self._refusal = status
            raise HeadError(status)

    def _head_is_late(self) -> None:
        self._head_timer = None
        if self.transport.is_closing():
            return
        if self.cycle is not None and not self.cycle.response_complete:
            # An earlier request on this connection is still being answered.
            self._head_timer = self.loop.call_later(self.head_timeout_s, self._head_is_late)
        elif self._head_started:
            self._refuse(408)
        else:
            self.transport.close()

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _refuse(self, status: int) -> None:
        """Write a problem and close; where another answer is due or has begun, only close."""
        self._stop_head_timer()
        if self._refused:
            return
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete:
            if self._in_head or self.pipeline or cycle.response_started:
                self.transport.close()
                return
            # The body of this very request cannot be read: the application need not answer.
            cycle.disconnected = True
            cycle.message_event.set()
        code, title, detail = _REFUSALS[status]
        request_id = accepted_or_new(None)
        self.record_unread(status, code, request_id)
        document = problem_document(
            status=status, code=code, title=title, detail=detail, request_id=request_id
        )
        body = json.dumps(document.model_dump(exclude_none=True)).encode()
        head = [
            STATUS_LINE[status],
            f"content-type: {PROBLEM_MEDIA_TYPE}\r\n".encode(),
            f"content-length: {len(body)}\r\n".encode(),
            f"{HEADER.lower()}: {request_id}\r\n".encode(),
            b"connection: close\r\n\r\n",
        ]
        self.transport.write(b"".join([*head, body]))
        # Closing with unread input would reset the connection, and the answer with it.
        self._refused = True
        self.transport.write_eof()
        self.loop.call_later(LINGER_IN_HEAD_S, self._joining.close_at_once)


def _with_encoded_target(head: bytes) -> bytes:
    """A head whose first line is percent-encoded where it holds UTF-8.

    People type such addresses behind `curl`; the parser refuses them, most servers do not.
    """
    line, end, rest = head.partition(b"\r\n")
    try:
        line.decode()
    except UnicodeDecodeError:
        return head
    return _RAW.sub(lambda byte: b"%%%02X" % ord(byte[0]), line) + end + rest


class Server(uvicorn.Server):
    """uvicorn's server; asked to stop, it first ends the event streams."""

    def __init__(self, config: uvicorn.Config, app: Gateway) -> None:
        super().__init__(config)
        self._gateway = app

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no new connections, end event streams, let running requests finish."""
        self._gateway.stopping.set()
        await super().shutdown(sockets)


def server_for(app: Gateway, *, loop: str = "auto") -> Server:
    """The server of one process."""
    settings = app.settings
    config = uvicorn.Config(
        around(app),
        host=settings.host,
        port=settings.port,
        http=protocol_for(app),
        ws="none",
        lifespan="on",
        loop=loop,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # who is believed is decided in `gateway.incoming`
        timeout_graceful_shutdown=int(settings.stop_timeout_s),
        backlog=2048,
    )
    return Server(config, app)
