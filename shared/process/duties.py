"""Periodic background work of a process, all with the same lifecycle."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog

from shared.away import is_away
from shared.errors import UnavailableError
from shared.process.stopping import end

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Duty:
    """A step that is repeated `every_s` seconds after it returned, or when `woken_by` is set.

    A step that holds a session (LISTEN, a queue) returns when the session is lost. If `woken_by`
    is set during a step, the next step follows after `rest_s`: what comes meanwhile is gathered.
    """

    name: str
    step: Callable[[], Awaitable[object]]
    every_s: float
    woken_by: asyncio.Event | None = None
    rest_s: float = 0
    bears: tuple[type[Exception], ...] = ()
    """Exceptions that mean a dependency is away, besides those of PostgreSQL and of peers."""


@asynccontextmanager
async def on_duty(*duties: Duty) -> AsyncIterator[None]:
    """Run the duties until the block ends; each takes its first step immediately.

    A step that raises does not end its duty: a dependency that is away is logged as a warning,
    any other exception with its traceback. At the end, tasks are cancelled until they are done.
    """
    # Not a TaskGroup: its exit would wait forever for a task that lost its cancellation.
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
            await asyncio.sleep(duty.rest_s)
            await duty.woken_by.wait()
    except TimeoutError:
        return
