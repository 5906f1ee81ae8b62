"""What drivers raise while PostgreSQL is away."""

import socket

import asyncpg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import InterfaceError as AlchemyInterfaceError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

AWAY: tuple[type[Exception], ...] = (
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


def is_away(error: BaseException) -> bool:
    """Whether an error, or the driver's error inside it, says that PostgreSQL is away."""
    if isinstance(error, DBAPIError):
        return (
            error.connection_invalidated
            or isinstance(error, AlchemyInterfaceError)
            or isinstance(error.driver_exception, AWAY)
        )
    return isinstance(error, AWAY)
