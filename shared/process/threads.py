"""CPU-bound work beside the event loop."""

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

SMALL_BYTES = 2048

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


async def beside_loop(
    size_bytes: float,
    function: Callable[Arguments, Result],
    *args: Arguments.args,
    **named: Arguments.kwargs,
) -> Result:
    """The result of work on so many bytes, in a thread unless they are few.

    Up to `SMALL_BYTES` it takes hardly longer than the way to a thread and back.
    """
    if size_bytes <= SMALL_BYTES:
        return function(*args, **named)
    return await asyncio.to_thread(function, *args, **named)
