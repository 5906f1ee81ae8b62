"""The least rate at which a source must deliver, so that none holds a worker's slot by dripping."""

import time
from collections.abc import AsyncIterator, Callable
from typing import TypeVar

from services.ingest.connections.domain import SourceTimeouts
from services.ingest.connections.errors import TOO_SLOW

Piece = TypeVar("Piece")


class Pace:
    """A balance of seconds: waiting for the source spends them, every byte received earns some.

    The balance begins at `answer_s` and never exceeds it. So a source may pause for as long as a
    first answer may take, and goes on at the least rate for good, but never below it. Time that
    is spent on the rows that came costs the source nothing.
    """

    def __init__(self, timeouts: SourceTimeouts) -> None:
        self._timeouts = timeouts
        self._left_s = timeouts.answer_s

    def received(self, size_bytes: int, *, waited_s: float) -> None:
        """Count a piece; raises SourceUnusableError where the source is too slow."""
        earned_s = size_bytes / self._timeouts.least_bytes_per_s
        self._left_s = min(self._timeouts.answer_s, self._left_s - waited_s + earned_s)
        if self._left_s < 0:
            raise TOO_SLOW.error()


async def paced(
    pieces: AsyncIterator[Piece], pace: Pace, *, size: Callable[[Piece], int]
) -> AsyncIterator[Piece]:
    """The same pieces; raises SourceUnusableError once they come too slowly."""
    while True:
        asked = time.monotonic()
        try:
            piece = await anext(pieces)
        except StopAsyncIteration:
            return
        pace.received(size(piece), waited_s=time.monotonic() - asked)
        yield piece
