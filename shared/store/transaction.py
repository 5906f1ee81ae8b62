"""One transaction of a service: the work, and what is written beside it.

A line in the audit trail, an intent for the outbox and the seal of an idempotency key hold if and
only if the work does. All go through the transaction that does the work.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Table, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared.contracts.auth import Caller
from shared.process.request_id import current_request_id
from shared.store.audit import record_event
from shared.store.engine import RawConnection, traced_session
from shared.store.idempotency import seal
from shared.store.outbox import intend

BEGUN = text(
    "SELECT set_config(name, value, true)"
    " FROM unnest(CAST(:names AS text[]), CAST(:values AS text[])) AS setting (name, value)"
)


@dataclass(frozen=True, slots=True)
class Bookkeeping:
    """What a service's transactions write beside their work, and how they run."""

    service: str
    idempotency: Table | None = None
    """The service's keys and kept answers; without it `seal` does nothing."""
    outbox: Table | None = None
    """The service's intents; without it `intend` is a mistake."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """Of PostgreSQL, as by SET LOCAL."""


@dataclass(frozen=True, slots=True)
class Transaction:
    """One open transaction by both drivers' names; ends with its block."""

    connection: AsyncConnection
    raw: RawConnection
    """The asyncpg connection beneath `connection`, in the same transaction."""
    books: Bookkeeping

    async def record(
        self,
        who: Caller | str | None,
        action: str,
        object_: str | None,
        *,
        result: str = "ok",
        address: str | None = None,
        **detail: Any,
    ) -> None:
        """Add a line to the audit trail; never with a secret in `detail`.

        `who` is a caller, a subject, or None where nobody is known. `action` is `noun.verb`
        (`table.create`, `auth.sign_in`); `object_` names what it was done to. The API key that a
        caller used stands in the detail `api_key`.
        """
        if isinstance(who, Caller) and who.api_key is not None:
            detail["api_key"] = who.api_key
        await record_event(
            self.raw,
            subject=who.sub if isinstance(who, Caller) else who,
            action=action,
            object_=object_,
            result=result,
            address=address,
            detail=detail,
        )

    async def intend(self, kind: str, payload: Mapping[str, Any]) -> None:
        """Add an intent to the outbox: what must happen once this has been committed."""
        assert self.books.outbox is not None
        await intend(self.connection, self.books.outbox, kind=kind, payload=payload)

    async def seal(self) -> None:
        """Let the request's idempotency key stand for this commit; without a key, nothing.

        Raises StillRunningError, which rolls the work back, when another request with the key
        was faster.
        """
        await seal(self.connection)


@asynccontextmanager
async def transaction(engine: AsyncEngine, books: Bookkeeping) -> AsyncIterator[Transaction]:
    """A transaction, committed at the end of the block and rolled back if the block raises.

    Its name in `pg_stat_activity` and in PostgreSQL's log is the request's.
    """
    name = f"tabularium-{books.service}:{current_request_id.get() or 'engine'}"
    settings = {**books.settings, "application_name": name}
    with traced_session("transaction", application_name=name):
        async with engine.begin() as connection:
            # SQLAlchemy sends BEGIN before its first statement; `raw` is in a transaction then.
            await connection.execute(
                BEGUN, {"names": list(settings), "values": list(settings.values())}
            )
            raw = (await connection.get_raw_connection()).driver_connection
            assert raw is not None
            yield Transaction(connection=connection, raw=raw, books=books)
