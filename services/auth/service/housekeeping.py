"""Deletes what has expired: codes, counters, sessions, retired keys."""

import datetime as dt
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine

from services.auth.repository import challenges, keys, limits, revocations, sessions
from shared.security.revocations import KEPT_S

SESSIONS_KEPT = dt.timedelta(days=7)
"""Ended sessions are kept for this long, so that a stolen refresh token is still recognised."""


@dataclass(frozen=True, slots=True)
class Housekeeping:
    """Applies the retention rules; processes may do so at the same time."""

    engine: AsyncEngine

    async def tidy(self) -> None:
        """Delete everything that has expired."""
        async with self.engine.begin() as connection:
            await challenges.forget_over(connection)
            await limits.forget_counters(connection)
            await sessions.forget_over(connection, kept=SESSIONS_KEPT)
            await revocations.forget_over(connection, kept=dt.timedelta(seconds=KEPT_S))
        async with self.engine.begin() as connection:
            await keys.lock(connection)
            await keys.forget_retired(connection)
