"""API keys: long-lived credentials of people's programs."""

import datetime as dt
import uuid
from typing import Any

from sqlalchemy import Row, func, insert, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.auth.domain import ApiKey, KeyId, UserId, scopes_of
from services.auth.tables import api_keys
from shared.contracts.auth import Scope
from shared.http.paging import Position, Slice, cut

COLUMNS = (
    api_keys.c.id,
    api_keys.c.user_id,
    api_keys.c.name,
    api_keys.c.scopes,
    api_keys.c.created_at,
    api_keys.c.expires_at,
    api_keys.c.last_used_at,
)
LIVE = (api_keys.c.revoked_at.is_(None), api_keys.c.expires_at > func.now())


async def add(
    connection: AsyncConnection,
    *,
    user_id: UserId,
    name: str,
    digest: bytes,
    scopes: frozenset[Scope],
    expires_at: dt.datetime,
) -> ApiKey:
    """A new key."""
    statement = insert(api_keys).values(
        user_id=user_id,
        name=name,
        digest=digest,
        scopes=sorted(scope.value for scope in scopes),
        expires_at=expires_at,
    )
    return _key((await connection.execute(statement.returning(*COLUMNS))).one())


async def count(connection: AsyncConnection, user_id: UserId) -> int:
    """The number of a person's keys that are neither revoked nor expired."""
    statement = (
        select(func.count()).select_from(api_keys).where(api_keys.c.user_id == user_id, *LIVE)
    )
    return (await connection.execute(statement)).scalar_one()


async def page(
    connection: AsyncConnection, user_id: UserId, *, after: Position | None, limit: int
) -> Slice[ApiKey]:
    """A person's keys that have not been revoked, expired ones too, the oldest first."""
    order = (api_keys.c.created_at, api_keys.c.id)
    statement = select(*COLUMNS).where(
        api_keys.c.user_id == user_id, api_keys.c.revoked_at.is_(None)
    )
    if after is not None:
        created_at, key_id = after
        place = (dt.datetime.fromisoformat(str(created_at)), uuid.UUID(str(key_id)))
        statement = statement.where(tuple_(*order) > tuple_(*place))
    rows = await connection.execute(statement.order_by(*order).limit(limit + 1))
    return cut(
        [_key(row) for row in rows],
        limit=limit,
        key=lambda key: (key.created_at.isoformat(), str(key.id)),
    )


async def use(connection: AsyncConnection, digest: bytes) -> ApiKey | None:
    """The live key of a digest, its use noted; None when there is none."""
    statement = update(api_keys).where(api_keys.c.digest == digest, *LIVE)
    row = (
        await connection.execute(statement.values(last_used_at=func.now()).returning(*COLUMNS))
    ).one_or_none()
    return None if row is None else _key(row)


async def live(connection: AsyncConnection, key_id: KeyId, *, user_id: UserId) -> ApiKey | None:
    """A person's key that is neither revoked nor expired."""
    statement = select(*COLUMNS).where(
        api_keys.c.id == key_id, api_keys.c.user_id == user_id, *LIVE
    )
    row = (await connection.execute(statement)).one_or_none()
    return None if row is None else _key(row)


async def revoke(connection: AsyncConnection, key_id: KeyId, *, user_id: UserId | None) -> bool:
    """End a key, with `user_id` only if it is that person's; returns whether there was one."""
    statement = update(api_keys).where(api_keys.c.id == key_id, api_keys.c.revoked_at.is_(None))
    if user_id is not None:
        statement = statement.where(api_keys.c.user_id == user_id)
    return (await connection.execute(statement.values(revoked_at=func.now()))).rowcount == 1


def _key(row: Row[*tuple[Any, ...]]) -> ApiKey:
    return ApiKey(
        id=KeyId(row.id),
        user_id=UserId(row.user_id),
        name=row.name,
        scopes=scopes_of(row.scopes),
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
    )
