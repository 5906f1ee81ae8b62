"""A read-only connection to a PostgreSQL database: guarded, with an explicit password."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

import asyncpg

from services.ingest.connections.domain import Login, SourceTimeouts
from services.ingest.connections.errors import NO_TLS, OwnDatabaseError, postgresql_reason
from services.ingest.connections.guard import CheckedAddress, Guard
from shared.store.engine import RawConnection, scrub_environment

FAILURES: tuple[type[Exception], ...] = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
    ValueError,
)
"""What asyncpg raises for a server that is away, refuses, or is no PostgreSQL at all."""

CLOSE_TIMEOUT_S = 2.0

IDENTITY = """
SELECT (pg_control_system()).system_identifier::text || '/' || oid::text
FROM pg_database WHERE datname = current_database()
"""
"""The same text only for the same database of the same cluster, by whatever road one comes."""


class _NamedContext(ssl.SSLContext):
    """Verifies the certificate for the host's name, although its checked address is called."""

    name: str = ""

    def wrap_bio(self, *args: Any, **options: Any) -> ssl.SSLObject:
        options["server_hostname"] = self.name
        return super().wrap_bio(*args, **options)


@asynccontextmanager
async def postgresql_session(
    login: Login,
    *,
    guard: Guard,
    timeouts: SourceTimeouts,
    own_identity: str | None,
    trusted: str | None = None,
) -> AsyncIterator[RawConnection]:
    """A session in a REPEATABLE READ, READ ONLY transaction, closed at the end.

    `own_identity` is what IDENTITY says of our own database; `trusted` is a PEM file of
    certificate authorities in place of the system's. Raises SourceRefusedError,
    OwnDatabaseError, SourceUnusableError and SourceAwayError. What is asked of the session
    inside the block is wrapped in `translated` by whoever asks.
    """
    with translated():
        async with asyncio.timeout(timeouts.log_in_s):
            checked = await guard.checked(login.target.host, login.target.port)
            connection = await _connected(login, checked, trusted)
            try:
                await _begin(connection, own_identity)
            except BaseException:
                connection.terminate()
                raise
    try:
        yield connection
    finally:
        # There is nothing to save: what was read is loaded or not, elsewhere.
        with suppress(*FAILURES):
            await connection.close(timeout=CLOSE_TIMEOUT_S)


@contextmanager
def translated() -> Iterator[None]:
    """Turn the driver's errors into SourceUnusableError or SourceAwayError."""
    try:
        yield
    except FAILURES as exc:
        raise postgresql_reason(exc).error() from exc


async def identity_of(connection: RawConnection) -> str:
    """IDENTITY of the database that a connection is to."""
    return str(await connection.fetchval(IDENTITY))


async def _connected(login: Login, checked: CheckedAddress, trusted: str | None) -> RawConnection:
    target = login.target
    # Every argument is given, so that no PG* variable, service file or pgpass file is asked.
    scrub_environment()
    options: dict[str, Any] = {
        "host": checked.address,
        "port": checked.port,
        "user": target.user,
        "password": login.password,
        "database": target.database,
        "server_settings": {"application_name": "tabularium-ingest:source"},
        "statement_cache_size": 0,
    }
    if target.tls is False:
        return await _asyncpg(options, tls=False)
    context = _context(checked, verified=target.tls is True, trusted=trusted)
    try:
        return await _asyncpg(options, tls=context)
    except ConnectionError as exc:
        if "rejected SSL upgrade" not in str(exc):
            raise
        if target.tls:
            raise NO_TLS.error() from exc
    return await _asyncpg(options, tls=False)


async def _asyncpg(options: dict[str, Any], *, tls: ssl.SSLContext | bool) -> RawConnection:
    connection: RawConnection = await asyncpg.connect(**options, ssl=tls)
    return connection


def _context(checked: CheckedAddress, *, verified: bool, trusted: str | None) -> ssl.SSLContext:
    context = _NamedContext(ssl.PROTOCOL_TLS_CLIENT)
    context.name = checked.host
    if not verified:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif trusted is not None:
        context.load_verify_locations(trusted)
    else:
        context.load_default_certs()
    return context


async def _begin(connection: RawConnection, own_identity: str | None) -> None:
    if own_identity is not None and await _is(connection, own_identity):
        raise OwnDatabaseError.of(
            "database", "own_database", "this is Tabularium's own database; use its API instead"
        )
    await connection.execute(
        "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY;"
        # Dates and intervals come as binary; text casts must not depend on the server's taste.
        " SET LOCAL datestyle = 'ISO'; SET LOCAL intervalstyle = 'iso_8601';"
        " SET LOCAL timezone = 'UTC'; SET LOCAL bytea_output = 'hex';"
        # Rows that a policy hides would be missing without a word: it is an error instead.
        " SET LOCAL extra_float_digits = 1; SET LOCAL row_security = off"
    )


async def _is(connection: RawConnection, own_identity: str) -> bool:
    try:
        return await identity_of(connection) == own_identity
    except (asyncpg.UndefinedFunctionError, asyncpg.InsufficientPrivilegeError):
        # A server without pg_control_system() cannot be ours, which has it.
        return False
