"""A read-only connection to an Oracle database, guarded, through the thin driver."""

import asyncio
import re
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from typing import Any, TypeVar

import oracledb

from services.ingest.connections.domain import Login, SourceTimeouts
from services.ingest.connections.errors import NO_ANSWER, oracle_reason
from services.ingest.connections.guard import Guard, SourceRefusedError, host_name
from services.ingest.connections.oracle.loop import DriverThread, driver_thread

Result = TypeVar("Result")

FAILURES: tuple[type[Exception], ...] = (oracledb.Error, socket.gaierror, OSError, ValueError)
"""What the driver raises: bad DNS and time-outs come bare, BC dates as ValueError."""

CLOSE_TIMEOUT_S = 2.0
_NAME = re.compile(r"[A-Za-z0-9_.$#-]{1,255}")
BEGIN = (
    # Otherwise TIMESTAMP WITH LOCAL TIME ZONE comes in this machine's zone.
    "ALTER SESSION SET TIME_ZONE = '+00:00'",
    "SET TRANSACTION READ ONLY",
)


@dataclass(frozen=True, slots=True)
class OracleSession:
    """A session in a READ ONLY transaction; the driver works in a thread of its own."""

    _thread: DriverThread
    _connection: oracledb.AsyncConnection
    timeouts: SourceTimeouts

    @property
    def version(self) -> str:
        """The server's version."""
        return self._connection.version

    async def run(
        self, work: Callable[[oracledb.AsyncConnection], Coroutine[Any, Any, Result]]
    ) -> Result:
        """Have `work` done with the connection, over there.

        Raises SourceUnusableError and SourceAwayError; the latter also when the source does not
        answer in time.
        """
        with translated():
            async with asyncio.timeout(self.timeouts.answer_s):
                return await self._thread.run(work(self._connection))


@asynccontextmanager
async def oracle_session(
    login: Login, *, guard: Guard, timeouts: SourceTimeouts, trusted: str | None = None
) -> AsyncIterator[OracleSession]:
    """Log in, begin a READ ONLY transaction, and close at the end.

    `trusted` is a PEM file of certificate authorities in place of the system's. Raises
    SourceRefusedError, SourceUnusableError, SourceAwayError.
    """
    # The driver puts these into a connect string, in which a bracket begins another address.
    host_name(login.target.host)
    _plain("service_name", login.target.service_name)
    _plain("sid", login.target.sid)
    async with driver_thread(guard) as thread:
        connection = await _connected(thread, login, timeouts=timeouts, trusted=trusted)
        try:
            yield OracleSession(thread, connection, timeouts)
        finally:
            with suppress(*FAILURES):
                async with asyncio.timeout(CLOSE_TIMEOUT_S):
                    await thread.run(connection.close())


def _plain(field: str, name: str | None) -> None:
    if name is not None and not _NAME.fullmatch(name):
        raise SourceRefusedError.of(
            field, "invalid_name", "letters, digits and `_ . $ # -` make up such a name"
        )


@contextmanager
def translated() -> Iterator[None]:
    """Turn the driver's errors into SourceUnusableError or SourceAwayError."""
    try:
        yield
    except FAILURES as exc:
        raise oracle_reason(exc).error() from exc


async def _connected(
    thread: DriverThread, login: Login, *, timeouts: SourceTimeouts, trusted: str | None
) -> oracledb.AsyncConnection:
    try:
        # The driver's own connect time-out does nothing in async mode.
        async with asyncio.timeout(timeouts.log_in_s):
            return await thread.run(_log_in(login, trusted))
    except TimeoutError as exc:
        raise NO_ANSWER.error() from exc
    except FAILURES as exc:
        raise (thread.refusal or oracle_reason(exc).error()) from exc


async def _log_in(login: Login, trusted: str | None) -> oracledb.AsyncConnection:
    target = login.target
    options: dict[str, Any] = {"protocol": "tcp"}
    if target.tls:
        options = {"protocol": "tcps", "ssl_context": ssl.create_default_context(cafile=trusted)}
    connection: oracledb.AsyncConnection = await oracledb.connect_async(
        user=target.user,
        password=login.password,
        # Fields, never a DSN made by hand: in one, a bracket in the host names another host.
        host=target.host,
        port=target.port,
        service_name=target.service_name,
        sid=target.sid,
        # The cache would remember how a statement's numbers were fetched the first time.
        stmtcachesize=0,
        **options,
    )
    try:
        with connection.cursor() as cursor:
            for statement in BEGIN:
                await cursor.execute(statement)
    except BaseException:
        with suppress(oracledb.Error):
            await connection.close()
        raise
    return connection
