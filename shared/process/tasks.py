"""Ending background tasks for certain."""

import asyncio
from collections.abc import Iterable

CANCEL_AGAIN_S = 1.0
"""A task that was asked to end and goes on is asked again after so long."""


async def end(tasks: "Iterable[asyncio.Task[object]]") -> None:
    """Cancel tasks until they are done; their errors are theirs to tell.

    One cancellation may be lost in a library: `asyncio.wait_for` of CPython 3.11 swallows it when
    what it waits for is ready in the same moment (https://github.com/python/cpython/issues/86296).
    """
    pending = {task for task in tasks if not task.done()}
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=CANCEL_AGAIN_S)
