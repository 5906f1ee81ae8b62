"""The lock by which renames shut out all other writers of edges."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

# Taken before any row is locked, so that the two kinds can never wait for each other in a ring.
SHARED = text("SELECT pg_advisory_xact_lock_shared(hashtextextended('tabularium.catalog', 0))")
EXCLUSIVE = text("SELECT pg_advisory_xact_lock(hashtextextended('tabularium.catalog', 0))")


async def write_beside_others(connection: AsyncConnection) -> None:
    """Hold off renames until this transaction ends; other writers go on."""
    await connection.execute(SHARED)


async def write_alone(connection: AsyncConnection) -> None:
    """Wait until no other writer is at work, and hold them off until this transaction ends."""
    await connection.execute(EXCLUSIVE)
