"""A transport that writes a head and the body behind it with one system call.

uvicorn writes them one after the other, and each write wakes the client: for small answers that is
a tenth of the gateway's whole work.
"""

import asyncio
from collections.abc import Callable
from typing import Any

SMALL_BYTES = 4096
"""What is smaller may wait for what comes in the same turn of the event loop."""
BUFFER_BYTES = 512 * 1024
"""How much of a large answer may lie here for a client that reads slowly."""


class JoiningTransport:
    """Wraps a stream transport; a small first write waits until the end of the loop's turn.

    What is written once the connection is closed goes nowhere; uvloop itself would raise.
    """

    __slots__ = ("_linger_s", "_loop", "_transport", "_waiting", "closing")

    def __init__(
        self,
        transport: asyncio.Transport,
        loop: asyncio.AbstractEventLoop,
        *,
        linger_s: Callable[[], float],
    ) -> None:
        self._transport = transport
        self._loop = loop
        self._linger_s = linger_s
        self.closing = False
        self._waiting = b""
        transport.set_write_buffer_limits(high=BUFFER_BYTES)

    def __getattr__(self, name: str) -> Any:
        """Everything that does not write is the transport's own."""
        return getattr(self._transport, name)

    def write(self, chunk: bytes) -> None:
        """Write a chunk, behind what waits."""
        if self._waiting:
            waiting, self._waiting = self._waiting, b""
            if not self._transport.is_closing():
                self._transport.writelines((waiting, chunk))
        elif len(chunk) < SMALL_BYTES:
            self._waiting = chunk
            self._loop.call_soon(self._flush)
        elif not self._transport.is_closing():
            self._transport.write(chunk)

    def close(self) -> None:
        """Close when all is written.

        While the client still sends, closing would reset the connection, and take the answer from
        a client that has not read it yet: so what it sends is still read for a while.
        """
        if self.closing:
            return
        self.closing = True
        self._flush()
        if linger_s := self._linger_s():
            try:
                self._transport.write_eof()
            except OSError:  # the client has gone meanwhile: nobody reads what was written
                self._transport.close()
                return
            self._transport.resume_reading()
            self._loop.call_later(linger_s, self._transport.close)
        else:
            self._transport.close()

    def close_at_once(self) -> None:
        """Close without waiting for the client to have sent all."""
        self.closing = True
        self._flush()
        self._transport.close()

    def is_closing(self) -> bool:
        """Whether nothing more can be written."""
        return self.closing or self._transport.is_closing()

    def write_eof(self) -> None:
        """End the sending side when all is written."""
        self._flush()
        self._transport.write_eof()

    def _flush(self) -> None:
        if self._waiting:
            waiting, self._waiting = self._waiting, b""
            if not self._transport.is_closing():
                self._transport.write(waiting)
