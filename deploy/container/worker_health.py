"""`python -m deploy.container.worker_health`: exit 0 if this container's worker is well.

A worker has no port, but looks into its database every few seconds for imports to take over:
PostgreSQL is asked when a worker of this container's address last did.
"""

import asyncio
import os
import sys

import asyncpg

from shared.process.connection_string import connection_string

TIMEOUT_S = 4.0
SILENCE_S = 30
"""A worker sweeps every `SWEEP_S` (2 s); after this long it hangs."""

LAST_SEEN = """
SELECT count(*) AS sessions, extract(epoch FROM now() - max(state_change))::float8 AS silent_s
FROM pg_stat_activity
WHERE application_name = 'tabularium-ingest:worker' AND client_addr = inet_client_addr()
"""


def main() -> int:
    """0 is well, 1 is not, with the reason on stdout."""
    try:
        reason = asyncio.run(_complaint())
    except (OSError, asyncpg.PostgresError, TimeoutError) as exc:
        reason = f"{type(exc).__name__}: {exc}"
    if reason:
        sys.stdout.write(f"{reason}\n")
    return 1 if reason else 0


async def _complaint() -> str:
    connection = await asyncpg.connect(
        connection_string(os.environ["DATABASE_URL"]), timeout=TIMEOUT_S
    )
    try:
        seen = await connection.fetchrow(LAST_SEEN, timeout=TIMEOUT_S)
    finally:
        await connection.close(timeout=TIMEOUT_S)
    if not seen["sessions"]:
        return "this container's worker has no connection to PostgreSQL"
    if seen["silent_s"] > SILENCE_S:
        return f"this container's worker has not looked for work for {seen['silent_s']:.0f} s"
    return ""


if __name__ == "__main__":
    sys.exit(main())
