"""NOTIFY: hints from other processes that a table changed."""

from collections.abc import Callable

from services.records.domain import TableId
from services.records.repository.registry import CHANNEL
from shared.store import notices


async def listen(
    database_url: str, *, listening: Callable[[], None], changed: Callable[[TableId], None]
) -> None:
    """Call `listening` once connected, then `changed` for each table, until the connection ends.

    Raises what drivers raise while PostgreSQL is away (`shared.away`).
    """
    await notices.listen(
        database_url,
        CHANNEL,
        application_name="tabularium-records:listen",
        listening=listening,
        notified=lambda payload: changed(TableId(int(payload))),
    )
