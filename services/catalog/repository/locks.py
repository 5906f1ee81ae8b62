"""The lock that lets single writers work beside one another, and bulk merges and renames alone.

Alone, a merge finds out what is new once and needs no `ON CONFLICT` for it, and a rename can take a
row out without a foreign key to guard it. Everyone takes the lock before the first row, so that no
two ever wait for each other in a ring. Readers take none.
"""

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from services.catalog.errors import CatalogBusyError

# A writer that waits holds a connection of the pool, which readers need.
PATIENCE = text("SET LOCAL lock_timeout = '3s'")
SHARED = text("SELECT pg_advisory_xact_lock_shared(hashtextextended('tabularium.catalog', 0))")
EXCLUSIVE = text("SELECT pg_advisory_xact_lock(hashtextextended('tabularium.catalog', 0))")
LOCK_NOT_AVAILABLE = "55P03"


async def write_beside_others(connection: AsyncConnection) -> None:
    """Hold off merges and renames until this transaction ends; other single writers go on.

    Raises CatalogBusyError when a merge takes longer than one waits for it here.
    """
    await connection.execute(PATIENCE)
    try:
        await connection.execute(SHARED)
    except DBAPIError as exc:
        if getattr(exc.orig, "sqlstate", None) == LOCK_NOT_AVAILABLE:
            raise CatalogBusyError("a bulk merge is at work; try again") from exc
        raise


async def write_alone(connection: AsyncConnection) -> None:
    """Wait until no other writer is at work, and hold them off until this transaction ends."""
    await connection.execute(EXCLUSIVE)
