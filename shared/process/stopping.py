"""Shutdown: an event for SIGTERM and SIGINT, and cancellation that cannot get lost."""

import asyncio
import signal
import threading
from collections.abc import AsyncIterator, Coroutine, Iterable
from contextlib import asynccontextmanager
from types import FrameType
from typing import Any

CANCEL_AGAIN_S = 1.0
"""A cancelled task that is not done by then is cancelled again."""


async def end(tasks: "Iterable[asyncio.Task[object]]") -> None:
    """Cancel tasks until they are done; does not raise their exceptions.

    A cancellation may get lost in a library: `asyncio.wait_for` of CPython 3.11 swallows it when
    what it waits for is ready in the same moment (https://github.com/python/cpython/issues/86296).
    """
    pending = {task for task in tasks if not task.done()}
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=CANCEL_AGAIN_S)


async def to_its_end(cleaning: Coroutine[Any, Any, None]) -> None:
    """Run what cleans up, although its caller is cancelled meanwhile, as `end` does again.

    Cancellation of the caller is raised when it is done.
    """
    task = asyncio.create_task(cleaning)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as exc:
            cancelled = exc
    task.result()
    if cancelled is not None:
        raise cancelled


@asynccontextmanager
async def stop_event() -> AsyncIterator[asyncio.Event]:
    """An event that is set by SIGTERM and SIGINT, before the server's own handlers run.

    uvicorn shuts an app's lifespan down only after the last response is complete, so an open event
    stream would keep the server from stopping. The event is also set at the end of the block.
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
