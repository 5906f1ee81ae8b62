"""Families of refresh tokens: one family is one sign-in."""

import datetime as dt
from typing import Any

from sqlalchemy import Row, delete, func, insert, literal, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.auth.domain import (
    REFRESH_GRACE_S,
    FamilyId,
    SentToken,
    Session,
    SignInMethod,
    TokenState,
    UserId,
    scopes_of,
)
from services.auth.tables import refresh_families, refresh_tokens
from shared.contracts.auth import Scope


async def open_session(
    connection: AsyncConnection,
    *,
    user_id: UserId,
    method: SignInMethod,
    scopes: frozenset[Scope],
    lifetime: dt.timedelta,
) -> Session:
    """Begin a session."""
    row = (
        await connection.execute(
            insert(refresh_families)
            .values(
                user_id=user_id,
                method=method.value,
                scopes=sorted(scope.value for scope in scopes),
                expires_at=func.now() + literal(lifetime),
            )
            .returning(
                refresh_families.c.id,
                refresh_families.c.user_id,
                refresh_families.c.scopes,
                refresh_families.c.created_at,
            )
        )
    ).one()
    return _session(row)


async def add_token(
    connection: AsyncConnection, *, family_id: FamilyId, digest: bytes, lifetime: dt.timedelta
) -> None:
    """A further refresh token of a session; it never outlives the session."""
    expires_at = (
        select(func.least(refresh_families.c.expires_at, func.now() + literal(lifetime)))
        .where(refresh_families.c.id == family_id)
        .scalar_subquery()
    )
    await connection.execute(
        insert(refresh_tokens).values(digest=digest, family_id=family_id, expires_at=expires_at)
    )


async def sent_token(connection: AsyncConnection, digest: bytes) -> SentToken | None:
    """Look a refresh token up, and lock it and its session until the transaction ends.

    The lock makes two uses of one token come one after the other.
    """
    grace = literal(dt.timedelta(seconds=REFRESH_GRACE_S))
    clock = func.clock_timestamp()
    row = (
        await connection.execute(
            select(
                refresh_families.c.id,
                refresh_families.c.user_id,
                refresh_families.c.scopes,
                refresh_families.c.created_at,
                refresh_tokens.c.used_at,
                (
                    refresh_families.c.ended_at.is_not(None)
                    | (refresh_families.c.expires_at <= clock)
                ).label("ended"),
                (refresh_tokens.c.expires_at <= clock).label("expired"),
                (refresh_tokens.c.used_at + grace < clock).label("long_used"),
            )
            .join(refresh_tokens, refresh_tokens.c.family_id == refresh_families.c.id)
            .where(refresh_tokens.c.digest == digest)
            .with_for_update(of=[refresh_tokens, refresh_families])
        )
    ).one_or_none()
    return None if row is None else SentToken(state=_state(row), session=_session(row))


async def mark_used(connection: AsyncConnection, digest: bytes) -> None:
    """Use a refresh token up; the first use counts."""
    await connection.execute(
        update(refresh_tokens)
        .where(refresh_tokens.c.digest == digest, refresh_tokens.c.used_at.is_(None))
        .values(used_at=func.now())
    )


async def end(connection: AsyncConnection, family_id: FamilyId, *, because: str) -> None:
    """End one session."""
    await connection.execute(
        update(refresh_families)
        .where(refresh_families.c.id == family_id, refresh_families.c.ended_at.is_(None))
        .values(ended_at=func.now(), ended_because=because)
    )


async def end_all(
    connection: AsyncConnection,
    user_id: UserId,
    *,
    because: str,
    but: FamilyId | None = None,
) -> list[FamilyId]:
    """End a person's sessions, all or all but one; returns those that were open."""
    statement = (
        update(refresh_families)
        .where(refresh_families.c.user_id == user_id, refresh_families.c.ended_at.is_(None))
        .values(ended_at=func.now(), ended_because=because)
    )
    if but is not None:
        statement = statement.where(refresh_families.c.id != but)
    rows = await connection.execute(statement.returning(refresh_families.c.id))
    return [FamilyId(row.id) for row in rows]


async def forget_over(connection: AsyncConnection, *, kept: dt.timedelta) -> int:
    """Delete sessions that expired or ended more than `kept` ago; returns their number."""
    oldest = func.now() - literal(kept)
    statement = delete(refresh_families).where(
        (refresh_families.c.expires_at < oldest) | (refresh_families.c.ended_at < oldest)
    )
    return (await connection.execute(statement)).rowcount


def _state(row: Row[*tuple[Any, ...]]) -> TokenState:
    if row.ended:
        return TokenState.OVER
    if row.used_at is not None:
        return TokenState.REUSED if row.long_used else TokenState.GRACE
    return TokenState.OVER if row.expired else TokenState.FRESH


def _session(row: Row[*tuple[Any, ...]]) -> Session:
    return Session(
        id=FamilyId(row.id),
        user_id=UserId(row.user_id),
        scopes=scopes_of(row.scopes),
        created_at=row.created_at,
    )
