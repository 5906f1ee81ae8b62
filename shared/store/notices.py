"""LISTEN: hints from other processes through PostgreSQL.

Only hints: who listens also looks by itself, now and then or before each answer. Behind a pooler
that shares sessions no notice arrives.
"""

import asyncio
from collections.abc import Callable

import asyncpg
import structlog

from shared.store.pooler import is_pooled

log = structlog.get_logger()


async def listen(
    database_url: str,
    channel: str,
    *,
    application_name: str,
    listening: Callable[[], None],
    notified: Callable[[str], None],
) -> None:
    """Call `listening` once connected, then `notified` with each payload, until it ends.

    Through a pooler it does not listen, and never returns. Raises what the driver raises while
    PostgreSQL is away (`shared.away`).
    """
    connection = await asyncpg.connect(
        database_url, timeout=10, server_settings={"application_name": application_name}
    )
    lost = asyncio.Event()

    def on_notice(_connection: object, _pid: int, _channel: str, payload: object) -> None:
        notified(str(payload))

    def on_end(_connection: object) -> None:
        lost.set()

    if await is_pooled(connection):
        await connection.close()
        log.warning("notices_not_heard", channel=channel, setting="LISTEN_DATABASE_URL")
        listening()
        await asyncio.Event().wait()
    try:
        connection.add_termination_listener(on_end)
        await connection.add_listener(channel, on_notice)
        listening()
        await lost.wait()
    finally:
        connection.terminate()
