"""What a pooler such as PgBouncer between us and PostgreSQL changes, and how it is recognised."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared.errors import UnavailableError
from shared.store.engine import RawConnection

BACKEND = "SELECT pg_backend_pid()"
LOOK = text(
    "SELECT pg_backend_pid() AS backend, EXISTS (SELECT 1 FROM pg_prepared_statements"
    r" WHERE name LIKE '\_\_asyncpg\_%') AS by_our_names"
)


async def is_pooled(connection: RawConnection) -> bool:
    """Whether there is a pooler: it gives its clients process ids that it makes up."""
    return bool(await connection.fetchval(BACKEND) != connection.get_server_pid())


async def probe_engine(engine: AsyncEngine) -> None:
    """Raise unless PostgreSQL answers, by way of a pooler that keeps prepared statements, if any.

    UnavailableError says what is wrong with a pooler that shares sessions and keeps none.
    PgBouncer from 1.21 on, unless `max_prepared_statements` is 0, gives every statement a name of
    its own. Two connections of ours that meet in one session show that sessions are shared.
    """
    async with engine.connect() as first:
        if not await is_pooled(await _raw(first)):
            return
        await first.rollback()
        seen = (await first.execute(LOOK)).one()
        await first.rollback()
        async with engine.connect() as second:
            again = (await second.execute(LOOK)).one()
    if seen.backend == again.backend and again.by_our_names:
        raise UnavailableError(
            "the pooler before PostgreSQL keeps no prepared statements: PgBouncer needs 1.21 and"
            " max_prepared_statements > 0"
        )


async def _raw(connection: AsyncConnection) -> RawConnection:
    raw: RawConnection | None = (await connection.get_raw_connection()).driver_connection
    assert raw is not None
    return raw
