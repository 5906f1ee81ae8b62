"""How a process reaches sources: its guard, its time-outs, its keys, and its own identity."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine

from services.ingest.connections import repository
from services.ingest.connections.crypto import Keyring
from services.ingest.connections.domain import Login, SourceKind, SourceTimeouts
from services.ingest.connections.errors import NO_ANSWER, SourcesNotSetUpError
from services.ingest.connections.guard import Guard, guard_of
from services.ingest.connections.oracle.session import OracleSession, oracle_session
from services.ingest.connections.postgresql.session import Connection, postgresql_session
from services.ingest.connections.scanning import scan_oracle, scan_postgresql
from services.ingest.settings import IngestSettings
from shared.contracts.catalog import ScannedTable

TRIAL_S = 9.5
"""For the whole trial before a submission is answered, look-up of the host and columns included."""


@dataclass(frozen=True, slots=True)
class SourceAccess:
    """Opens sources within the rules of this installation."""

    engine: AsyncEngine
    guard: Guard
    timeouts: SourceTimeouts
    _keyring: Keyring | None

    @property
    def keyring(self) -> Keyring:
        """The keys for passwords at rest; raises SourcesNotSetUpError when there are none."""
        if self._keyring is None:
            raise SourcesNotSetUpError("this installation keeps no SOURCE_KEYS; ask its operator")
        return self._keyring

    async def greet(self, login: Login) -> str:
        """Log in and out again; who answered, for example `PostgreSQL 18.6`."""
        if login.target.kind is SourceKind.ORACLE:
            async with self.oracle(login) as session:
                return f"Oracle Database {session.version}"
        async with self.postgresql(login) as connection:
            version: str = await connection.fetchval("SHOW server_version")
            return f"PostgreSQL {version.split(maxsplit=1)[0]}"

    @asynccontextmanager
    async def scan(self, login: Login) -> AsyncIterator[AsyncIterator[ScannedTable]]:
        """Every table that the user may read, with its columns, in one snapshot."""
        if login.target.kind is SourceKind.ORACLE:
            async with self.oracle(login) as session:
                yield scan_oracle(session)
        else:
            async with self.postgresql(login) as connection:
                yield scan_postgresql(connection, answer_s=self.timeouts.answer_s)

    @asynccontextmanager
    async def postgresql(self, login: Login) -> AsyncIterator[Connection]:
        """A connection in one snapshot; raises SourceRefusedError, SourceUnusableError."""
        async with self.engine.connect() as own:
            identity = await repository.own_identity(own)
        async with postgresql_session(
            login, guard=self.guard, timeouts=self.timeouts, own_identity=identity
        ) as connection:
            yield connection

    @asynccontextmanager
    async def oracle(self, login: Login) -> AsyncIterator[OracleSession]:
        """A session in one snapshot; raises SourceRefusedError, SourceUnusableError."""
        async with oracle_session(login, guard=self.guard, timeouts=self.timeouts) as session:
            yield session


def source_access(settings: IngestSettings, engine: AsyncEngine) -> SourceAccess:
    """By the settings; raises ValueError when they make no sense."""
    keys = settings.source_keys
    return SourceAccess(
        engine=engine,
        guard=guard_of(
            networks=settings.source_allowed_networks, ports=settings.source_allowed_ports
        ),
        timeouts=SourceTimeouts(answer_s=settings.source_answer_s),
        _keyring=None if keys is None else Keyring(keys.get_secret_value()),
    )


@asynccontextmanager
async def trial() -> AsyncIterator[None]:
    """A trial that is over within TRIAL_S, however the source behaves."""
    try:
        async with asyncio.timeout(TRIAL_S):
            yield
    except TimeoutError as exc:
        raise NO_ANSWER.error() from exc
