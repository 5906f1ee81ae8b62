"""How many of a subject's bodies, or requests, are under way at once."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from shared.errors import TooManyRequestsError


class UnderWay:
    """At most `limit` of each subject; `message` says so where there is no place for one more."""

    def __init__(self, *, limit: int, message: str) -> None:
        self._limit = limit
        self._message = message
        self._number: Counter[str] = Counter()
        self._freed: dict[str, asyncio.Event] = {}

    @property
    def number(self) -> int:
        """How many there are, of all subjects."""
        return self._number.total()

    @contextmanager
    def one_more(self, who: str) -> Iterator[None]:
        """Hold a place until the block ends. Raises TooManyRequestsError when all are taken."""
        if self._number[who] >= self._limit:
            raise TooManyRequestsError(
                f"{self._limit} {self._message}", headers={"Retry-After": "1"}
            )
        self._number[who] += 1
        try:
            yield
        finally:
            self._number[who] -= 1
            if not self._number[who]:
                del self._number[who]
            if (freed := self._freed.pop(who, None)) is not None:
                freed.set()

    @asynccontextmanager
    async def in_turn(self, who: str, *, wait_s: float | None = None) -> AsyncIterator[None]:
        """As `one_more`, but waits while all places are taken: `wait_s` at most, or for ever."""
        if self._number[who] >= self._limit:
            await self._freed_in_time(who, wait_s)
        with self.one_more(who):
            yield

    async def _freed_in_time(self, who: str, wait_s: float | None) -> None:
        try:
            async with asyncio.timeout(wait_s):
                while self._number[who] >= self._limit:
                    await self._freed.setdefault(who, asyncio.Event()).wait()
        except TimeoutError:
            return  # and there is no place for one more
