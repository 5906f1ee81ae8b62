"""Progress as server-sent events: `progress` while it changes, `done` once, ids to resume from."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import structlog
from fastapi.sse import ServerSentEvent

from services.ingest.answers import import_answer
from services.ingest.domain.run import Run
from services.ingest.service.watches import Watch
from shared.away import is_away

AWAY_PAUSE_S = 0.5

log = structlog.get_logger()


async def progress_events(
    look: Callable[[], Awaitable[Run]],
    watch: Watch,
    *,
    after: int | None,
    stopping: asyncio.Event,
) -> AsyncIterator[ServerSentEvent]:
    """Events of one import, from the revision after `after` on, until it is done.

    An event's id is the revision of the import's row; each event is a whole picture, so what
    was missed in between is not sent again. A database that goes away for a moment is waited
    for. Ends without `done` when the server stops.
    """
    sent = -1 if after is None else after
    run = watch.run
    while not stopping.is_set():
        watch.seen(run.revision)
        if run.revision > sent or run.state.is_final:
            sent = run.revision
            yield ServerSentEvent(
                event="done" if run.state.is_final else "progress",
                id=str(run.revision),
                data=import_answer(run),
            )
        if run.state.is_final:
            return
        await watch.moved(stopping)
        if (now := await _looked(look, stopping)) is None:
            return
        run = now


async def _looked(look: Callable[[], Awaitable[Run]], stopping: asyncio.Event) -> Run | None:
    """The import now; None when the server stops while the database is away."""
    while not stopping.is_set():
        try:
            return await look()
        except Exception as exc:
            if not is_away(exc):
                raise
            log.warning("events_wait_for_database", error=type(exc).__name__)
            await _pause(stopping)
    return None


async def _pause(stopping: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(AWAY_PAUSE_S):
            await stopping.wait()
    except TimeoutError:
        return
