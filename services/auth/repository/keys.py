"""Signing keys and when they sign."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

from sqlalchemy import delete, func, insert, literal, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.auth.domain import KEPT_AFTER_SIGNING_S, Kid, SigningKey
from services.auth.tables import signing_keys

LOCK = text("SELECT pg_advisory_xact_lock(hashtext('tabularium.auth.signing_keys'))")
KEPT = dt.timedelta(seconds=KEPT_AFTER_SIGNING_S)


async def lock(connection: AsyncConnection) -> None:
    """Let one process at a time change the keys, until the transaction ends."""
    await connection.execute(LOCK)


async def now(connection: AsyncConnection) -> dt.datetime:
    """The database's clock, by which keys take turns."""
    moment: dt.datetime = (await connection.execute(select(func.now()))).scalar_one()
    return moment


async def clock(connection: AsyncConnection) -> dt.datetime:
    """The same clock at this moment, whenever the transaction began."""
    moment: dt.datetime = (await connection.execute(select(func.clock_timestamp()))).scalar_one()
    return moment


async def public(connection: AsyncConnection) -> list[SigningKey]:
    """The keys whose tokens may still be valid, in the order in which they sign; next last."""
    rows = await connection.execute(
        select(
            signing_keys.c.kid,
            signing_keys.c.public_jwk,
            signing_keys.c.private_key,
            signing_keys.c.usable_from,
            signing_keys.c.signs_from,
            signing_keys.c.signs_until,
        )
        .where(
            signing_keys.c.signs_until.is_(None)
            | (signing_keys.c.signs_until + literal(KEPT) > func.now())
        )
        .order_by(signing_keys.c.signs_from.nulls_last(), signing_keys.c.published_at)
    )
    return [
        SigningKey(
            kid=Kid(row.kid),
            public_jwk=row.public_jwk,
            sealed_private_key=row.private_key,
            usable_from=row.usable_from,
            signs_from=row.signs_from,
            signs_until=row.signs_until,
        )
        for row in rows
    ]


async def add(
    connection: AsyncConnection,
    *,
    kid: Kid,
    public_jwk: Mapping[str, Any],
    sealed_private_key: bytes,
    usable_from: dt.datetime,
    signs_from: dt.datetime | None = None,
) -> None:
    """Publish a key; without `signs_from` it is the next one."""
    await connection.execute(
        insert(signing_keys).values(
            kid=kid,
            public_jwk=dict(public_jwk),
            private_key=sealed_private_key,
            usable_from=usable_from,
            signs_from=signs_from,
        )
    )


async def hand_over(
    connection: AsyncConnection, *, old: Kid, new: Kid, moment: dt.datetime
) -> None:
    """Let the new key sign from a moment on, and the old one until then."""
    # Turns follow one another, also after the database's clock was set back.
    began = func.least(signing_keys.c.signs_from, moment)
    await connection.execute(
        update(signing_keys)
        .where(signing_keys.c.kid == old)
        .values(signs_from=began, signs_until=moment)
    )
    await connection.execute(
        update(signing_keys).where(signing_keys.c.kid == new).values(signs_from=moment)
    )


async def forget_retired(connection: AsyncConnection) -> int:
    """Delete retired keys: the private half first, the row once its tokens have expired.

    Returns the number of deleted rows.
    """
    # Other processes read the ring again every 30 s and may sign a moment longer.
    await connection.execute(
        update(signing_keys)
        .where(signing_keys.c.signs_until + literal(dt.timedelta(minutes=2)) < func.now())
        .values(private_key=None)
    )
    statement = delete(signing_keys).where(signing_keys.c.signs_until + literal(KEPT) < func.now())
    return (await connection.execute(statement)).rowcount


async def forget_all(connection: AsyncConnection) -> int:
    """Delete every key; all access tokens end with them. Returns their number."""
    return (await connection.execute(delete(signing_keys))).rowcount
