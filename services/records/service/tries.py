"""Work that another writer was in the way of, done again."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from services.records.errors import WriterInTheWayError

TRIES = 10

Result = TypeVar("Result")


async def until_through(work: Callable[[], Awaitable[Result]]) -> Result:
    """Do work, each time whole, until no other writer is in its way; ten times at most.

    A deadlock has let the other one through, and an id that somebody else had chosen is not drawn
    again: so nothing is waited for in between. Raises WriterInTheWayError, and what `work` raises.
    """
    for _ in range(TRIES - 1):
        try:
            return await work()
        except WriterInTheWayError:
            continue
    return await work()
