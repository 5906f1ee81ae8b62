"""Waiting until something has come about: the one place in the tests that sleeps.

Each wait names what it waits for, and fails with those words and the last answer it got.
"""

import asyncio
import inspect
import time
from collections.abc import Callable
from typing import Any

TIMEOUT_S = 30.0
EVERY_S = 0.02


async def until(
    what: str,
    ask: Callable[[], Any],
    *,
    bearing: tuple[type[Exception], ...] = (),
    timeout_s: float = TIMEOUT_S,
) -> Any:
    """The first answer that is true; `ask` may be a coroutine function.

    Exceptions of the kinds in `bearing` mean not yet; every other one ends the waiting.
    """
    last: object = None
    try:
        async with asyncio.timeout(timeout_s):
            while True:
                try:
                    last = ask()
                    if inspect.isawaitable(last):
                        last = await last
                    if last:
                        return last
                except bearing as exc:
                    last = exc
                await asyncio.sleep(EVERY_S)
    except TimeoutError:
        raise _too_late(what, timeout_s, last) from None


def until_now(
    what: str,
    ask: Callable[[], Any],
    *,
    bearing: tuple[type[Exception], ...] = (),
    timeout_s: float = TIMEOUT_S,
) -> Any:
    """The same without an event loop."""
    last: object = None
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        try:
            if last := ask():
                return last
        except bearing as exc:
            last = exc
        time.sleep(EVERY_S)
    raise _too_late(what, timeout_s, last)


async def until_still(what: str, measure: Callable[[], int], *, still_s: float = 0.3) -> int:
    """The measure once it has begun to grow and has stopped for a while."""
    before = await until(f"{what} begins", measure)
    while True:
        await asyncio.sleep(still_s)
        now = measure()
        if now == before:
            return now
        before = now


def _too_late(what: str, timeout_s: float, last: object) -> AssertionError:
    return AssertionError(f"{what}: not within {timeout_s:g} s; the last answer was {last!r:.300}")
