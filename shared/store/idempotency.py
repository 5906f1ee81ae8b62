"""`Idempotency-Key`: a POST that is sent again is answered with its first answer, and done once.

A key's row in the service's table `idempotency` is written by the transaction that does the work
(`seal`), and gets the answer a moment later (`keep`). So a key whose first try died before its
COMMIT is free at once, and work that was committed is never done twice, whatever died after it.
Of two requests at once under one key, the second to commit is rolled back, and answered with what
the first was. Only successes are kept, for 24 hours per caller: a refusal changed nothing, and may
be corrected and sent again under the same key.
"""

import asyncio
import uuid
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import (
    Column,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Row,
    Table,
    Text,
    Uuid,
    delete,
    func,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.dialects.postgresql.dml import Insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared.contracts.problem import FieldError
from shared.errors import ConflictError, InvalidInputError

HEADER = "Idempotency-Key"
KEY_LIMIT = 255
KEPT = text("interval '24 hours'")
ANSWERED_WITHIN = text("interval '10 seconds'")
"""From the beginning of a transaction to its answer; after that its process has died."""
LOST = 0
"""In place of a status: the request did its work and then failed to answer."""
WAIT_S = 10.0
POLL_S = 0.05
PURGE_EVERY_S = 3600.0


class KeyReusedError(InvalidInputError):
    """The key stands for another request of the same caller."""

    code = "idempotency_key_reused"
    title = "This idempotency key was used for another request"


class InProgressError(ConflictError):
    """Another request with this key is at work, or has just done it."""

    code = "idempotency_in_progress"

    def __init__(self) -> None:
        super().__init__(
            "the first request with this idempotency key is still running; ask again later",
            headers={"Retry-After": "5"},
        )


class AnswerLostError(ConflictError):
    """The first request was carried out, but its answer is not kept."""

    code = "idempotency_answer_lost"


@dataclass(frozen=True, slots=True)
class Answer:
    """What is kept of a success: status, headers and body; no body where that held a secret."""

    status: int
    headers: Mapping[str, str]
    body: bytes | None


@dataclass(frozen=True, slots=True)
class Claim:
    """A request and its key, as a digest; `fingerprint` is one of all that makes the request."""

    table: Table
    caller: str
    key: str
    fingerprint: bytes
    token: uuid.UUID = field(default_factory=uuid.uuid4)
    """Distinguishes it from other requests with the same key."""


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
        # NULL until the answer is known; `body` stays NULL where the answer held a secret.
        Column("status", Integer),
        Column("headers", JSONB),
        Column("body", LargeBinary),
        Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
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


async def kept_answer(engine: AsyncEngine, claim: Claim) -> Answer | None:
    """The answer that another request with this key was given; None where none did the work.

    Waits up to 10 s for the answer to work that is committed already. Raises KeyReusedError for
    another fingerprint, AnswerLostError.
    """
    loop = asyncio.get_running_loop()
    until = loop.time() + WAIT_S
    while (row := await _row(engine, claim)) is not None:
        if row.claim == claim.token:
            return None
        if row.fingerprint != claim.fingerprint:
            message = "this key stands for another request; send a new key with a new body"
            raise KeyReusedError(
                message,
                errors=[FieldError(field=HEADER, code=KeyReusedError.code, message=message)],
            )
        if row.status is not None and row.body is not None:
            return Answer(row.status, row.headers, row.body)
        if row.status is not None and row.status != LOST:
            raise AnswerLostError(
                "the first request with this key was carried out, and its answer held a secret,"
                " which is given once"
            )
        # By our clock too: the database's may have been set back.
        if row.status == LOST or row.is_over or loop.time() > until:
            raise AnswerLostError(
                "the first request with this key was carried out, but its answer was lost;"
                " look at the result before you send it again under a new key"
            )
        # Another process may be about to keep its answer: its row is all that we can watch.
        await asyncio.sleep(POLL_S)
    return None


async def seal(connection: AsyncConnection) -> None:
    """Write the request's key in the transaction of its work; without a key, do nothing.

    Waits for another request that has sealed the same key. Raises InProgressError, which rolls
    the work back, when that one was committed.
    """
    claim = current_claim.get()
    if claim is None:
        return
    sealed = _mine(claim).returning(claim.table.c.key)
    if (await connection.execute(sealed)).first() is None:
        raise InProgressError


async def keep(engine: AsyncEngine, claim: Claim, answer: Answer) -> bool:
    """Keep the answer for 24 hours; False when another request did the work under this key."""
    values = {"status": answer.status, "headers": dict(answer.headers), "body": answer.body}
    kept = _mine(claim, **values).returning(claim.table.c.key)
    async with engine.begin() as connection:
        return (await connection.execute(kept)).first() is not None


async def lose(engine: AsyncEngine, claim: Claim) -> None:
    """Let nobody wait for the answer to what the claim has committed; nothing if it has not."""
    table = claim.table
    async with engine.begin() as connection:
        await connection.execute(
            update(table)
            .where(
                table.c.caller == claim.caller,
                table.c.key == claim.key,
                table.c.claim == claim.token,
                table.c.status.is_(None),
            )
            .values(status=LOST)
        )


async def purge(engine: AsyncEngine, table: Table) -> None:
    """Delete what is older than 24 hours."""
    async with engine.begin() as connection:
        await connection.execute(delete(table).where(table.c.created_at < func.now() - KEPT))


async def _row(engine: AsyncEngine, claim: Claim) -> Row[Any] | None:
    table = claim.table
    is_over = table.c.created_at < func.now() - ANSWERED_WITHIN
    statement = select(
        table.c.claim,
        table.c.fingerprint,
        table.c.status,
        table.c.headers,
        table.c.body,
        is_over.label("is_over"),
    ).where(
        table.c.caller == claim.caller,
        table.c.key == claim.key,
        table.c.created_at >= func.now() - KEPT,
    )
    async with engine.connect() as connection:
        return (await connection.execute(statement)).first()


def _mine(claim: Claim, **answer: Any) -> Insert:
    """Write the claim's row, unless there is one of another request that still counts."""
    table = claim.table
    row = {
        "fingerprint": claim.fingerprint,
        "claim": claim.token,
        "created_at": func.now(),
        "status": None,
        "headers": None,
        "body": None,
        **answer,
    }
    written = insert(table).values(caller=claim.caller, key=claim.key, **row)
    return written.on_conflict_do_update(
        index_elements=[table.c.caller, table.c.key],
        set_=row,
        where=or_(table.c.claim == claim.token, table.c.created_at < func.now() - KEPT),
    )
