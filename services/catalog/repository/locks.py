"""The advisory lock: single writers share it, bulk merges and renames hold it alone.

Alone, a merge determines once what is new and needs no `ON CONFLICT` for it, and a rename can
delete a row without a foreign key to guard it. Every writer takes the lock before its first row,
so that no two can deadlock. Readers take none.
"""

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from services.catalog.errors import CatalogBusyError

# A waiting writer occupies a connection of the pool, which readers need.
PATIENCE = text("SET LOCAL lock_timeout = '3s'")
SHARED = text("SELECT pg_advisory_xact_lock_shared(hashtextextended('tabularium.catalog', 0))")
EXCLUSIVE = text("SELECT pg_advisory_xact_lock(hashtextextended('tabularium.catalog', 0))")
LOCK_NOT_AVAILABLE = "55P03"


async def write_beside_others(connection: AsyncConnection, *, patient: bool = False) -> None:
    """Share the lock until this transaction ends: merges and renames wait, other writers do not.

    Raises CatalogBusyError when a merge holds the lock for longer than 3 s, unless `patient`.
    """
    if not patient:
        await connection.execute(PATIENCE)
    try:
        await connection.execute(SHARED)
    except DBAPIError as exc:
        if getattr(exc.orig, "sqlstate", None) == LOCK_NOT_AVAILABLE:
            raise CatalogBusyError("a bulk merge is running; try again") from exc
        raise


async def write_alone(connection: AsyncConnection) -> None:
    """Wait until no other writer holds the lock, and keep it until this transaction ends."""
    await connection.execute(EXCLUSIVE)
