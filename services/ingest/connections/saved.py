"""Use cases of callers: connections that they save under a name."""

import time
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine

from services.ingest.books import BOOKS
from services.ingest.connections import repository
from services.ingest.connections.access import SourceAccess, trial
from services.ingest.connections.domain import Login, SavedConnection, Trial, source_row
from services.ingest.connections.errors import SourceUnusableError
from services.ingest.connections.guard import host_name
from shared.contracts.auth import Caller
from shared.errors import NotFoundError
from shared.http.paging import Slice, cut
from shared.security.sealing import SealBrokenError
from shared.store.transaction import transaction


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
        async with transaction(self.engine, BOOKS) as tx:
            source_id = await repository.next_id(tx.connection)
            saved = await repository.save(
                tx.connection,
                source_id,
                name=name,
                owner=owner,
                target=login.target,
                sealed_password=keyring.seal(login.password, row=source_row(source_id)),
            )
            await tx.record(
                owner, "source.create", f"source:{saved.id}", name=name, target=login.target.label
            )
            await tx.seal()
        return saved

    async def page(self, viewer: Caller, *, after: int, limit: int) -> Slice[SavedConnection]:
        """Connections that the caller may see, from behind the id `after`."""
        async with self.engine.connect() as connection:
            rows = await repository.page(connection, viewer=viewer, after=after, limit=limit + 1)
        return cut(rows, limit=limit, key=lambda saved: (str(saved.id),))

    async def remove(self, viewer: Caller, source_id: int) -> None:
        """Delete a connection and its password; raises NotFoundError, SourceInUseError."""
        async with transaction(self.engine, BOOKS) as tx:
            name = await repository.remove(tx.connection, source_id, viewer=viewer)
            if name is None:
                raise _no_source(source_id)
            await tx.record(viewer, "source.delete", f"source:{source_id}", name=name)

    async def look(self, viewer: Caller, source_id: int) -> SavedConnection:
        """The connection; raises NotFoundError when the caller may not see it."""
        async with self.engine.connect() as connection:
            saved = await repository.one(connection, source_id, viewer=viewer)
        if saved is None:
            raise _no_source(source_id)
        return saved

    async def login(self, viewer: Caller, source_id: int) -> Login:
        """The log-in of a saved connection; raises NotFoundError, SourceUnusableError."""
        saved = await self.look(viewer, source_id)
        try:
            password = self.access.keyring.open(saved.sealed_password, row=source_row(saved.id))
        except SealBrokenError as exc:
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
