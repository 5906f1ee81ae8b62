"""Machine clients."""

from typing import Any

from sqlalchemy import Row, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.auth.domain import ClientId, MachineClient, scopes_of
from services.auth.tables import clients
from shared.contracts.auth import Scope
from shared.http.paging import Slice, cut

COLUMNS = (
    clients.c.id,
    clients.c.name,
    clients.c.scopes,
    clients.c.created_by,
    clients.c.created_at,
)


async def by_id(connection: AsyncConnection, client_id: str) -> MachineClient | None:
    """A client that has not been revoked."""
    statement = select(*COLUMNS).where(clients.c.id == client_id, clients.c.revoked_at.is_(None))
    row = (await connection.execute(statement)).one_or_none()
    return None if row is None else _client(row)


async def secret_digest(connection: AsyncConnection, client_id: str) -> bytes | None:
    """The digest of a client's secret; None when there is no such client any more."""
    return await connection.scalar(
        select(clients.c.secret_digest).where(
            clients.c.id == client_id, clients.c.revoked_at.is_(None)
        )
    )


async def add(
    connection: AsyncConnection,
    *,
    client_id: ClientId,
    name: str,
    digest: bytes,
    scopes: frozenset[Scope],
    created_by: str,
) -> MachineClient | None:
    """A new client, or None when its id is or was in use."""
    statement = (
        insert(clients)
        .values(
            id=client_id,
            name=name,
            secret_digest=digest,
            scopes=sorted(scope.value for scope in scopes),
            created_by=created_by,
        )
        .on_conflict_do_nothing()
        .returning(*COLUMNS)
    )
    row = (await connection.execute(statement)).one_or_none()
    return None if row is None else _client(row)


async def page(
    connection: AsyncConnection, *, after: str | None, limit: int
) -> Slice[MachineClient]:
    """Clients that have not been revoked, by id, those after `after`."""
    statement = select(*COLUMNS).where(clients.c.revoked_at.is_(None)).order_by(clients.c.id)
    if after is not None:
        statement = statement.where(clients.c.id > after)
    rows = await connection.execute(statement.limit(limit + 1))
    return cut([_client(row) for row in rows], limit=limit, key=lambda client: (client.id,))


async def revoke(connection: AsyncConnection, client_id: str) -> bool:
    """End a client; returns False when there is none."""
    statement = (
        update(clients)
        .where(clients.c.id == client_id, clients.c.revoked_at.is_(None))
        .values(revoked_at=func.now())
    )
    return (await connection.execute(statement)).rowcount == 1


def _client(row: Row[*tuple[Any, ...]]) -> MachineClient:
    return MachineClient(
        id=ClientId(row.id),
        name=row.name,
        scopes=scopes_of(row.scopes),
        created_by=row.created_by,
        created_at=row.created_at,
    )
