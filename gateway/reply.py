"""The answer on its way out: what has been sent of it, and problems in the one shape."""

import json
from collections.abc import Iterable, Mapping
from http import HTTPStatus

from starlette.types import Send

from shared.contracts.problem import PROBLEM_MEDIA_TYPE
from shared.errors import ProblemError

Headers = Iterable[tuple[bytes, bytes]]

DEFAULTS = ((b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store"))
"""Answers are a caller's own: no cache keeps them, and no browser takes them for a page."""


class Reply:
    """Wraps ASGI's `send`; adds the request id and remembers how far the answer got."""

    __slots__ = ("_extra", "_send", "code", "finished", "request_id", "status")

    def __init__(self, send: Send, request_id: str) -> None:
        self._send = send
        self.request_id = request_id
        self._extra: list[tuple[bytes, bytes]] = []
        self.status = 0
        """0 until the head was sent."""
        self.code: str | None = None
        """The problem's code, if the answer is one."""
        self.finished = False

    def add_headers(self, headers: Headers) -> None:
        """Headers to go with whatever the answer will be."""
        self._extra.extend(headers)

    async def start(self, status: int, headers: Headers) -> None:
        """Send the head; what it does not say of caching and sniffing is said for it."""
        self.status = status
        sent = [*headers, (b"x-request-id", self.request_id.encode()), *self._extra]
        names = {name for name, _ in sent}
        sent += [header for header in DEFAULTS if header[0] not in names]
        await self._send({"type": "http.response.start", "status": status, "headers": sent})

    async def body(self, chunk: bytes, *, more: bool) -> None:
        """Send a part of the body; returns when the client takes more."""
        await self._send({"type": "http.response.body", "body": chunk, "more_body": more})
        self.finished = not more

    async def whole(
        self, status: int, body: bytes, *, media_type: str, headers: Mapping[str, str] | None = None
    ) -> None:
        """Send a complete answer."""
        head = [(b"content-type", media_type.encode())]
        if status != HTTPStatus.NOT_MODIFIED:
            head.append((b"content-length", str(len(body)).encode()))
        head += [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()]
        await self.start(status, head)
        await self.body(body, more=False)

    async def problem(self, error: ProblemError, *, close: bool = False) -> None:
        """Send a problem document; `close` ends the connection, as after a body not read."""
        self.code = error.code
        document = error.document(request_id=self.request_id)
        headers = {**error.headers, **({"Connection": "close"} if close else {})}
        await self.whole(
            error.status,
            json.dumps(document.model_dump(exclude_none=True)).encode(),
            media_type=PROBLEM_MEDIA_TYPE,
            headers=headers,
        )
