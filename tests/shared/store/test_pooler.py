"""A pooler before PostgreSQL: recognised, and refused where it keeps no prepared statements."""

import asyncio
from pathlib import Path

import asyncpg
import pytest
from structlog.testing import capture_logs

from deploy.local.postgresql import Cluster
from shared.errors import UnavailableError
from shared.store.engine import database_engine
from shared.store.notices import listen
from shared.store.pooler import is_pooled, probe_engine
from tests.support.pooler import Pooler, running_pooler
from tests.support.waiting import until


async def test_postgresql_itself_is_no_pooler(cluster: Cluster) -> None:
    connection = await asyncpg.connect(cluster.url())
    assert not await is_pooled(connection)
    await connection.close()


async def test_a_pooler_is_recognised_and_used(cluster: Cluster, pooler: Pooler) -> None:
    url = pooler.before(cluster.url())
    connection = await asyncpg.connect(url)
    assert await is_pooled(connection)
    await connection.close()
    async with database_engine(url, application_name="test") as engine:
        await probe_engine(engine)


async def test_a_pooler_without_prepared_statements_is_named(
    cluster: Cluster, state_folder: Path
) -> None:
    # With one session, two connections surely meet in it.
    with running_pooler(
        cluster, state_folder / "none-prepared", max_prepared_statements=0, default_pool_size=1
    ) as pooler:
        url = pooler.before(cluster.url())
        async with database_engine(url, application_name="test") as engine:
            with pytest.raises(UnavailableError, match="max_prepared_statements > 0"):
                await probe_engine(engine)


async def test_a_pooler_that_shares_no_sessions_needs_no_prepared_statements(
    cluster: Cluster, state_folder: Path
) -> None:
    with running_pooler(
        cluster, state_folder / "sessions", max_prepared_statements=0, pool_mode="session"
    ) as pooler:
        url = pooler.before(cluster.url())
        async with database_engine(url, application_name="test") as engine:
            await probe_engine(engine)


async def test_nothing_listens_through_a_pooler(cluster: Cluster, pooler: Pooler) -> None:
    connected = asyncio.Event()
    with capture_logs() as logs:
        listening = asyncio.create_task(
            listen(
                pooler.before(cluster.url()),
                "test_pooler",
                application_name="test-pooler-listen",
                listening=connected.set,
                notified=lambda _payload: None,
            )
        )
        await connected.wait()
    assert [(log["event"], log["setting"]) for log in logs] == [
        ("notices_not_heard", "LISTEN_DATABASE_URL")
    ]
    direct = await asyncpg.connect(cluster.url())
    # A session that listens gets notices that the pooler can give to nobody.
    await direct.execute("SELECT pg_notify('test_pooler', 'x')")
    await direct.close()
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
    assert "when not linked" not in pooler.log.read_text()


async def test_notices_are_heard_past_the_pooler(cluster: Cluster, pooler: Pooler) -> None:
    heard: list[str] = []
    connected = asyncio.Event()
    listening = asyncio.create_task(
        listen(
            cluster.url(),
            "test_pooler",
            application_name="test-pooler-listen",
            listening=connected.set,
            notified=heard.append,
        )
    )
    await connected.wait()
    speaker = await asyncpg.connect(pooler.before(cluster.url()))
    await speaker.execute("SELECT pg_notify('test_pooler', 'x')")
    await until("the notice is heard", lambda: heard == ["x"])
    await speaker.close()
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
