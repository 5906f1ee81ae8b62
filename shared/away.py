"""The one list of what drivers raise while PostgreSQL is away."""

import errno
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
    # "cannot switch to state …": the server's farewell has arrived, the end of the stream has not.
    asyncpg.InternalClientError,
    AlchemyInterfaceError,
    PoolTimeoutError,
    # A new connection is refused, reset, takes too long, or finds no host of that name: neither
    # driver wraps these.
    ConnectionError,
    TimeoutError,
    socket.gaierror,
)
"""What asyncpg raises, and what SQLAlchemy hides inside its own errors; trying later helps."""

NODE_AWAY = ("connection marked as essential", "connection to the remote node")
"""What Citus says, under no code of its own, when one of its nodes is away."""
UNREACHABLE = frozenset(
    {errno.EHOSTUNREACH, errno.EHOSTDOWN, errno.ENETUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL}
)


def is_away(error: BaseException) -> bool:
    """Whether an error, or the driver's error inside it, says that PostgreSQL is away or full."""
    if isinstance(error, DBAPIError):
        return (
            error.connection_invalidated
            or isinstance(error, AlchemyInterfaceError)
            or _is_away(error.driver_exception)
        )
    return _is_away(error) or _is_unreachable(error)


def is_overdue(error: BaseException) -> bool:
    """Whether PostgreSQL ended a statement that took too long, such as behind another's lock."""
    cause = error.driver_exception if isinstance(error, DBAPIError) else error
    return isinstance(cause, asyncpg.QueryCanceledError | asyncpg.LockNotAvailableError)


def _is_away(error: BaseException | None) -> bool:
    if isinstance(error, asyncpg.InternalServerError):
        return any(words in str(error) for words in NODE_AWAY)
    return isinstance(error, AWAY)


def _is_unreachable(error: BaseException) -> bool:
    # A host of several addresses, of which none answered, is an OSError without a number.
    return isinstance(error, OSError) and (
        error.errno in UNREACHABLE or str(error).startswith("Multiple exceptions")
    )
