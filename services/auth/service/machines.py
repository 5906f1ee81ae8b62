"""Machine clients: made and revoked by admins."""

import secrets
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine

from services.auth import tokens
from services.auth.domain import ClientId, MachineClient
from services.auth.errors import ClientExistsError
from services.auth.repository import clients
from services.auth.service.accounts import require_admin
from shared.contracts.auth import Caller, Scope
from shared.errors import InvalidInputError, NotFoundError
from shared.store.audit import record_event


@dataclass(frozen=True)
class Machines:
    """Reads, makes and revokes machine clients."""

    engine: AsyncEngine
    internal_ids: frozenset[str]

    async def page(
        self, caller: Caller, *, after: str | None, limit: int
    ) -> tuple[list[MachineClient], str | None]:
        """A page of clients by id, and the id the next page begins after."""
        async with self.engine.connect() as connection:
            await require_admin(connection, caller)
            found = await clients.page(connection, after=after, limit=limit + 1)
        return found[:limit], found[limit - 1].id if len(found) > limit else None

    async def add(
        self,
        caller: Caller,
        *,
        client_id: ClientId | None,
        name: str | None,
        scopes: frozenset[Scope],
        address: str | None,
    ) -> tuple[MachineClient, str]:
        """A new client and its secret, which nobody can read again.

        Raises InvalidInputError for the scope `internal`, and ClientExistsError for an id that
        is or was in use: grants name it, and a newcomer would come to own them.
        """
        if Scope.INTERNAL in scopes:
            raise InvalidInputError.of("scopes", "not_grantable", "`internal` cannot be granted")
        chosen = client_id or ClientId(f"client-{secrets.token_hex(6)}")
        secret = tokens.new_client_secret()
        async with self.engine.begin() as connection:
            await require_admin(connection, caller)
            client = None
            if chosen not in self.internal_ids:
                client = await clients.add(
                    connection,
                    client_id=chosen,
                    name=name or chosen,
                    digest=tokens.digest(secret),
                    scopes=scopes,
                    created_by=caller.sub,
                )
            if client is None:
                raise ClientExistsError("this id is or was in use; choose another")
            await record_event(
                connection,
                subject=caller.sub,
                action="client.create",
                object_=client.sub,
                address=address,
                detail={"scopes": sorted(scope.value for scope in scopes)},
            )
        return client, secret

    async def revoke(self, caller: Caller, client_id: str, *, address: str | None) -> None:
        """End a client: it gets no more tokens. Raises NotFoundError."""
        async with self.engine.begin() as connection:
            await require_admin(connection, caller)
            if not await clients.revoke(connection, client_id):
                raise NotFoundError("there is no such client")
            await record_event(
                connection,
                subject=caller.sub,
                action="client.revoke",
                object_=f"client:{client_id}",
                address=address,
            )
