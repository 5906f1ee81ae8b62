"""Progress as server-sent events: `progress` while it changes, `done` once, ids to resume from."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import structlog
from fastapi.sse import ServerSentEvent

from services.ingest.domain import Run
from services.ingest.routes.schemas import import_answer
from shared.store.away import is_away

POLL_S = 0.4

log = structlog.get_logger()


async def progress_events(
    look: Callable[[], Awaitable[Run]], *, after: int | None, stopping: asyncio.Event
) -> AsyncIterator[ServerSentEvent]:
    """Events of one import, from the revision after `after` on, until it is done.

    An event's id is the revision of the import's row; each event is a whole picture, so what
    was missed in between is not sent again. A database that goes away for a moment is waited
    for. Ends without `done` when the server stops.
    """
    sent = -1 if after is None else after
    while not stopping.is_set():
        try:
            run = await look()
        except Exception as exc:
            if not is_away(exc):
                raise
            log.warning("events_wait_for_database", error=type(exc).__name__)
            await _pause(stopping)
            continue
        if run.revision > sent or run.state.is_final:
            sent = run.revision
            yield ServerSentEvent(
                event="done" if run.state.is_final else "progress",
                id=str(run.revision),
                data=import_answer(run),
            )
        if run.state.is_final:
            return
        await _pause(stopping)


async def _pause(stopping: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(POLL_S):
            await stopping.wait()
    except TimeoutError:
        return
