"""PostgreSQL that is away is told apart from a mistake of ours, however it shows."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import text

from deploy.local import postgresql
from shared.store.away import is_away
from shared.store.copying import while_connected
from shared.store.engine import database_engine, database_pool, probe_engine


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
    assert not is_away(FileNotFoundError("a file"))


PIECE = b"x" * 65_535 + b"\n"
PATIENCE_S = 30


async def test_a_copy_ends_when_its_connection_does(cluster: postgresql.Cluster) -> None:
    """Also while it waits for a server that reads nothing, of which the driver tells nobody."""
    sent: asyncio.Queue[None] = asyncio.Queue()

    async def endless() -> AsyncIterator[bytes]:
        while True:
            sent.put_nowait(None)
            yield PIECE

    other = await asyncpg.connect(cluster.url())
    await other.execute("CREATE TABLE slowly_filled (line text)")
    async with database_pool(cluster.url(), application_name="test", size=1) as pool:
        async with pool.acquire() as connection, other.transaction():
            await other.execute("LOCK TABLE slowly_filled")  # so the server reads nothing
            pid = connection.get_server_pid()

            async def copy() -> None:
                async with while_connected(connection):
                    await connection.copy_to_table("slowly_filled", source=endless())

            copying = asyncio.create_task(copy())
            with suppress(TimeoutError):  # until the socket takes no more
                while True:
                    await asyncio.wait_for(sent.get(), 1)
            await other.execute("SELECT pg_terminate_backend($1)", pid)
            with pytest.raises(asyncpg.ConnectionDoesNotExistError) as raised:
                await asyncio.wait_for(copying, PATIENCE_S)
        assert is_away(raised.value)
        assert await pool.fetchval("SELECT 1") == 1
    await other.execute("DROP TABLE slowly_filled")
    await other.close()


async def test_what_ends_by_itself_is_left_alone(cluster: postgresql.Cluster) -> None:
    connection = await asyncpg.connect(cluster.url())
    async with while_connected(connection):
        assert await connection.fetchval("SELECT 1") == 1
    with pytest.raises(TimeoutError, match="of its own"):
        async with while_connected(connection):
            raise TimeoutError("of its own")
    await connection.close()
