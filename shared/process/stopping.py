"""The end of a process: signals noticed in time, background tasks ended for certain."""

import asyncio
import signal
import threading
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from types import FrameType

CANCEL_AGAIN_S = 1.0
"""A task that was cancelled and goes on is cancelled again after so long."""


async def end(tasks: "Iterable[asyncio.Task[object]]") -> None:
    """Cancel tasks until they are done; their exceptions stay with them.

    One cancellation may be lost in a library: `asyncio.wait_for` of CPython 3.11 swallows it when
    what it waits for is ready in the same moment (https://github.com/python/cpython/issues/86296).
    """
    pending = {task for task in tasks if not task.done()}
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=CANCEL_AGAIN_S)


@asynccontextmanager
async def stop_event() -> AsyncIterator[asyncio.Event]:
    """An event that SIGTERM and SIGINT set before they reach the server's own handlers.

    uvicorn ends an app's lifespan only after its last answer: an open event stream would never
    end, and so the server would never stop. The event is set at the end of the block, too.
    """
    stopping = asyncio.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stopping
        stopping.set()
        return
    loop = asyncio.get_running_loop()
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def on_signal(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(stopping.set)
        handler = before[signal.Signals(number)]
        if callable(handler):
            handler(number, frame)
        elif handler is signal.SIG_DFL:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)

    for number in before:
        signal.signal(number, on_signal)
    try:
        yield stopping
    finally:
        stopping.set()
        for number, handler in before.items():
            if signal.getsignal(number) is on_signal:
                signal.signal(number, handler)
