"""The engine's pool."""

import asyncpg
from sqlalchemy import text

from deploy.local import postgresql
from shared.store.engine import database_engine
from tests.support.waiting import until


async def test_a_session_that_the_server_ended_is_replaced(cluster: postgresql.Cluster) -> None:
    other = await asyncpg.connect(cluster.url())
    url = cluster.url()
    async with database_engine(url, application_name="replaced", pool_size=1) as engine:
        pids: list[int] = []
        for _ in range(3):
            async with engine.connect() as connection:
                raw = (await connection.get_raw_connection()).driver_connection
                assert isinstance(raw, asyncpg.Connection)
                pids.append(
                    (await connection.execute(text("SELECT pg_backend_pid()"))).scalar_one()
                )
            await other.execute("SELECT pg_terminate_backend($1)", pids[-1])
            await until("the end of the session has arrived", raw.is_closed)
    await other.close()
    assert len(set(pids)) == 3
