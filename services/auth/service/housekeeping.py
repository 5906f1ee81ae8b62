"""Deleting what is over: codes, counters, sessions, retired keys."""

import asyncio
import datetime as dt

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from services.auth.repository import challenges, keys, limits, sessions
from shared.store.away import is_away

EVERY_S = 600.0
SESSIONS_KEPT = dt.timedelta(days=7)
"""Ended sessions stay so long, so that a stolen refresh token is still known for one."""

log = structlog.get_logger()


async def tidy(engine: AsyncEngine) -> None:
    """Delete everything that is over; processes may do so at the same time."""
    async with engine.begin() as connection:
        await challenges.forget_over(connection)
        await limits.forget_counters(connection)
        await sessions.forget_over(connection, kept=SESSIONS_KEPT)
    async with engine.begin() as connection:
        await keys.lock(connection)
        await keys.forget_retired(connection)


async def tidy_forever(engine: AsyncEngine) -> None:
    """Tidy every ten minutes; outlives a database that goes away."""
    while True:
        try:
            await tidy(engine)
        except Exception as exc:  # an edge: what failed is tried again, and told if it is our doing
            if is_away(exc):
                log.warning("tidying_waits_for_database", error=type(exc).__name__)
            else:
                log.exception("tidying_failed")
        await asyncio.sleep(EVERY_S)
