"""Stopping in order: hearing of SIGTERM and SIGINT in time, and ending tasks for certain."""

import asyncio
import signal
import threading
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from types import FrameType

CANCEL_AGAIN_S = 3.0


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


@asynccontextmanager
async def told_to_stop() -> AsyncIterator[asyncio.Event]:
    """An event that is set by the first signal to stop, which then goes on to the server.

    uvicorn tells an app to stop only after its last answer ended: an open event stream would
    never end, and so the server would never stop.
    """
    stopping = asyncio.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stopping
        stopping.set()
        return
    loop = asyncio.get_running_loop()
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def hear(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(stopping.set)
        handler = before[signal.Signals(number)]
        if callable(handler):
            handler(number, frame)
        elif handler is signal.SIG_DFL:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)

    for number in before:
        signal.signal(number, hear)
    try:
        yield stopping
    finally:
        stopping.set()
        for number, handler in before.items():
            if signal.getsignal(number) is hear:
                signal.signal(number, handler)
