"""Durable intents: what must happen after a commit (a mail, a catalog edge), tried until done.

An intent is written in the transaction that makes it true. Delivery claims it by moving its next
attempt into the future and committing, so no transaction is open during the network call; a
process that dies in between leaves the intent to the next round. Handlers must be idempotent.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import structlog
from sqlalchemy import (
    ARRAY,
    BigInteger,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    any_,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

Payload = Mapping[str, Any]

Handler = Callable[[Payload], Awaitable[None]]
"""Does what an intent says; any exception means: later again."""


@dataclass(frozen=True, slots=True)
class Together:
    """Does what several intents of one kind say, oldest first, all of it or nothing.

    After an exception each is tried by itself, so that one does not hold up the others.
    """

    handle: Callable[[Sequence[Payload]], Awaitable[None]]


CLAIM_S = 60
FIRST_RETRY_S = 2
LONGEST_RETRY_S = 300
BATCH = 20

log = structlog.get_logger()


def outbox_table(metadata: MetaData) -> Table:
    """The table `outbox` of a service's schema."""
    table = Table(
        "outbox",
        metadata,
        Column("id", BigInteger, Identity(), primary_key=True),
        Column("kind", Text, nullable=False),
        Column("payload", JSONB, nullable=False),
        Column("attempts", Integer, nullable=False, server_default=text("0")),
        Column("last_error", Text),
        Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
        Column(
            "next_attempt_at", DateTime(timezone=True), nullable=False, server_default=func.now()
        ),
    )
    Index(None, table.c.next_attempt_at)
    return table


async def intend(
    connection: AsyncConnection, outbox: Table, *, kind: str, payload: Mapping[str, Any]
) -> None:
    """Write an intent in the caller's transaction."""
    await connection.execute(insert(outbox).values(kind=kind, payload=dict(payload)))


@dataclass(frozen=True, slots=True)
class _Intent:
    id: int
    kind: str
    payload: Payload
    attempts: int


async def deliver_due(
    engine: AsyncEngine, outbox: Table, handlers: Mapping[str, Handler | Together]
) -> int:
    """Try every intent that is due, oldest first; returns how many were delivered."""
    delivered, full = 0, True
    while full:
        claimed = await _claim(engine, outbox, kinds=list(handlers))
        full = len(claimed) == BATCH
        for kind, intents in groupby(claimed, key=lambda intent: intent.kind):
            delivered += await _deliver(engine, outbox, handlers[kind], list(intents))
    return delivered


async def _deliver(
    engine: AsyncEngine, outbox: Table, handler: Handler | Together, intents: Sequence[_Intent]
) -> int:
    """Try intents of one kind, in their order; returns how many were delivered."""
    if isinstance(handler, Together) and len(intents) > 1:
        try:
            await handler.handle([intent.payload for intent in intents])
        except Exception as exc:  # noqa: BLE001 - an edge: each is tried by itself now
            _log_failure(exc, *intents)
        else:
            await _forget(engine, outbox, intents)
            return len(intents)
    delivered = 0
    for intent in intents:
        try:
            if isinstance(handler, Together):
                await handler.handle([intent.payload])
            else:
                await handler(intent.payload)
        except Exception as exc:  # noqa: BLE001 - an edge: whatever failed, the intent stays and is told
            _log_failure(exc, intent)
            await _postpone(engine, outbox, intent, exc)
        else:
            await _forget(engine, outbox, [intent])
            delivered += 1
    return delivered


def _log_failure(error: Exception, first: _Intent, *others: _Intent) -> None:
    log.warning(
        "intent_failed",
        kind=first.kind,
        intent=first.id,
        together_with=len(others),
        attempts=first.attempts,
        error=f"{type(error).__name__}: {error}",
    )


async def _forget(engine: AsyncEngine, outbox: Table, intents: Sequence[_Intent]) -> None:
    # An IN would be put together anew for each number of them.
    ids = literal([intent.id for intent in intents], ARRAY(BigInteger))
    done = delete(outbox).where(outbox.c.id == any_(ids))
    async with engine.begin() as connection:
        await connection.execute(done)


async def _claim(engine: AsyncEngine, outbox: Table, *, kinds: list[str]) -> list[_Intent]:
    # Later than any retry can be: the database's clock was set back, and nobody waits for that.
    latest = func.now() + text(f"interval '{LONGEST_RETRY_S} s'")
    due = (
        select(outbox.c.id)
        .where(
            or_(outbox.c.next_attempt_at <= func.now(), outbox.c.next_attempt_at > latest),
            outbox.c.kind.in_(kinds),
        )
        .order_by(outbox.c.id)
        .limit(BATCH)
        .with_for_update(skip_locked=True)
    )
    statement = (
        update(outbox)
        .where(outbox.c.id.in_(due.scalar_subquery()))
        .values(
            next_attempt_at=func.now() + text(f"interval '{CLAIM_S} s'"),
            attempts=outbox.c.attempts + 1,
        )
        .returning(outbox.c.id, outbox.c.kind, outbox.c.payload, outbox.c.attempts)
    )
    async with engine.begin() as connection:
        rows = (await connection.execute(statement)).all()
    intents = [_Intent(row.id, row.kind, row.payload, row.attempts) for row in rows]
    return sorted(intents, key=lambda intent: intent.id)


async def _postpone(engine: AsyncEngine, outbox: Table, intent: _Intent, error: Exception) -> None:
    delay_s = min(FIRST_RETRY_S * 2 ** min(intent.attempts - 1, 10), LONGEST_RETRY_S)
    async with engine.begin() as connection:
        await connection.execute(
            update(outbox)
            .where(outbox.c.id == intent.id)
            .values(
                next_attempt_at=func.now() + func.make_interval(0, 0, 0, 0, 0, 0, delay_s),
                last_error=f"{type(error).__name__}: {error}"[:1000],
            )
        )
