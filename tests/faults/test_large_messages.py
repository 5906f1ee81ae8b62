"""A database that sends one message larger than a worker may hold, and what it costs."""

import asyncio
import contextlib
import resource
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg

from deploy.local.postgresql import Cluster
from deploy.local.processes import free_port
from shared.process.stopping import end
from tests.faults.scene import Scene, people
from tests.ingest.driving import ANN
from tests.support.databases import OWNER, PASSWORD, make_database
from tests.support.waiting import until

GIB = 1 << 30
MESSAGE_BYTES = 3 * GIB // 2
PIECE = bytes(1 << 20)
COPY_DATA = b"d"
HEADER = struct.Struct(">cI")


class LargeMessages:
    """A proxy before a PostgreSQL that replaces the first rows of every COPY by one message."""

    def __init__(self, port: int) -> None:
        self.port = free_port()
        self.sent = 0
        """How many such messages were begun."""
        self._behind = port

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        sessions: list[asyncio.Task[None]] = []

        def connected(client: asyncio.StreamReader, answers: asyncio.StreamWriter) -> None:
            sessions.append(asyncio.create_task(self._session(client, answers)))

        server = await asyncio.start_server(connected, "127.0.0.1", self.port)
        try:
            yield
        finally:
            server.close()
            await end(sessions)

    async def _session(self, client: asyncio.StreamReader, answers: asyncio.StreamWriter) -> None:
        server, questions = await asyncio.open_connection("127.0.0.1", self._behind)
        asking = asyncio.create_task(_pass_on(client, questions))
        try:
            # Either side may be killed in mid-message: that is what is tried.
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await self._answer(server, answers)
        finally:
            for writer in (answers, questions):
                writer.close()
            await end([asking])

    async def _answer(self, server: asyncio.StreamReader, out: asyncio.StreamWriter) -> None:
        first = await server.readexactly(1)
        if first == b"N":  # it speaks no TLS
            out.write(first)
            first = b""
        while True:
            head = first + await server.readexactly(HEADER.size - len(first))
            first = b""
            kind, size = HEADER.unpack(head)
            body = await server.readexactly(size - 4)
            if kind != COPY_DATA:
                out.write(HEADER.pack(kind, size) + body)
                await out.drain()
                continue
            self.sent += 1
            out.write(HEADER.pack(COPY_DATA, MESSAGE_BYTES + 4))
            for _ in range(MESSAGE_BYTES // len(PIECE)):
                out.write(PIECE)
                await out.drain()


async def _pass_on(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while piece := await source.read(1 << 16):
            target.write(piece)
            await target.drain()


def resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize()


async def test_a_message_of_a_gigabyte_and_a_half_ends_in_a_process_of_its_own(
    scene: Scene, other_cluster: Cluster
) -> None:
    database = await make_database(other_cluster, "elsewhere")
    source = await asyncpg.connect(database.url())
    await source.execute("CREATE TABLE public.large AS SELECT 'x' AS name, 1 AS age")
    await source.close()
    proxy = LargeMessages(database.cluster.port)
    body: dict[str, Any] = {
        "source": {
            "kind": "postgresql", "host": "127.0.0.1", "port": proxy.port,
            "database": database.name, "user": OWNER, "password": PASSWORD,
        },
        "table": "large",
        "into": "people",
    }  # fmt: skip
    async with proxy.running():
        async with scene.worker() as worker:
            answer = await scene.ingest.http.post(
                "/api/imports/database", json=body, headers=scene.ingest.issuer.bearer(ANN)
            )
            assert answer.status_code == 202, answer.text
            neighbour = await scene.ingest.submit(people())
            # As the kernel does where the worker's container may take no more.
            await until("the worker takes a GiB", lambda: resident_bytes(worker.popen.pid) > GIB)
            await worker.killed()
        async with scene.worker(max_attempts=2):
            done = await scene.ingest.finished(answer.json(), timeout_s=180)
            assert (done["state"], done["attempt"]) == ("failed", 2)
            assert "more memory than it may" in done["error"]["detail"]
            assert (await scene.is_all_well(neighbour))["attempt"] == 1
    assert proxy.sent >= 3
