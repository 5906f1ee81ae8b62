"""Running an iterator ahead of its consumer, so that parsing and PostgreSQL work at once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeVar

Item = TypeVar("Item")


class _End:
    """Nothing more comes."""


@asynccontextmanager
async def ahead(
    items: AsyncIterator[Item], *, depth: int = 1
) -> AsyncIterator[AsyncIterator[Item]]:
    """Iterate in a task of its own, `depth` items ahead; its errors come out in their place.

    Leaving the context ends the task and closes the iterator.
    """
    queue: asyncio.Queue[Item | _End | BaseException] = asyncio.Queue(maxsize=depth)

    async def fill() -> None:
        try:
            async for item in items:
                await queue.put(item)
        except Exception as error:  # noqa: BLE001 - handed over to the consumer, who raises it
            await queue.put(error)
        else:
            await queue.put(_End())

    async def drain() -> AsyncIterator[Item]:
        while True:
            item = await queue.get()
            if isinstance(item, _End):
                return
            if isinstance(item, BaseException):
                raise item
            yield item

    task = asyncio.create_task(fill())
    try:
        yield drain()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        closing = getattr(items, "aclose", None)
        if closing is not None:
            await closing()
