"""COPY, in and out of PostgreSQL, on connections that may end meanwhile; rows run ahead of work."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator
from contextlib import asynccontextmanager, suppress
from typing import Any, Generic, TypeVar

import asyncpg

from shared.process.stopping import CANCEL_AGAIN_S, end
from shared.store.engine import RawConnection

PIECES_AHEAD = 16
"""How many pieces of a COPY wait for their consumer before the socket is left unread."""
NEXT_PIECE_S = 0.2
"""How long a COPY that is left may take to deliver one more piece, which is refused."""

Item = TypeVar("Item")
Result = TypeVar("Result")


class _End:
    """Nothing more comes."""


class _LeftError(Exception):
    """The consumer is gone."""


@asynccontextmanager
async def while_connected(connection: RawConnection) -> AsyncIterator[None]:
    """Break off what is awaited inside when the connection ends; for every COPY into PostgreSQL.

    asyncpg's COPY waits until its socket takes more, and when the connection ends meanwhile
    nobody wakes it: an import would wait for good. Raises ConnectionDoesNotExistError.
    """
    loop = asyncio.get_running_loop()
    limit = asyncio.timeout(None)
    inside = True

    def end(_connection: object) -> None:
        if inside:
            limit.reschedule(loop.time())

    connection.add_termination_listener(end)
    try:
        async with limit:
            try:
                yield
            finally:
                inside = False
    except TimeoutError as exc:
        if not limit.expired():
            raise
        raise asyncpg.ConnectionDoesNotExistError("the connection ended during a COPY") from exc
    finally:
        # A pool has taken a connection that ended back from us.
        with suppress(asyncpg.InterfaceError):
            connection.remove_termination_listener(end)


@asynccontextmanager
async def copy_out(
    connection: RawConnection,
    query: str,
    *args: object,
    silent_s: float | None = None,
    on_end: Callable[[str], object] | None = None,
    **options: Any,
) -> AsyncIterator[AsyncIterator[bytes]]:
    """The bytes of `COPY (query) TO STDOUT` with asyncpg's options, in the pieces that arrive.

    A few pieces wait for their consumer, then COPY does. Leaving the context cancels the
    statement at the server. The iterator raises what the statement does, and TimeoutError after
    `silent_s` seconds without a piece. `on_end` gets the status of the command (`COPY 3`).
    """
    line: _Ahead[bytes] = _Ahead(depth=PIECES_AHEAD)

    call = _Cancellable(connection.copy_from_query(query, *args, output=line.put, **options))

    async def copy() -> None:
        status = await call
        if on_end is not None:
            on_end(status)

    task = asyncio.create_task(line.fill(copy))
    try:
        yield line.drained(silent_s=silent_s)
    finally:
        line.leave()
        try:
            await asyncio.wait([task], timeout=NEXT_PIECE_S)
        finally:
            await call.end(task)


@asynccontextmanager
async def ahead(
    items: AsyncIterator[Item], *, depth: int = 0
) -> AsyncIterator[AsyncIterator[Item]]:
    """Iterate in a task of its own; its errors come out in their place.

    One item waits for its consumer behind `depth` others before the next one is begun. Leaving the
    context ends the task and closes the iterator.
    """
    line: _Ahead[Item] = _Ahead(depth=depth)

    async def iterate() -> None:
        # An item that had a name here would be kept in memory until the next one has come.
        with suppress(StopAsyncIteration):
            while True:
                await line.put(await anext(items))

    task = asyncio.create_task(line.fill(iterate))
    try:
        yield line.drained()
    finally:
        await end([task])
        closing = getattr(items, "aclose", None)
        if closing is not None:
            await closing()


def mapped(
    work: Callable[[Item], Awaitable[Result]], items: AsyncIterator[Item]
) -> AsyncIterator[Result]:
    """What `work` makes of each item; unlike a generator it keeps neither in memory."""
    return _Mapped(work, items)


async def gathered(pieces: AsyncIterator[bytes], size_bytes: int) -> AsyncIterator[bytes]:
    """The same bytes in pieces of at least this size, but for the last one."""
    parts: list[bytes] = []
    waiting_bytes = 0
    async for piece in pieces:
        parts.append(piece)
        waiting_bytes += len(piece)
        if waiting_bytes >= size_bytes:
            yield b"".join(parts)
            parts, waiting_bytes = [], 0
    if parts:
        yield b"".join(parts)


class _Mapped(Generic[Item, Result]):
    def __init__(
        self, work: Callable[[Item], Awaitable[Result]], items: AsyncIterator[Item]
    ) -> None:
        self._work = work
        self._items = items

    def __aiter__(self) -> "_Mapped[Item, Result]":
        return self

    async def __anext__(self) -> Result:
        return await self._work(await anext(self._items))


class _Cancellable(Generic[Item]):
    """A call of asyncpg's that is cancelled only while it waits for the server.

    asyncpg cancels a COPY well where a piece is refused, and where none has come. Cancelled when
    a piece has arrived that the call has not taken yet, or when one arrives in the same turn of
    the event loop, it sends no cancel request, and the connection is lost with its transaction.
    """

    def __init__(self, call: Coroutine[Any, Any, Item]) -> None:
        self._call = call
        self._awaited: Any = None

    def __await__(self) -> Generator[Any, Any, Item]:
        resume = self._call.send
        value: Any = None
        while True:
            try:
                self._awaited = resume(value)
            except StopIteration as stop:
                result: Item = stop.value
                return result
            try:
                value = yield self._awaited
                resume = self._call.send
            except BaseException as error:  # noqa: BLE001 - raised where the call waits
                value = error
                resume = self._call.throw

    async def end(self, task: "asyncio.Task[object]") -> None:
        """Cancel the task that awaits the call until it is done; does not raise its exception."""
        loop = asyncio.get_running_loop()

        def cancel() -> None:
            # A timer's turn comes after all that the sockets had in this turn of the loop, so
            # what is awaited and not done now gets to know of its cancellation before more does.
            if isinstance(self._awaited, asyncio.Future) and self._awaited.done():
                if not task.done():
                    loop.call_later(0, cancel)
            else:
                task.cancel()

        while not task.done():
            timer = loop.call_later(0, cancel)
            await asyncio.wait([task], timeout=CANCEL_AGAIN_S)
            timer.cancel()


class _Ahead(Generic[Item]):
    """A queue that one task fills and one consumer drains."""

    def __init__(self, *, depth: int) -> None:
        self._queue: asyncio.Queue[Item | _End | Exception] = asyncio.Queue(maxsize=max(depth, 1))
        self._waits = depth == 0
        self._left = False

    async def put(self, item: Item) -> None:
        """Wait for a place in the queue; raises _LeftError when nobody takes items any more."""
        if self._left:
            raise _LeftError
        await self._queue.put(item)
        if self._waits:
            await self._queue.join()

    async def fill(self, filling: Callable[[], Awaitable[object]]) -> None:
        """Call what calls `put`, and hand over how it ended."""
        try:
            await filling()
        except _LeftError:
            return
        except Exception as error:  # noqa: BLE001 - handed over to the consumer, who raises it
            await self._queue.put(error)
        else:
            await self._queue.put(_End())

    def drained(self, *, silent_s: float | None = None) -> AsyncIterator[Item]:
        """The items, then what `filling` raised; TimeoutError after `silent_s` without one."""
        return _Drained(self._taken, silent_s)

    async def _taken(self, silent_s: float | None) -> "Item | _End | Exception":
        if silent_s is None or not self._queue.empty():
            item = await self._queue.get()
        else:
            async with asyncio.timeout(silent_s):
                item = await self._queue.get()
        self._queue.task_done()
        return item

    def leave(self) -> None:
        """Refuse further items; one that waits for a place gets it."""
        self._left = True
        while not self._queue.empty():
            self._queue.get_nowait()
            self._queue.task_done()


class _Drained(Generic[Item]):
    """What a queue holds, item by item; unlike a generator it keeps none that it gave."""

    def __init__(
        self,
        take: Callable[[float | None], Awaitable["Item | _End | Exception"]],
        silent_s: float | None,
    ) -> None:
        self._take = take
        self._silent_s = silent_s
        self._ended = False

    def __aiter__(self) -> "_Drained[Item]":
        return self

    async def __anext__(self) -> Item:
        if self._ended:
            raise StopAsyncIteration
        self._ended = True  # if waiting for one is cancelled or fails, too
        item = await self._take(self._silent_s)
        if isinstance(item, _End):
            raise StopAsyncIteration
        if isinstance(item, Exception):
            raise item
        self._ended = False
        return item
