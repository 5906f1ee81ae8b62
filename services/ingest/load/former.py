"""Rows that a load overwrites or removes, kept as they were so that it can be undone.

They leave PostgreSQL as binary COPY: what an upsert overwrites by the statement that overwrites it,
what a replace removes on a second connection, whose snapshot has it until the load commits.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import asyncpg

from services.ingest.domain.former import FormerColumn
from services.ingest.load.outside import Connections, FormerStore
from shared.contracts.records import (
    DATA_SCHEMA,
    ID_COLUMN,
    IMPORT_COLUMN,
    VERSION_COLUMN,
    TableContract,
)
from shared.process.stopping import end
from shared.store.copying import copy_out
from shared.store.engine import RawConnection
from shared.store.identifiers import quoted
from shared.values.names import formatted

RETURNS_OLD = 18
"""The version of PostgreSQL from which on RETURNING knows `old`."""
SYSTEM = (ID_COLUMN, IMPORT_COLUMN, VERSION_COLUMN)
BESIDE_LOCK_S = 1
"""How long a second connection waits for the right to read, which DDL that waits may keep away."""
IS_FORMER = "id IS NOT NULL"
"""Which rows of a file are former ones: an upsert's has a row for each that it inserted, too."""
INSERTED = "pg_temp.import_inserted"
"""A sequence that a merge draws from for each record that it inserts."""

Result = TypeVar("Result")


def columns_of(contract: TableContract) -> tuple[FormerColumn, ...]:
    """The columns that former rows of this table have beside the system columns."""
    return tuple(
        FormerColumn(str(column.name), column.attnum, formatted(column.type))
        for column in contract.columns
    )


def selected(contract: TableContract, row: str) -> str:
    """A former row of this table as SQL, taken from the row that goes by this name."""
    names = (*SYSTEM, *(column.name for column in contract.columns))
    return ", ".join(f"{row}.{quoted(name)}" for name in names)


def returned_old(contract: TableContract) -> str:
    """The former row of each record that a merge writes, as SQL; one that it inserts has no id.

    Such a row counts what was inserted by the way: leaving it out here would have PostgreSQL keep
    all of them in a tuplestore first.
    """
    inserted = f"CASE WHEN old.{ID_COLUMN} IS NULL THEN nextval('{INSERTED}')::integer"
    version = f"{inserted} ELSE old.{VERSION_COLUMN} END"
    names = ", ".join(f"old.{quoted(column.name)}" for column in contract.columns)
    return f"old.{ID_COLUMN}, old.{IMPORT_COLUMN}, {version}, {names}"


async def keep(
    connection: RawConnection, query: str, contract: TableContract, store: FormerStore
) -> int:
    """Keep what a query yields as former rows of this table; how many.

    Raises StorageFullError, StorageAwayError.
    """
    status = ""

    def ended(with_status: str) -> None:
        nonlocal status
        status = with_status

    store.begin(columns_of(contract))
    async with copy_out(connection, query, on_end=ended, format="binary") as pieces:
        async for piece in pieces:
            await store.write(piece)
    rows = int(status.rsplit(maxsplit=1)[-1])
    if not rows:
        store.drop()
    return rows


async def keep_updated(
    connection: RawConnection, merging: str, contract: TableContract, store: FormerStore
) -> tuple[int, int]:
    """Keep what a merge overwrites, which ends in `RETURNING` what `returned_old` says.

    The numbers of inserted and of updated records. Raises as `keep`.
    """
    # In a session that goes on after the transaction, a temporary sequence would stay.
    await connection.execute(f"CREATE TEMPORARY SEQUENCE {INSERTED.removeprefix('pg_temp.')}")
    rows = await keep(connection, merging, contract, store)
    inserted = int(
        await connection.fetchval(
            f"SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {INSERTED}"  # noqa: S608
        )
    )
    await connection.execute(f"DROP SEQUENCE {INSERTED}")
    if inserted == rows:
        store.drop()
    return inserted, rows - inserted


@asynccontextmanager
async def reading_beside(
    connections: Connections, contract: TableContract
) -> AsyncIterator["RawConnection | None"]:
    """A second connection that may read the table; None where others keep it from that.

    DDL that waits for the load has its place in the line before the reader, who would wait for
    it, and the load for the reader.
    """
    table = f"{quoted(DATA_SCHEMA)}.{quoted(contract.table)}"
    async with connections.acquire() as connection:
        reading = connection.transaction(readonly=True)
        await reading.start()
        yield connection if await _may_read(connection, table) else None
        # On the way out of an error `connections` ends it: a COPY that is broken off may wait for
        # its reader, and a rollback for the COPY.
        await reading.commit()


async def _may_read(connection: RawConnection, table: str) -> bool:
    await connection.execute(f"SET LOCAL lock_timeout = '{BESIDE_LOCK_S}s'")
    try:
        async with connection.transaction():
            await connection.execute(f"LOCK TABLE ONLY {table} IN ACCESS SHARE MODE")
    except asyncpg.LockNotAvailableError:
        return False
    return True


async def beside(
    keeping: Awaitable[int], work: Callable[[], Awaitable[Result]]
) -> tuple[int, Result]:
    """Keep former rows while the load works; what fails ends the other, and is raised."""
    kept = asyncio.ensure_future(keeping)
    loaded = asyncio.ensure_future(work())
    tasks = (kept, loaded)
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        failed = next((task for task in tasks if task.done() and task.exception()), None)
        if failed is not None:
            failed.result()
        return kept.result(), loaded.result()
    finally:
        await end(tasks)


async def keep_versions(connection: RawConnection, table: str, store: FormerStore) -> None:
    """Keep `id`, `_import` and `_version` of records that were put back, as that table has them.

    An undo of the import whose they are again knows by it that nobody has edited them.
    """
    store.begin(())
    rows = f"SELECT id, _import, _version FROM {table} WHERE _import IS NOT NULL"  # noqa: S608
    async with copy_out(connection, rows, format="binary") as pieces:
        async for piece in pieces:
            await store.write(piece)
