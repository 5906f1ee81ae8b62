"""One attempt's transaction: backend announced, table locked and compared, fence, commit."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import asyncpg

from services.ingest.domain.outcome import Outcome
from services.ingest.errors import (
    RowTooWideError,
    TableBusyError,
    TableChangedError,
    TableLockedError,
    ValueNotStoredError,
)
from services.ingest.load.outside import Outside
from services.ingest.load.target import LOCK_TIMEOUT_S, Target
from shared.contracts.ingest import load_name, loading_import
from shared.contracts.records import TableContract
from shared.errors import StorageFullError
from shared.store.engine import RawConnection, traced_session

DEADLOCK_TRIES = 5
TRIES_BESIDE_OTHERS = 2

MAY_WAIT = "SET LOCAL idle_in_transaction_session_timeout = 0"
"""A load waits for its source and for storage, far longer than other transactions of ingest may
(`migrations.bootstrap`)."""

ANNOUNCE = """
SELECT pid, backend_start, set_config('application_name', $1, true),
  set_config('tabularium.user', $2, true),
  set_config('idle_in_transaction_session_timeout', '0', true)
FROM pg_stat_get_activity(pg_backend_pid())"""
"""By its name, DDL that meets the load's lock can tell which import has it; the user is what
defaults that call for it give. As for MAY_WAIT. The view `pg_stat_activity` reads every session."""

HOLDERS = """
SELECT DISTINCT a.application_name FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'relation' AND l.relation = $1 AND l.granted AND l.pid <> pg_backend_pid()
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"""

Work = Callable[[Target], Awaitable[Outcome]]
"""What is done to the table between its lock and the fence."""


@dataclass(frozen=True, slots=True)
class Transaction:
    """Everything is done and the run is marked as done in one commit, or nothing is.

    `alone`: no other writer beside it. `dry_run`: rolled back, without the fence.
    """

    outside: Outside
    contract: TableContract
    alone: bool = False
    dry_run: bool = False
    lock_timeout_s: float = LOCK_TIMEOUT_S

    async def run(self, work: Work, *, restart: Callable[[], Awaitable[None]]) -> Outcome:
        """Do the work; two of them can wait for each other's keys, and the loser starts again.

        A second time it waits for the others first. `restart` comes before every further try.
        Raises FencedOutError, TableChangedError,
        TableBusyError, RowTooWideError, ValueNotStoredError, StorageFullError.
        """
        for tries_left in reversed(range(DEADLOCK_TRIES)):
            alone = self.alone or tries_left < DEADLOCK_TRIES - TRIES_BESIDE_OTHERS
            try:
                return await self._once(work, alone=alone)
            except TableLockedError as error:
                if (holders := await self._holders()) is None:
                    raise
                raise TableLockedError(
                    f"{self.contract.table} was locked for {self.lock_timeout_s:g} s by {holders}:"
                    " try again when that is done; the table's owner can cancel it"
                ) from error
            except asyncpg.DeadlockDetectedError as error:
                if not tries_left:
                    raise TableBusyError(
                        f"other imports into {self.contract.table} kept getting in the way:"
                        " try again"
                    ) from error
                await restart()
        raise AssertionError("unreachable")

    async def _once(self, work: Work, *, alone: bool) -> Outcome:
        name = load_name(self.outside.import_id)
        with traced_session(f"load {self.contract.table}", application_name=name):
            async with (
                self.outside.connections.acquire() as connection,
                _translated(),
                _transaction(connection) as transaction,
            ):
                await self._announce(connection)
                target = Target(connection, self.contract)
                await target.lock(alone=alone, timeout_s=self.lock_timeout_s)
                outcome = replace(await work(target), table_oid=self.contract.oid)
                if self.dry_run:
                    await transaction.rollback()
                else:
                    await self.outside.fence(connection, outcome)
                    await transaction.commit()
        return outcome

    async def _holders(self) -> str | None:
        """The imports that hold the table, in words; None where it is none."""
        async with self.outside.connections.acquire() as connection:
            rows = await connection.fetch(HOLDERS, self.contract.oid)
        holders = [loading_import(row["application_name"]) for row in rows]
        ids = sorted(import_id for import_id in holders if import_id is not None)
        return " and ".join(f"import {import_id}" for import_id in ids) or None

    async def _announce(self, connection: RawConnection) -> None:
        # Inside the transaction: behind a pooler, another may have another backend.
        outside = self.outside
        name = load_name(outside.import_id)
        row = await connection.fetchrow(ANNOUNCE, name, outside.submitter)
        assert row is not None
        await outside.note_backend(row["pid"], row["backend_start"])


@asynccontextmanager
async def _transaction(
    connection: RawConnection,
) -> AsyncIterator[asyncpg.transaction.Transaction]:
    """A transaction that its user ends; rolled back on the way out of an error."""
    transaction = connection.transaction()
    await transaction.start()
    try:
        yield transaction
    except BaseException:
        if not connection.is_closed():
            await transaction.rollback()
        raise


@asynccontextmanager
async def _translated() -> AsyncIterator[None]:
    """PostgreSQL's refusals of rows and of room, as causes of our own."""
    try:
        yield
    except asyncpg.ProgramLimitExceededError as error:
        raise RowTooWideError(f"a row is too wide for PostgreSQL: {error}") from error
    except asyncpg.DiskFullError as error:
        raise StorageFullError("the database's disk is full; nothing was loaded") from error
    except (asyncpg.DataError, asyncpg.StatementTooComplexError) as error:
        raise ValueNotStoredError(f"PostgreSQL refused a value: {error}") from error
    except asyncpg.UndefinedTableError as error:
        raise TableChangedError("the table was dropped while the import was starting") from error
