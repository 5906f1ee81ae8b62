"""What can be asked of a database, whatever its system; a new system is one more entry here."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from services.ingest.connections.domain import Login, SourceKind, SourceTimeouts
from services.ingest.connections.guard import Guard
from services.ingest.connections.oracle.scan import scan_oracle
from services.ingest.connections.oracle.session import OracleSession, oracle_session
from services.ingest.connections.postgresql.scan import scan_postgresql
from services.ingest.connections.postgresql.session import postgresql_session
from shared.contracts.catalog import ScanLine
from shared.store.engine import RawConnection


@dataclass(frozen=True, slots=True)
class Terms:
    """How an installation connects to other databases."""

    guard: Guard
    timeouts: SourceTimeouts
    own_identity: Callable[[], Awaitable[str]]
    """What identifies the installation's own database, which is not read through here."""


@dataclass(frozen=True, slots=True)
class DatabaseKind:
    """One database system; `greet` and `scan` take a session of the same kind."""

    session: Callable[[Login, Terms], AbstractAsyncContextManager[Any]]
    greet: Callable[[Any], Awaitable[str]]
    scan: Callable[[Any, Terms], AsyncIterator[ScanLine]]


@asynccontextmanager
async def _postgresql(login: Login, terms: Terms) -> AsyncIterator[RawConnection]:
    async with postgresql_session(
        login,
        guard=terms.guard,
        timeouts=terms.timeouts,
        own_identity=await terms.own_identity(),
    ) as connection:
        yield connection


async def _postgresql_version(connection: RawConnection) -> str:
    version: str = await connection.fetchval("SHOW server_version")
    return f"PostgreSQL {version.split(maxsplit=1)[0]}"


@asynccontextmanager
async def _oracle(login: Login, terms: Terms) -> AsyncIterator[OracleSession]:
    async with oracle_session(login, guard=terms.guard, timeouts=terms.timeouts) as session:
        yield session


async def _oracle_version(session: OracleSession) -> str:
    return f"Oracle Database {session.version}"


KINDS = {
    SourceKind.POSTGRESQL: DatabaseKind(
        session=_postgresql,
        greet=_postgresql_version,
        scan=lambda connection, terms: scan_postgresql(
            connection, answer_s=terms.timeouts.answer_s
        ),
    ),
    SourceKind.ORACLE: DatabaseKind(
        session=_oracle,
        greet=_oracle_version,
        scan=lambda session, _terms: scan_oracle(session),
    ),
}
