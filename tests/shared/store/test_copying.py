"""COPY on connections that may end meanwhile."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import asyncpg
import pytest

from deploy.local import postgresql
from shared.store.away import is_away
from shared.store.copying import while_connected
from shared.store.engine import database_pool

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
