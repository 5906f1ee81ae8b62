"""Use cases of callers: connections that they save under a name."""

import time
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine

from services.ingest.connections import repository
from services.ingest.connections.access import SourceAccess, trial
from services.ingest.connections.crypto import UnreadablePasswordError, source_row
from services.ingest.connections.domain import Login, SavedConnection, Trial
from services.ingest.connections.errors import SourceUnusableError
from services.ingest.connections.guard import host_name
from shared.contracts.auth import Caller
from shared.errors import NotFoundError
from shared.store.audit import record_event


@dataclass(frozen=True, slots=True)
class SavedConnections:
    """The connections that callers save."""

    engine: AsyncEngine
    access: SourceAccess

    async def add(self, owner: Caller, name: str, login: Login) -> SavedConnection:
        """Save a connection, its password sealed.

        Raises SourceRefusedError for what is no host, SourceNameTakenError, SourcesNotSetUpError.
        """
        host_name(login.target.host)
        keyring = self.access.keyring
        async with self.engine.begin() as connection:
            source_id = await repository.next_id(connection)
            saved = await repository.save(
                connection,
                source_id,
                name=name,
                owner=owner,
                target=login.target,
                sealed_password=keyring.seal(login.password, row=source_row(source_id)),
            )
            await record_event(
                connection,
                subject=owner.sub,
                action="source.create",
                object_=f"source:{saved.id}",
                detail={"name": name, "target": login.target.label},
            )
        return saved

    async def page(self, viewer: Caller, *, after: int, limit: int) -> list[SavedConnection]:
        """Connections that the caller may see, from behind the id `after`."""
        async with self.engine.connect() as connection:
            return await repository.page(connection, viewer=viewer, after=after, limit=limit)

    async def remove(self, viewer: Caller, source_id: int) -> None:
        """Delete a connection and its password; raises NotFoundError."""
        async with self.engine.begin() as connection:
            name = await repository.remove(connection, source_id, viewer=viewer)
            if name is None:
                raise _no_source(source_id)
            await record_event(
                connection,
                subject=viewer.sub,
                action="source.delete",
                object_=f"source:{source_id}",
                detail={"name": name},
            )

    async def login(self, viewer: Caller, source_id: int) -> Login:
        """The log-in of a saved connection; raises NotFoundError, SourceUnusableError."""
        async with self.engine.connect() as connection:
            saved = await repository.one(connection, source_id, viewer=viewer)
        if saved is None:
            raise _no_source(source_id)
        try:
            password = self.access.keyring.open(saved.sealed_password, row=source_row(saved.id))
        except UnreadablePasswordError as exc:
            raise SourceUnusableError.of(
                "source_id", "password_unreadable", "the password cannot be opened; save it again"
            ) from exc
        return Login(saved.target, password)

    async def test(self, viewer: Caller, source_id: int) -> Trial:
        """Log in and out again; raises as `login`, and the reason when it does not work."""
        login = await self.login(viewer, source_id)
        started = time.monotonic()
        async with trial():
            server = await self.access.greet(login)
        return Trial(server, duration_ms=round((time.monotonic() - started) * 1000, 1))


def _no_source(source_id: int) -> NotFoundError:
    return NotFoundError(f"there is no source {source_id}")
