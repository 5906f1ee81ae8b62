"""What a process does again and again beside its requests: one lifecycle for every such thing."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog

from shared.errors import UnavailableError
from shared.process.stopping import end
from shared.store.away import is_away

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Duty:
    """One step, repeated: `every_s` seconds after it has returned, or as soon as it is woken.

    A step that holds a session (LISTEN, a queue) returns when the session is lost. A wake-up
    during a step is not lost: it makes the next one follow at once.
    """

    name: str
    step: Callable[[], Awaitable[object]]
    every_s: float
    woken_by: asyncio.Event | None = None
    bears: tuple[type[Exception], ...] = ()
    """What the step may raise while something that it needs is away, PostgreSQL and peers apart."""


@asynccontextmanager
async def on_duty(*duties: Duty) -> AsyncIterator[None]:
    """Take the first step of each duty now and go on until the block ends, then cancel for certain.

    No step ends its duty: what is away is logged as a warning, what is broken with its trace.
    """
    # No TaskGroup: its exit would wait for good for a task that lost its cancellation.
    tasks = [asyncio.create_task(_repeat(duty), name=duty.name) for duty in duties]
    try:
        yield
    finally:
        await end(tasks)


async def _repeat(duty: Duty) -> None:
    while True:
        if duty.woken_by is not None:
            duty.woken_by.clear()
        try:
            await duty.step()
        except Exception as exc:  # an edge: a step that fails must not end the process
            if is_away(exc) or isinstance(exc, (UnavailableError, *duty.bears)):
                log.warning("duty_waits", duty=duty.name, error=type(exc).__name__)
            else:
                log.exception("duty_failed", duty=duty.name)
        await _pause(duty)


async def _pause(duty: Duty) -> None:
    if duty.woken_by is None:
        await asyncio.sleep(duty.every_s)
        return
    try:
        async with asyncio.timeout(duty.every_s):
            await duty.woken_by.wait()
    except TimeoutError:
        return
