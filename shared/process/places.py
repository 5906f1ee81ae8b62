"""Places: how much of a process's work runs at once, in all and for one subject."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from shared.contracts.auth import Sub
from shared.errors import UnavailableError


class Places:
    """So many at once, and for one subject `per_subject` of them; the others wait their turn."""

    def __init__(self, places: int, *, per_subject: int, wait_s: float, what: str) -> None:
        self._free = asyncio.Semaphore(places)
        self._per_subject = per_subject
        self._wait_s = wait_s
        self._what = what
        """What has a place, in the plural, for the message."""
        self._own: dict[Sub, asyncio.Semaphore] = {}
        self._holders: Counter[Sub] = Counter()

    @asynccontextmanager
    async def one(self, subject: Sub) -> AsyncIterator[None]:
        """A place for this subject; raises UnavailableError where none is free in time."""
        await self._take(subject)
        try:
            yield
        finally:
            self._give_back(subject)

    async def keep_one(self, subject: Sub) -> None:
        """A place until the current task ends, which is when its request is answered; as `one`."""
        task = asyncio.current_task()
        assert task is not None
        await self._take(subject)
        task.add_done_callback(lambda _: self._give_back(subject))

    async def _take(self, subject: Sub) -> None:
        own = self._own.setdefault(subject, asyncio.Semaphore(self._per_subject))
        self._holders[subject] += 1
        try:
            await self._acquire(own)
        except BaseException:
            self._forget(subject)
            raise

    def _give_back(self, subject: Sub) -> None:
        self._free.release()
        self._own[subject].release()
        self._forget(subject)

    def _forget(self, subject: Sub) -> None:
        self._holders[subject] -= 1
        if not self._holders[subject]:
            del self._holders[subject], self._own[subject]

    async def _acquire(self, own: asyncio.Semaphore) -> None:
        if not (own.locked() or self._free.locked()):
            # Neither waits: a time-out would cost more than both.
            await own.acquire()
            await self._free.acquire()
            return
        try:
            async with asyncio.timeout(self._wait_s):
                await own.acquire()
                try:
                    await self._free.acquire()
                except BaseException:
                    own.release()
                    raise
        except TimeoutError as exc:
            message = f"too many {self._what} are running; try again soon"
            raise UnavailableError(message) from exc
