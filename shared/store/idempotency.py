"""`Idempotency-Key`: a POST that is sent again is answered with its first answer, and runs once.

A key is claimed in the service's table `idempotency` before the work begins, so of two requests at
once one runs and the other waits for its answer. Only successes are kept, for 24 hours per caller:
a refusal changed nothing, and may be corrected and sent again under the same key. Work that seals
its claim inside its own transaction is never done twice, whatever dies in between.
"""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import asyncpg
import structlog
from sqlalchemy import (
    Boolean,
    Column,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    Uuid,
    delete,
    false,
    func,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared.contracts.problem import FieldError
from shared.errors import ConflictError, InvalidInputError
from shared.store.away import is_away
from shared.store.identifiers import quoted

HEADER = "Idempotency-Key"
KEY_LIMIT = 255
KEPT = text("interval '24 hours'")
CLAIMED = text("interval '2 minutes'")
"""How long a claim holds when the process that made it died."""
WAIT_S = 10.0
POLL_S = 0.05
PURGE_EVERY_S = 3600.0

log = structlog.get_logger()


class KeyReusedError(InvalidInputError):
    """The key stands for another request of the same caller."""

    code = "idempotency_key_reused"
    title = "This idempotency key was used for another request"


class StillRunningError(ConflictError):
    """The first request with this key has not ended yet."""

    code = "idempotency_in_progress"


class AnswerLostError(ConflictError):
    """The first request was carried out, but its process died before it answered."""

    code = "idempotency_answer_lost"


@dataclass(frozen=True, slots=True)
class Answer:
    """What is kept of a success: status, headers and body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Claim:
    """The right of one request to do the work that a key stands for."""

    table: Table
    caller: str
    key: str
    token: uuid.UUID


current_claim: ContextVar[Claim | None] = ContextVar("current_claim", default=None)


def idempotency_table(metadata: MetaData) -> Table:
    """The table `idempotency` of a service's schema."""
    table = Table(
        "idempotency",
        metadata,
        Column("caller", Text, primary_key=True),
        Column("key", Text, primary_key=True),
        Column("fingerprint", LargeBinary, nullable=False),
        Column("claim", Uuid, nullable=False),
        Column("done", Boolean, nullable=False, server_default=false()),
        Column("status", Integer),
        Column("headers", JSONB),
        Column("body", LargeBinary),
        Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
        Column("claimed_until", DateTime(timezone=True), nullable=False),
    )
    Index(None, table.c.created_at)
    return table


def checked_key(key: str) -> str:
    """The key, if it is 1 to 255 printable ASCII characters; raises InvalidInputError."""
    if 0 < len(key) <= KEY_LIMIT and key.isascii() and key.isprintable():
        return key
    raise InvalidInputError.of(
        HEADER, "invalid_key", f"send 1 to {KEY_LIMIT} printable ASCII characters"
    )


async def answered_once(
    engine: AsyncEngine,
    table: Table,
    *,
    caller: str,
    key: str,
    fingerprint: bytes,
    work: Callable[[], Awaitable[Answer]],
) -> Answer:
    """Do the work, or give the answer that it had the first time.

    `fingerprint` is a digest of everything that makes the request this request. Raises
    KeyReusedError for another fingerprint, StillRunningError after waiting 10 s for the first
    request, AnswerLostError, and whatever `work` raises (then the key is free again).
    """
    claim = Claim(table=table, caller=caller, key=checked_key(key), token=uuid.uuid4())
    kept = await _claimed_or_answered(engine, claim, fingerprint)
    if kept is not None:
        return kept
    reset = current_claim.set(claim)
    try:
        answer = await work()
    except BaseException:
        await asyncio.shield(_release(engine, claim))
        raise
    finally:
        current_claim.reset(reset)
    if 200 <= answer.status < 300:
        await _keep(engine, claim, answer)
    else:
        await _release(engine, claim)
    return answer


async def seal(connection: AsyncConnection) -> None:
    """Say, in the transaction of the work, that it is done; without a claim, nothing.

    Raises StillRunningError, which rolls the work back, when another request took the claim over.
    """
    claim = current_claim.get()
    if claim is None:
        return
    done = await connection.execute(
        update(claim.table).where(*_is(claim)).values(done=True).returning(claim.table.c.key)
    )
    if done.first() is None:
        raise StillRunningError("another request with this idempotency key took over")


async def seal_raw(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    """As `seal`, on a connection of the asyncpg pool."""
    claim = current_claim.get()
    if claim is None:
        return
    where = f"{quoted(str(claim.table.schema))}.{quoted(claim.table.name)}"
    # The table's name is ours, not a user's; asyncpg has no other way to name it.
    done = await connection.fetchval(
        f"UPDATE {where} SET done = true"  # noqa: S608
        " WHERE caller = $1 AND key = $2 AND claim = $3 RETURNING true",
        claim.caller,
        claim.key,
        claim.token,
    )
    if not done:
        raise StillRunningError("another request with this idempotency key took over")


async def purge(engine: AsyncEngine, table: Table) -> None:
    """Drop answers older than 24 hours."""
    async with engine.begin() as connection:
        await connection.execute(delete(table).where(table.c.created_at < func.now() - KEPT))


async def purge_forever(engine: AsyncEngine, table: Table) -> None:
    """Drop answers older than 24 hours, every hour; outlives a database that goes away."""
    while True:
        try:
            await purge(engine, table)
        except Exception as exc:
            if not is_away(exc):
                raise
            log.warning("idempotency_waits_for_database", error=type(exc).__name__)
        await asyncio.sleep(PURGE_EVERY_S)


async def _claimed_or_answered(
    engine: AsyncEngine, claim: Claim, fingerprint: bytes
) -> Answer | None:
    try:
        async with asyncio.timeout(WAIT_S):
            while not await _try_claim(engine, claim, fingerprint):
                kept, running = await _look(engine, claim, fingerprint)
                if kept is not None:
                    return kept
                if running:
                    # Another process may be at work: its row is all that we can watch.
                    await asyncio.sleep(POLL_S)
    except TimeoutError:
        raise StillRunningError(
            "the first request with this idempotency key is still running; ask again later",
            headers={"Retry-After": "5"},
        ) from None
    return None


async def _try_claim(engine: AsyncEngine, claim: Claim, fingerprint: bytes) -> bool:
    table = claim.table
    fresh = {
        "fingerprint": fingerprint,
        "claim": claim.token,
        "done": False,
        "status": None,
        "headers": None,
        "body": None,
        "created_at": func.now(),
        "claimed_until": func.now() + CLAIMED,
    }
    wanted = insert(table).values(caller=claim.caller, key=claim.key, **fresh)
    over = or_(
        table.c.created_at < func.now() - KEPT,
        ~table.c.done & (table.c.claimed_until < func.now()),
    )
    taken = wanted.on_conflict_do_update(
        index_elements=[table.c.caller, table.c.key], set_=fresh, where=over
    ).returning(table.c.key)
    async with engine.begin() as connection:
        return (await connection.execute(taken)).first() is not None


async def _look(
    engine: AsyncEngine, claim: Claim, fingerprint: bytes
) -> tuple[Answer | None, bool]:
    """The kept answer, or whether the first request still runs."""
    table = claim.table
    statement = select(
        table.c.fingerprint,
        table.c.status,
        table.c.headers,
        table.c.body,
        (table.c.claimed_until > func.now()).label("running"),
    ).where(table.c.caller == claim.caller, table.c.key == claim.key)
    async with engine.connect() as connection:
        row = (await connection.execute(statement)).first()
    if row is None:
        return None, False
    if row.fingerprint != fingerprint:
        message = "this key stands for another request; send a new key with a new body"
        raise KeyReusedError(
            message, errors=[FieldError(field=HEADER, code=KeyReusedError.code, message=message)]
        )
    if row.status is not None:
        return Answer(row.status, row.headers, row.body), False
    if not row.running:
        raise AnswerLostError(
            "the first request with this key was carried out, but its answer was lost;"
            " look at the result before you send it again under a new key"
        )
    return None, True


async def _keep(engine: AsyncEngine, claim: Claim, answer: Answer) -> None:
    async with engine.begin() as connection:
        await connection.execute(
            update(claim.table)
            .where(*_is(claim))
            .values(done=True, status=answer.status, headers=dict(answer.headers), body=answer.body)
        )


async def _release(engine: AsyncEngine, claim: Claim) -> None:
    # Sealed work stays claimed: it was committed, whatever failed after it.
    async with engine.begin() as connection:
        await connection.execute(
            delete(claim.table).where(*_is(claim), claim.table.c.done.is_(False))
        )


def _is(claim: Claim) -> tuple[Any, ...]:
    table = claim.table
    return table.c.caller == claim.caller, table.c.key == claim.key, table.c.claim == claim.token
