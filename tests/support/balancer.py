"""A load balancer for TCP, as it stands before several processes of one service."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

HOST = "127.0.0.1"
PIECE_BYTES = 64 * 1024


@dataclass
class Balancer:
    """Gives each connection to the next port that takes it; the streams pass as they are."""

    ports: Sequence[int]
    url: str = ""
    passed_bytes: dict[int, int] = field(default_factory=dict)
    """How much each port has been sent."""
    serving: "set[asyncio.Task[None]]" = field(default_factory=set)
    _next: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Connect a client with the next process that is there; hang up if there is none."""
        task = asyncio.current_task()
        assert task is not None
        self.serving.add(task)
        try:
            await self._connect(reader, writer)
        finally:
            writer.close()
            self.serving.discard(task)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in self.ports:
            port = self.ports[self._next % len(self.ports)]
            self._next += 1
            with suppress(OSError):
                answers, behind = await asyncio.open_connection(HOST, port)
                break
        else:
            return
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pass(reader, behind, port))
                both.create_task(self._pass(answers, writer))
        except* ConnectionError:  # one side has gone, so the other goes too
            pass
        finally:
            behind.close()

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int | None = None
    ) -> None:
        while piece := await reader.read(PIECE_BYTES):
            if port is not None:
                self.passed_bytes[port] = self.passed_bytes.get(port, 0) + len(piece)
            writer.write(piece)
            await writer.drain()
        with suppress(OSError):
            writer.write_eof()


@asynccontextmanager
async def balanced(ports: Sequence[int]) -> AsyncIterator[Balancer]:
    """One address for the processes at these ports."""
    balancer = Balancer(ports)
    server = await asyncio.start_server(balancer.serve, HOST, 0)
    balancer.url = f"http://{HOST}:{server.sockets[0].getsockname()[1]}"
    try:
        yield balancer
    finally:
        server.close()
        for task in balancer.serving:
            task.cancel()
        await asyncio.gather(*balancer.serving, return_exceptions=True)
