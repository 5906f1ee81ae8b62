"""Writing to a connection that its client has left."""

import asyncio
from typing import cast

import pytest
import uvloop

from gateway.transport import SMALL_BYTES, JoiningTransport

SMALL, LARGE = b"x", b"x" * SMALL_BYTES


class Accepted(asyncio.Protocol):
    """The server's end of a connection."""

    def __init__(self) -> None:
        self.lost = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's are no asyncio.Transport.
        self.transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        assert exc is None
        self.lost.set()


async def write_when_closed(*chunks: bytes) -> None:
    loop = asyncio.get_running_loop()
    accepted: asyncio.Future[Accepted] = loop.create_future()

    def accept() -> Accepted:
        protocol = Accepted()
        accepted.set_result(protocol)
        return protocol

    server = await loop.create_server(accept, "127.0.0.1", 0)
    async with server:
        _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        ours = await accepted
        joining = JoiningTransport(ours.transport, loop, linger_s=lambda: 0.0)
        joining.close()
        await ours.lost.wait()
        for chunk in chunks:
            joining.write(chunk)
        joining.close_at_once()
        writer.close()


@pytest.mark.parametrize("chunks", [(SMALL,), (LARGE,), (SMALL, SMALL), (SMALL, LARGE)])
def test_what_is_written_after_the_end_goes_nowhere(chunks: tuple[bytes, ...]) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(write_when_closed(*chunks))
