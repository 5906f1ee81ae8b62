"""COPY, in and out of PostgreSQL, on connections that may end meanwhile."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import asyncpg


@asynccontextmanager
async def while_connected(
    connection: "asyncpg.Connection[asyncpg.Record]",
) -> AsyncIterator[None]:
    """Break off what is awaited inside when the connection ends; for every COPY into PostgreSQL.

    asyncpg's COPY waits until its socket takes more, and when the connection ends meanwhile
    nobody wakes it: an import would wait for good. Raises ConnectionDoesNotExistError.
    """
    loop = asyncio.get_running_loop()
    limit = asyncio.timeout(None)
    inside = True

    def end(_connection: object) -> None:
        if inside:
            limit.reschedule(loop.time())

    connection.add_termination_listener(end)
    try:
        async with limit:
            try:
                yield
            finally:
                inside = False
    except TimeoutError as exc:
        if not limit.expired():
            raise
        raise asyncpg.ConnectionDoesNotExistError("the connection ended during a COPY") from exc
    finally:
        # A pool has taken a connection that ended back from us.
        with suppress(asyncpg.InterfaceError):
            connection.remove_termination_listener(end)
