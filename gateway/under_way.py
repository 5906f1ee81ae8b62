"""How many of a subject's bodies, or requests, are under way at once."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from shared.errors import TooManyRequestsError


class UnderWay:
    """At most `limit` of each subject; `message` says so where there is no place for one more."""

    def __init__(self, *, limit: int, message: str) -> None:
        self._limit = limit
        self._message = message
        self._number: dict[str, int] = {}
        self._freed: dict[str, asyncio.Event] = {}

    @property
    def number(self) -> int:
        """How many there are, of all subjects."""
        return sum(self._number.values())

    def is_full(self, who: str) -> bool:
        """Whether a subject has all its places."""
        return self._number.get(who, 0) >= self._limit

    def take(self, who: str) -> None:
        """Take a place, to be given back. Raises TooManyRequestsError when all are taken."""
        if self.is_full(who):
            raise TooManyRequestsError(
                f"{self._limit} {self._message}", headers={"Retry-After": "1"}
            )
        self._number[who] = self._number.get(who, 0) + 1

    def give_back(self, who: str) -> None:
        """Give a place back that was taken."""
        if (left := self._number[who] - 1) > 0:
            self._number[who] = left
        else:
            del self._number[who]
        if (freed := self._freed.pop(who, None)) is not None:
            freed.set()

    @contextmanager
    def one_more(self, who: str) -> Iterator[None]:
        """Hold a place until the block ends. Raises TooManyRequestsError when all are taken."""
        self.take(who)
        try:
            yield
        finally:
            self.give_back(who)

    @asynccontextmanager
    async def in_turn(self, who: str) -> AsyncIterator[None]:
        """As `one_more`, but waits while all places are taken."""
        await self.freed(who)
        with self.one_more(who):
            yield

    async def freed(self, who: str, *, wait_s: float | None = None) -> None:
        """Return when a subject has a place, after `wait_s` in any case."""
        try:
            async with asyncio.timeout(wait_s):
                while self.is_full(who):
                    await self._freed.setdefault(who, asyncio.Event()).wait()
        except TimeoutError:
            return
