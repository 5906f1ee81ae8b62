"""The imports that one worker process runs at once, and whose they may be."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

import structlog

from shared.away import is_away
from shared.contracts.auth import Sub
from shared.process.stopping import end

log = structlog.get_logger()


class Shares:
    """How many of a worker's slots each subject holds: all but one, unless there is only one."""

    def __init__(self, places: int) -> None:
        self._most = max(1, places - 1)
        self._held: Counter[Sub] = Counter()
        self.claiming = asyncio.Lock()
        """Held from `full` to `held`, so that two claims at once cannot exceed a share."""

    def full(self) -> list[Sub]:
        """Subjects of whom nothing more may be claimed now."""
        return [sub for sub, count in self._held.items() if count >= self._most]

    @contextmanager
    def held(self, sub: Sub) -> Iterator[None]:
        """A slot that the subject holds."""
        self._held[sub] += 1
        try:
            yield
        finally:
            self._held[sub] -= 1
            if not self._held[sub]:
                del self._held[sub]


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
        self._sessions: set[asyncio.Task[None]] = set()
        self._waiting = 0
        self._closed = False

    @property
    def has_room(self) -> bool:
        """Whether one more import could start at once."""
        return not self._free.locked()

    async def room(self) -> None:
        """Return once `has_room`."""
        async with self._free:
            return

    def start(self) -> None:
        """Begin a session: work, as soon as a slot is free, until no import is due.

        One that waits for a slot already will see to everything that is due then.
        """
        if self._closed or self._waiting:
            return
        self._waiting += 1
        session = asyncio.create_task(self._session(), name="import-session")
        self._sessions.add(session)
        session.add_done_callback(self._sessions.discard)

    async def close(self) -> None:
        """Start nothing more and cancel every session; its import is given back."""
        self._closed = True
        await end(list(self._sessions))

    async def _session(self) -> None:
        try:
            await self._free.acquire()
        finally:
            self._waiting -= 1
        try:
            await self._work()
        finally:
            self._free.release()

    async def _work(self) -> None:
        try:
            while await self._run_next():
                self._after_each()
        except Exception as exc:
            # An edge: the run's heart has stopped, so a sweeper gives it to another worker.
            if is_away(exc) or isinstance(exc, OSError):
                log.warning("session_waits_for_database", error=type(exc).__name__)
            else:
                log.exception("session_failed")


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
