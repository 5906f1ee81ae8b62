"""NOTIFY: hints from other processes that a table changed."""

import asyncio
from collections.abc import Callable

import asyncpg

from services.records.domain import TableId
from services.records.repository.registry import CHANNEL


async def listen(
    database_url: str, *, listening: Callable[[], None], changed: Callable[[TableId], None]
) -> None:
    """Call `listening` once connected, then `changed` for each table, until the connection ends.

    Raises what drivers raise while PostgreSQL is away (`shared.store.away`).
    """
    connection = await asyncpg.connect(
        database_url,
        timeout=10,
        server_settings={"application_name": "tabularium-records:listen"},
    )
    lost = asyncio.Event()

    def notified(_connection: object, _pid: int, _channel: str, payload: object) -> None:
        changed(TableId(int(str(payload))))

    def ended(_connection: object) -> None:
        lost.set()

    try:
        connection.add_termination_listener(ended)
        await connection.add_listener(CHANNEL, notified)
        listening()
        await lost.wait()
    finally:
        connection.terminate()
