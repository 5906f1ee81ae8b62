"""The imports that one worker process runs at once."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import structlog

from shared.process.stopping import end
from shared.store.away import is_away

log = structlog.get_logger()


class WorkerSlots:
    """Runs up to `places` imports at once, each session one after the other."""

    def __init__(
        self,
        run_next: Callable[[], Awaitable[bool]],
        *,
        places: int,
        after_each: Callable[[], None],
    ) -> None:
        self._run_next = run_next
        self._free = asyncio.Semaphore(places)
        self._after_each = after_each
        self._sessions: set[asyncio.Task[int]] = set()
        self._closed = False

    @property
    def has_room(self) -> bool:
        """Whether one more import could start at once."""
        return not self._free.locked()

    def start(self) -> "asyncio.Task[int]":
        """A session: work, as soon as a slot is free, until no import is due.

        Its result is how many imports it worked on. Raises RuntimeError once the slots are closed.
        """
        if self._closed:
            raise RuntimeError("the worker is stopping")
        session = asyncio.create_task(self._session(), name="import-session")
        self._sessions.add(session)
        session.add_done_callback(self._sessions.discard)
        return session

    async def close(self) -> None:
        """Start nothing more and cancel every session; its import is given back."""
        self._closed = True
        await end(list(self._sessions))

    async def _session(self) -> int:
        worked = 0
        async with self._free:
            try:
                while await self._run_next():
                    worked += 1
                    self._after_each()
            except Exception as exc:
                # An edge: the run's heart has stopped, so a sweeper gives it to another worker.
                if is_away(exc) or isinstance(exc, OSError):
                    log.warning("session_waits_for_database", error=type(exc).__name__)
                else:
                    log.exception("session_failed")
        return worked


@asynccontextmanager
async def worker_slots(
    run_next: Callable[[], Awaitable[bool]], *, places: int, after_each: Callable[[], None]
) -> AsyncIterator[WorkerSlots]:
    """Slots that are closed at the end of the block."""
    slots = WorkerSlots(run_next, places=places, after_each=after_each)
    try:
        yield slots
    finally:
        await slots.close()
