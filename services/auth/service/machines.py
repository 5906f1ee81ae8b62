"""Machine clients: created and revoked by admins."""

import secrets
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine

from services.auth import tokens
from services.auth.domain import ClientId, MachineClient, client_sub
from services.auth.errors import ClientExistsError
from services.auth.repository import clients, revocations
from services.auth.service.access import require_admin
from services.auth.tables import BOOKS
from shared.contracts.auth import Caller, Mark, Scope
from shared.errors import InvalidInputError, NotFoundError
from shared.http.paging import Slice
from shared.store.transaction import transaction


@dataclass(frozen=True, slots=True)
class Machines:
    """Reads, creates and revokes machine clients."""

    engine: AsyncEngine
    internal_ids: frozenset[str]

    async def page(self, caller: Caller, *, after: str | None, limit: int) -> Slice[MachineClient]:
        """A page of clients by id."""
        async with self.engine.connect() as connection:
            await require_admin(connection, caller)
            return await clients.page(connection, after=after, limit=limit)

    async def add(
        self,
        caller: Caller,
        *,
        client_id: ClientId | None,
        name: str | None,
        scopes: frozenset[Scope],
        address: str | None,
    ) -> tuple[MachineClient, str]:
        """A new client and its secret, which cannot be read again.

        Raises InvalidInputError for the scope `internal`, and ClientExistsError for an id that
        is or was in use: grants name it, and a new client would take them over.
        """
        if Scope.INTERNAL in scopes:
            raise InvalidInputError.of("scopes", "not_grantable", "`internal` cannot be granted")
        chosen = client_id or ClientId(f"client-{secrets.token_hex(6)}")
        secret = tokens.new_client_secret()
        async with transaction(self.engine, BOOKS) as tx:
            await require_admin(tx.connection, caller)
            client = None
            if chosen not in self.internal_ids:
                client = await clients.add(
                    tx.connection,
                    client_id=chosen,
                    name=name or chosen,
                    digest=tokens.digest(secret),
                    scopes=scopes,
                    created_by=caller.sub,
                )
            if client is None:
                raise ClientExistsError("this id is or was in use; choose another")
            await tx.record(
                caller,
                "client.create",
                client.sub,
                address=address,
                scopes=sorted(scope.value for scope in scopes),
            )
            await tx.seal()
        return client, secret

    async def revoke(self, caller: Caller, client_id: str, *, address: str | None) -> None:
        """End a client and its access tokens. Raises NotFoundError."""
        async with transaction(self.engine, BOOKS) as tx:
            await require_admin(tx.connection, caller)
            if not await clients.revoke(tx.connection, client_id):
                raise NotFoundError("there is no such client")
            await tx.record(caller, "client.revoke", client_sub(client_id), address=address)
            await revocations.add(tx.connection, [Mark.SUBJECT.of(client_sub(client_id))])
