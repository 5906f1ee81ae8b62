"""PostgreSQL that is away is told apart from a mistake of ours, however it shows."""

import asyncio
import errno
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import text

from deploy.local import postgresql
from shared.away import is_away
from shared.store.engine import database_engine
from shared.store.pooler import probe_engine


@pytest.fixture
def own_cluster(state_folder: Path) -> Iterator[postgresql.Cluster]:
    """A cluster that a test may stop."""
    folder = state_folder / "stopped"
    folder.mkdir(mode=0o755)
    own = postgresql.prepare(folder, durable=False)
    own.initialise()
    own.start()
    yield own
    own.stop()


async def test_a_server_that_stopped_is_away(own_cluster: postgresql.Cluster) -> None:
    async with database_engine(own_cluster.url(), application_name="test") as engine:
        await probe_engine(engine)
        await asyncio.to_thread(own_cluster.stop)
        with pytest.raises(OSError, match=r"refused|failed") as raised:
            await probe_engine(engine)
    assert is_away(raised.value)


async def test_a_host_that_is_not_there_is_away() -> None:
    url = "postgresql://someone:secret@postgresql.invalid:5432/none"
    async with database_engine(url, application_name="test") as engine:
        with pytest.raises(OSError, match=r"[Nn]ame|[Hh]ost") as raised:
            await probe_engine(engine)
    assert is_away(raised.value)


async def test_a_server_that_takes_no_more_connections_is_away(
    cluster: postgresql.Cluster,
) -> None:
    connection = await asyncpg.connect(cluster.url())
    await connection.execute("CREATE ROLE crowded LOGIN CONNECTION LIMIT 0 PASSWORD 'crowded'")
    url = cluster.url(user="crowded", password="crowded")
    try:
        async with database_engine(url, application_name="test") as engine:
            with pytest.raises(Exception, match="too many connections") as raised:
                await probe_engine(engine)
    finally:
        await connection.execute("DROP ROLE crowded")
        await connection.close()
    assert is_away(raised.value)


async def test_a_statement_that_is_wrong_is_our_mistake(cluster: postgresql.Cluster) -> None:
    async with (
        database_engine(cluster.url(), application_name="test") as engine,
        engine.connect() as connection,
    ):
        with pytest.raises(Exception, match="does not exist") as raised:
            await connection.execute(text("SELECT nothing FROM nowhere"))
    assert not is_away(raised.value)


@asynccontextmanager
async def never_closing(cluster: postgresql.Cluster) -> AsyncIterator[tuple[str, asyncio.Event]]:
    """A URL whose connections stay open when the server ends them, and whether it has."""
    ended = asyncio.Event()

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_connection("127.0.0.1", cluster.port)
        asking = asyncio.create_task(forward(reader, to_server))
        await forward(from_server, writer)
        ended.set()
        await asking
        for each in (writer, to_server):
            each.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        yield cluster.url().replace(f":{cluster.port}/", f":{port}/"), ended


async def test_the_last_message_without_the_end_of_the_stream_is_away(
    cluster: postgresql.Cluster,
) -> None:
    """Between the two asyncpg raises an error that it has for its own mistakes."""
    other = await asyncpg.connect(cluster.url())
    async with never_closing(cluster) as (url, ended):
        connection = await asyncpg.connect(url)
        await other.execute("SELECT pg_terminate_backend($1)", connection.get_server_pid())
        await ended.wait()
        for _ in range(5):  # the message is in the socket; asyncpg reads it in the next turns
            await asyncio.sleep(0)
        with pytest.raises(asyncpg.InternalClientError, match="cannot switch to state") as raised:
            await connection.fetchval("SELECT 1")
        connection.terminate()
    await other.close()
    assert is_away(raised.value)


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.EHOSTUNREACH, "No route to host"),
        OSError(
            "Multiple exceptions: [Errno 111] Connect call failed ('::1', 5432, 0, 0),"
            " [Errno 111] Connect call failed ('127.0.0.1', 5432)"
        ),
        TimeoutError(),
    ],
    ids=repr,
)
def test_an_address_that_does_not_answer_is_away(error: OSError) -> None:
    assert is_away(error)


@pytest.mark.parametrize(
    "error", [FileNotFoundError("a file"), OSError(errno.ENOSPC, "No space left")], ids=repr
)
def test_a_disk_is_no_database(error: OSError) -> None:
    assert not is_away(error)
