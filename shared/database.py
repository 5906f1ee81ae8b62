"""Connections to PostgreSQL (SQLAlchemy engine, asyncpg pool) and the one quoting function."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import NewType

import asyncpg
from sqlalchemy import MetaData, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import InterfaceError as AlchemyInterfaceError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from shared.contracts.records import IDENTIFIER_LIMIT_BYTES

QuotedIdentifier = NewType("QuotedIdentifier", str)
"""An identifier that has been through `quoted`, and may stand in SQL."""

NAMING_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

DATABASE_DOWN: tuple[type[Exception], ...] = (
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    asyncpg.InterfaceError,
    AlchemyInterfaceError,
    PoolTimeoutError,
    # A new connection is refused, reset, or finds no host of that name: nobody wraps these.
    ConnectionError,
    socket.gaierror,
)
"""What drivers raise while PostgreSQL is away or full; trying again later helps."""


def quoted(identifier: str) -> QuotedIdentifier:
    """Quote a name for use in SQL; the only way a user-given name gets into a statement.

    Raises ValueError for NUL, an empty name, or more than 63 bytes, which PostgreSQL would cut.
    """
    if not identifier or "\0" in identifier:
        raise ValueError("an identifier is neither empty nor does it hold NUL")
    if len(identifier.encode()) > IDENTIFIER_LIMIT_BYTES:
        raise ValueError(f"an identifier has at most {IDENTIFIER_LIMIT_BYTES} bytes")
    return QuotedIdentifier('"' + identifier.replace('"', '""') + '"')


def metadata_of(schema: str) -> MetaData:
    """Empty metadata of a service's own schema, with the naming convention."""
    return MetaData(schema=schema, naming_convention=NAMING_CONVENTION)


def is_database_down(error: BaseException) -> bool:
    """Whether an error, or the driver's error inside it, says that PostgreSQL is away."""
    if isinstance(error, DBAPIError):
        return (
            error.connection_invalidated
            or isinstance(error, AlchemyInterfaceError)
            or isinstance(error.driver_exception, DATABASE_DOWN)
        )
    return isinstance(error, DATABASE_DOWN)


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
    engine = create_async_engine(
        make_url(url).set(drivername="postgresql+asyncpg"),
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=10,
        pool_pre_ping=True,
        # An error that is logged must not carry what people sent: passwords' hashes, records.
        hide_parameters=True,
        connect_args={"timeout": 10, "server_settings": settings},
    )
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
    reset: Callable[["asyncpg.Connection[asyncpg.Record]"], Awaitable[None]] | None = None,
) -> AsyncIterator["asyncpg.Pool[asyncpg.Record]"]:
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
    )
    try:
        yield pool
    finally:
        await pool.close()


@asynccontextmanager
async def while_connected(
    connection: "asyncpg.Connection[asyncpg.Record]",
) -> AsyncIterator[None]:
    """Break off what is awaited inside when the connection ends; for every COPY into PostgreSQL.

    asyncpg's COPY waits until its socket takes more, and when the connection ends meanwhile
    nobody wakes it: an import would wait for good. Raises ConnectionDoesNotExistError.
    """
    loop = asyncio.get_running_loop()
    limit = asyncio.timeout(None)
    inside = True

    def end(_connection: object) -> None:
        if inside:
            limit.reschedule(loop.time())

    connection.add_termination_listener(end)
    try:
        async with limit:
            try:
                yield
            finally:
                inside = False
    except TimeoutError as exc:
        if not limit.expired():
            raise
        raise asyncpg.ConnectionDoesNotExistError("the connection ended during a COPY") from exc
    finally:
        # A pool has taken a connection that ended back from us.
        with suppress(asyncpg.InterfaceError):
            connection.remove_termination_listener(end)


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
