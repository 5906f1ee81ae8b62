"""`python -m deploy.container.migrated SERVICE`: wait until its schema is at this version's head.

It goes before a service or worker that is started beside the migrations, as Kubernetes does it;
the service's own log-in is enough. It exits 1 after a while, to be started again.
"""

import asyncio
import os
import sys

import asyncpg
from alembic.config import Config
from alembic.script import ScriptDirectory

from migrations.__main__ import ROOT
from migrations.bootstrap import SERVICES
from shared.process.connection_string import connection_string
from shared.store.identifiers import quoted

PATIENCE_S = 600.0
EVERY_S = 2.0
TIMEOUT_S = 10.0

NOT_YET = (
    OSError,
    TimeoutError,
    asyncpg.CannotConnectNowError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InvalidPasswordError,
    asyncpg.InvalidSchemaNameError,
    asyncpg.InsufficientPrivilegeError,
    asyncpg.UndefinedTableError,
)
"""What there is before the bootstrap and the first migration."""


def main() -> int:
    """0 once it is so, 1 when it took too long, 2 for an unknown service."""
    if len(sys.argv) != 2 or sys.argv[1] not in SERVICES:
        sys.stderr.write(f"name one of {', '.join(SERVICES)}\n")
        return 2
    return asyncio.run(_wait(sys.argv[1], patience_s=PATIENCE_S))


async def _wait(service: str, *, patience_s: float) -> int:
    head = ScriptDirectory.from_config(
        Config(str(ROOT / "alembic.ini"), ini_section=service)
    ).get_current_head()
    url = connection_string(os.environ["DATABASE_URL"])
    reason = ""
    try:
        async with asyncio.timeout(patience_s):
            while (now := await _state(url, service)) != head:
                if now != reason:
                    sys.stdout.write(f"{service}: waiting for {head}: {now}\n")
                    sys.stdout.flush()
                    reason = now
                await asyncio.sleep(EVERY_S)
    except TimeoutError:
        sys.stdout.write(f"{service} is not at {head} after {patience_s:g} s: {reason}\n")
        return 1
    return 0


async def _state(url: str, service: str) -> str:
    """The revision of the service's schema, or why there is none yet."""
    try:
        connection = await asyncpg.connect(url, timeout=TIMEOUT_S)
        try:
            return str(
                await connection.fetchval(
                    f"SELECT version_num FROM {quoted(service)}.alembic_version",  # noqa: S608
                    timeout=TIMEOUT_S,
                )
            )
        finally:
            await connection.close(timeout=TIMEOUT_S)
    except NOT_YET as exc:
        return type(exc).__name__


if __name__ == "__main__":
    sys.exit(main())
