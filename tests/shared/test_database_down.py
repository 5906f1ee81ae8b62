"""PostgreSQL that is away is told apart from a mistake of ours, however it shows."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import text

from deploy.local import postgresql
from shared.database import database_engine, is_database_down, probe_engine


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
    assert is_database_down(raised.value)


async def test_a_host_that_is_not_there_is_away() -> None:
    url = "postgresql://someone:secret@postgresql.invalid:5432/none"
    async with database_engine(url, application_name="test") as engine:
        with pytest.raises(OSError, match=r"[Nn]ame|[Hh]ost") as raised:
            await probe_engine(engine)
    assert is_database_down(raised.value)


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
    assert is_database_down(raised.value)


async def test_a_statement_that_is_wrong_is_our_mistake(cluster: postgresql.Cluster) -> None:
    async with (
        database_engine(cluster.url(), application_name="test") as engine,
        engine.connect() as connection,
    ):
        with pytest.raises(Exception, match="does not exist") as raised:
            await connection.execute(text("SELECT nothing FROM nowhere"))
    assert not is_database_down(raised.value)
    assert not is_database_down(FileNotFoundError("a file"))
