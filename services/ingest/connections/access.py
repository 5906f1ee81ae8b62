"""How a process reaches other databases: its guard, its time-outs and its keys."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from services.ingest.connections import repository, s3
from services.ingest.connections.domain import Login, SourceKind, SourceTimeouts
from services.ingest.connections.errors import NO_ANSWER, NO_DATABASE, SourcesNotSetUpError
from services.ingest.connections.guard import Endpoint, guard_of
from services.ingest.connections.kinds import KINDS, Terms
from services.ingest.settings import ConnectionSettings
from shared.contracts.catalog import ScanLine
from shared.security.sealing import Keyring

TRIAL_S = 9.5
"""For the whole trial before a submission is answered, look-up of the host and columns included."""


@dataclass(frozen=True, slots=True)
class SourceAccess:
    """Opens other databases within the rules of this installation."""

    terms: Terms
    _keyring: Keyring | None

    @property
    def keyring(self) -> Keyring:
        """The keys for passwords at rest; raises SourcesNotSetUpError when there are none."""
        if self._keyring is None:
            raise SourcesNotSetUpError("this installation keeps no SOURCE_KEYS; ask its operator")
        return self._keyring

    def session(self, login: Login) -> AbstractAsyncContextManager[Any]:
        """A session in one snapshot: asyncpg's connection, or an OracleSession.

        Raises SourceRefusedError, SourceUnusableError, SourceAwayError.
        """
        if login.target.kind is SourceKind.S3:
            raise NO_DATABASE.error()
        return KINDS[login.target.kind].session(login, self.terms)

    async def greet(self, login: Login) -> str:
        """Log in and out again; the server, for example `PostgreSQL 18.6`. Raises as `session`."""
        if login.target.kind is SourceKind.S3:
            return await s3.greet(self.terms.guard, login)
        async with self.session(login) as session:
            return await KINDS[login.target.kind].greet(session)

    @asynccontextmanager
    async def scan(self, login: Login) -> AsyncIterator[AsyncIterator[ScanLine]]:
        """Every table that the user may read, with its columns, in one snapshot."""
        async with self.session(login) as session:
            yield KINDS[login.target.kind].scan(session, self.terms)


def source_access(
    settings: ConnectionSettings, engine: AsyncEngine, *, own: Sequence[Endpoint]
) -> SourceAccess:
    """By the settings; `own` servers are refused. Raises ValueError when they make no sense."""

    async def own_identity() -> str:
        async with engine.connect() as connection:
            return await repository.own_identity(connection)

    keys = settings.source_keys
    return SourceAccess(
        terms=Terms(
            guard=guard_of(
                networks=settings.source_allowed_networks,
                ports=settings.source_allowed_ports,
                own=own,
            ),
            timeouts=SourceTimeouts(
                answer_s=settings.source_answer_s,
                least_bytes_per_s=settings.source_least_bytes_per_s,
            ),
            own_identity=own_identity,
        ),
        _keyring=None if keys is None else Keyring(keys.get_secret_value(), setting="SOURCE_KEYS"),
    )


@asynccontextmanager
async def trial() -> AsyncIterator[None]:
    """Limit what is tried inside to TRIAL_S, however the database behaves."""
    try:
        async with asyncio.timeout(TRIAL_S):
            yield
    except TimeoutError as exc:
        raise NO_ANSWER.error() from exc
