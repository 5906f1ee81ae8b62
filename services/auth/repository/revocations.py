"""Revocations: which access tokens ended before their time."""

import datetime as dt
from collections.abc import Iterable

from sqlalchemy import delete, extract, func, insert, literal, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.auth.tables import revocations
from shared.contracts.auth import Revocation

CHANNEL = "auth_revocations"
# So that ids are committed in their order: who has read one has read all before it.
IN_ORDER = text("SELECT pg_advisory_xact_lock(hashtext('tabularium.auth.revocations'))")
NOTIFY = text(f"SELECT pg_notify('{CHANNEL}', '')")


async def add(connection: AsyncConnection, marks: Iterable[str]) -> None:
    """Revoke what carries one of the marks, and notify every process of auth at COMMIT.

    The last statements of their transaction, because others wait for the lock.
    """
    rows = [{"mark": mark} for mark in marks]
    if not rows:
        return
    await connection.execute(IN_ORDER)
    await connection.execute(insert(revocations), rows)
    await connection.execute(NOTIFY)


async def after(connection: AsyncConnection, last: int) -> list[Revocation]:
    """The revocations with an id above `last`, in order."""
    at = extract("epoch", revocations.c.at)
    rows = await connection.execute(
        select(revocations.c.id, revocations.c.mark, at)
        .where(revocations.c.id > last)
        .order_by(revocations.c.id)
    )
    return [Revocation(id=number, mark=mark, at=float(at)) for number, mark, at in rows]


async def forget_over(connection: AsyncConnection, *, kept: dt.timedelta) -> None:
    """Delete revocations older than any access token."""
    await connection.execute(
        delete(revocations).where(revocations.c.at < func.now() - literal(kept))
    )
