"""A request's body on its way in: how slowly it may come, and how much of it waits here.

A small body is read whole before a connection to a service is taken, so that a client that sends
slowly holds nothing that others need. A large one is passed on as it comes; its subject may have
only so many of those at once.
"""

import asyncio

from starlette.types import Message, Receive

from gateway.errors import ClientGoneError, ClientTooSlowError
from gateway.settings import GatewaySettings
from shared.errors import TooLargeError

WHOLE_BYTES = 1024 * 1024
"""A body up to this size is read before its request is passed on."""


class PacedReceive:
    """ASGI's `receive`, which raises ClientTooSlowError for a body that comes too slowly.

    Only the time spent waiting for the client counts, not that in which a service takes nothing.
    """

    def __init__(self, receive: Receive, settings: GatewaySettings) -> None:
        self._receive = receive
        self._settings = settings
        self._loop = asyncio.get_running_loop()
        self._started = self._loop.time()
        self._waited_s = 0.0
        self._size_bytes = 0
        self.complete = False
        """Whether the body has ended."""

    async def __call__(self) -> Message:
        """The next message; after the body, those of the connection."""
        if self.complete:
            return await self._receive()
        began = self._loop.time()
        try:
            async with asyncio.timeout(self._settings.idle_timeout_s):
                message = await self._receive()
        except TimeoutError as exc:
            raise ClientTooSlowError("no more of the body arrived; send it again") from exc
        now = self._loop.time()
        self._waited_s += now - began
        self._size_bytes += len(message.get("body", b""))
        self.complete = message["type"] == "http.disconnect" or not message.get("more_body", False)
        if not self.complete:
            self._check(total_s=now - self._started)
        return message

    def _check(self, *, total_s: float) -> None:
        settings = self._settings
        least = settings.body_rate_bytes_per_s
        if self._waited_s > settings.body_grace_s and self._size_bytes < least * self._waited_s:
            raise ClientTooSlowError(f"the body comes at less than {least} bytes a second")
        if total_s > settings.body_time_s:
            raise ClientTooSlowError(f"the body has not ended after {settings.body_time_s:g} s")


async def piece(receive: Receive) -> bytes:
    """The next part of the body. Raises ClientGoneError."""
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientGoneError
    part: bytes = message.get("body", b"")
    return part


async def read_whole(receive: PacedReceive, *, limit_bytes: int) -> bytes:
    """The whole body. Raises TooLargeError over the limit, and as `piece`."""
    body = b""
    while not receive.complete:
        body += await piece(receive)
        if len(body) > limit_bytes:
            raise TooLargeError(
                f"the body of this call has at most {limit_bytes} bytes", limit_bytes=limit_bytes
            )
    return body


def replayed(start: bytes, receive: PacedReceive) -> Receive:
    """A `receive` that returns what was read already, then what `receive` returns."""
    waiting: list[Message] = [
        {"type": "http.request", "body": start, "more_body": not receive.complete}
    ]

    async def receive_again() -> Message:
        return waiting.pop() if waiting else await receive()

    return receive_again
