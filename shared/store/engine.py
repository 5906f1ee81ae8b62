"""Connections to PostgreSQL: SQLAlchemy's engine and asyncpg's pool."""

import os
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager
from typing import Any, TypeAlias

import asyncpg
from sqlalchemy import event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from shared.process import tracing

RawConnection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
RawPool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


@asynccontextmanager
async def database_engine(
    url: str,
    *,
    application_name: str,
    pool_size: int = 10,
) -> AsyncIterator[AsyncEngine]:
    """An SQLAlchemy engine on asyncpg, closed at the end.

    Sessions have a name and no other settings of their own, here and in `database_pool`: a pooler
    takes none when a client connects, and gives each transaction another session. What must hold
    is set by SET LOCAL, or for the role (`migrations.bootstrap`).
    """
    scrub_environment()
    settings = {"application_name": application_name}

    async def connected() -> RawConnection:
        # asyncpg reads the string by itself: SQLAlchemy's URL knows neither TLS nor several hosts.
        return await asyncpg.connect(url, timeout=10, server_settings=settings)

    engine = create_async_engine(
        "postgresql+asyncpg://",
        async_creator=connected,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=10,
        # An error that is logged must not carry what people sent: passwords' hashes, records.
        hide_parameters=True,
    )
    event.listen(engine.sync_engine.pool, "checkout", _replace_closed)
    try:
        yield engine
    finally:
        await engine.dispose()


@asynccontextmanager
async def database_pool(
    url: str,
    *,
    application_name: str,
    size: int = 10,
    kept: int = 1,
) -> AsyncIterator[RawPool]:
    """An asyncpg pool for the paths where rows must not become Python objects.

    Its users leave nothing behind in a session: settings are SET LOCAL, locks and tables end with
    the transaction. So a connection that comes back is not reset, which saves a round trip. With
    `kept=0` it opens its first connection when one is needed.
    """
    scrub_environment()
    pool = await asyncpg.create_pool(
        url,
        min_size=kept,
        max_size=size,
        timeout=10,
        server_settings={"application_name": application_name},
        reset=_nothing_to_reset,
    )
    try:
        yield pool
    finally:
        await pool.close()


def traced_session(name: str, *, application_name: str) -> AbstractContextManager[None]:
    """A span about what a session does, which PostgreSQL shows under that application_name."""
    about = {"db.system.name": "postgresql", "tabularium.application_name": application_name}
    return tracing.span(name, kind="client", attributes=about)


async def _nothing_to_reset(_connection: RawConnection) -> None:
    """In place of asyncpg's RESET ALL, UNLISTEN and CLOSE ALL."""


def _replace_closed(dbapi_connection: Any, _record: object, _proxy: object) -> None:
    # In place of `pool_pre_ping`, which is three round trips: the socket has said already that
    # the server ended the session, and the pool then opens another one.
    if dbapi_connection.driver_connection.is_closed():
        raise DisconnectionError


def scrub_environment() -> None:
    """Drop libpq's `PG*` variables.

    asyncpg would send `PGPASSWORD` or the pgpass file to whatever server it is told to call.
    """
    for name in [name for name in os.environ if name.startswith("PG") and name != "PG_BIN"]:
        del os.environ[name]
