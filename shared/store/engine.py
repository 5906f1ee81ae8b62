"""Connections to PostgreSQL: SQLAlchemy's engine and asyncpg's pool."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractContextManager, asynccontextmanager
from typing import Any, TypeAlias

import asyncpg
from sqlalchemy import event, text
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
    server_settings: Mapping[str, str] | None = None,
) -> AsyncIterator[AsyncEngine]:
    """An SQLAlchemy engine on asyncpg, closed at the end; `server_settings` hold per session."""
    scrub_environment()
    settings = {"application_name": application_name, **(server_settings or {})}

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
    server_settings: Mapping[str, str] | None = None,
    reset: Callable[[RawConnection], Awaitable[None]] | None = None,
    statement_cache_size: int = 100,
) -> AsyncIterator[RawPool]:
    """An asyncpg pool for the paths where rows must not become Python objects.

    `server_settings` hold per session. `reset` replaces what asyncpg does to a connection that
    comes back (one more round trip), for pools whose users leave nothing behind in a session.
    """
    scrub_environment()
    pool = await asyncpg.create_pool(
        url,
        min_size=1,
        max_size=size,
        timeout=10,
        server_settings={"application_name": application_name, **(server_settings or {})},
        reset=reset,
        statement_cache_size=statement_cache_size,
    )
    try:
        yield pool
    finally:
        await pool.close()


def traced_session(name: str, *, application_name: str) -> AbstractContextManager[None]:
    """A span about what a session does, which PostgreSQL shows under that application_name."""
    about = {"db.system.name": "postgresql", "tabularium.application_name": application_name}
    return tracing.span(name, kind="client", attributes=about)


def _replace_closed(dbapi_connection: Any, _record: object, _proxy: object) -> None:
    # In place of `pool_pre_ping`, which is three round trips: the socket has said already that
    # the server ended the session, and the pool then opens another one.
    if dbapi_connection.driver_connection.is_closed():
        raise DisconnectionError


async def probe_engine(engine: AsyncEngine) -> None:
    """Raise unless PostgreSQL answers."""
    async with engine.connect() as connection:
        await connection.execute(text("SELECT 1"))


def scrub_environment() -> None:
    """Drop libpq's `PG*` variables.

    asyncpg would send `PGPASSWORD` or the pgpass file to whatever server it is told to call.
    """
    for name in [name for name in os.environ if name.startswith("PG") and name != "PG_BIN"]:
        del os.environ[name]
