"""COPY out, with backpressure: a reader who takes nothing stops it, one who leaves ends it."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import structlog

from services.records.ddl import table_name
from services.records.domain import Table
from services.records.errors import StaleTableError
from services.records.repository.driver import reading
from shared.away import AWAY
from shared.errors import UnavailableError
from shared.store.copying import copy_out
from shared.store.engine import RawConnection, RawPool

ACQUIRE_TIMEOUT_S = 10.0
REPLICA_BEHIND_S = 2.0
"""How long an export waits for a replica that is behind, before the primary takes it."""
LOOK_AGAIN_S = 0.02
REPLAYED = """
SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() >= $1::text::pg_lsn END"""

log = structlog.get_logger()


async def place_of(pool: RawPool, replica: "RawPool | None") -> RawPool:
    """Where an export runs: on the replica, if it has all that is committed by now.

    A replica that is away, behind by more than REPLICA_BEHIND_S or none any more is passed by.
    """
    if replica is None:
        return pool
    try:
        async with asyncio.timeout(REPLICA_BEHIND_S):
            has_all = await _has_all(replica, primary=pool)
        reason = "it is no replica"
    except (asyncpg.PostgresError, *AWAY, OSError) as exc:
        has_all, reason = False, f"{type(exc).__name__}: {exc}"
    if not has_all:
        log.warning("replica_passed_by", reason=reason)
    return replica if has_all else pool


async def _has_all(replica: RawPool, *, primary: RawPool) -> bool:
    """Wait until a replica has what the primary has now; False if it is no replica."""
    committed = await primary.fetchval("SELECT pg_current_wal_insert_lsn()::text")
    while (replayed := await replica.fetchval(REPLAYED, committed)) is False:  # noqa: ASYNC110 - it is another server that goes on
        await asyncio.sleep(LOOK_AGAIN_S)
    return replayed is not None


@asynccontextmanager
async def held(pool: RawPool, table: Table) -> AsyncIterator[RawConnection]:
    """A connection in one snapshot, in which the table keeps its shape.

    Raises StaleTableError when it has another shape than we know, UnavailableError when all
    connections for exports are taken.
    """
    try:
        connection = await pool.acquire(timeout=ACQUIRE_TIMEOUT_S)
    except TimeoutError as exc:
        raise UnavailableError("too many exports are running; try again soon") from exc
    try:
        transaction = connection.transaction(isolation="repeatable_read", readonly=True)
        async with transaction:
            with reading(table):
                # An export takes as long as its reader does.
                await connection.execute(
                    "SET LOCAL statement_timeout = 0;"
                    f" LOCK TABLE {table_name(table.name)} IN ACCESS SHARE MODE"
                )
            version = await connection.fetchval(
                "SELECT version FROM records.tables WHERE id = $1", table.id
            )
            if version != table.version:
                raise StaleTableError(table.name)
            yield connection
    finally:
        await asyncio.shield(pool.release(connection))


async def sheet_size(
    connection: RawConnection, table: Table, query: str, values: list[object]
) -> tuple[int, int, Sequence[str]]:
    """The row of `services.records.query.export.sheet_size`."""
    with reading(table):
        row = await connection.fetchrow(query, *values)
    return row["rows"], row["bytes"], row["too_long"]


async def infinite(
    connection: RawConnection, table: Table, query: str, values: list[object]
) -> Sequence[str]:
    """The names in the row of `services.records.query.export.infinite`."""
    with reading(table):
        names: Sequence[str] = await connection.fetchval(query, *values)
    return names


async def copied(
    connection: RawConnection,
    table: Table,
    query: str,
    values: list[object],
    **options: Any,
) -> AsyncGenerator[bytes, None]:
    """The bytes of `COPY (query) TO STDOUT` with asyncpg's options.

    A few pieces wait for their reader, then COPY does. Closing the iterator cancels the statement
    at the server.
    """
    with reading(table):
        async with copy_out(connection, query, *values, **options) as pieces:
            async for piece in pieces:
                yield piece
