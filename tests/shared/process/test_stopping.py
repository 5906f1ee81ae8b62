"""Tasks end although a library swallows a cancellation; signals are noticed before the server."""

import asyncio
import signal

import pytest

from shared.process.stopping import end, stop_event, to_its_end


async def test_a_cancellation_that_was_swallowed_is_repeated() -> None:
    asked = 0
    running = asyncio.Event()

    async def deaf_at_first() -> None:
        nonlocal asked
        while True:
            running.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                asked += 1
                if asked == 2:
                    raise

    task = asyncio.create_task(deaf_at_first())
    await running.wait()
    async with asyncio.timeout(20):
        await end([task])
    assert (asked, task.cancelled()) == (2, True)


async def test_a_task_that_fails_while_it_ends_disturbs_nobody() -> None:
    running = asyncio.Event()

    async def fails() -> None:
        running.set()
        try:
            await asyncio.Event().wait()
        finally:
            raise RuntimeError("while it ended")

    task = asyncio.create_task(fails())
    await running.wait()
    over = asyncio.create_task(asyncio.sleep(0))
    await over
    await end([task, over])
    assert isinstance(task.exception(), RuntimeError)


async def test_a_signal_sets_the_event_and_goes_on_to_the_handler_before() -> None:
    heard: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _frame: heard.append(number))
    try:
        async with stop_event() as stopping, asyncio.timeout(20):
            assert not stopping.is_set()
            signal.raise_signal(signal.SIGTERM)
            await stopping.wait()
        signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert heard == [signal.SIGTERM, signal.SIGTERM]


async def test_the_end_of_the_block_sets_the_event() -> None:
    async with stop_event() as stopping:
        assert not stopping.is_set()
    assert stopping.is_set()


async def test_outside_the_main_thread_no_signal_is_touched() -> None:
    async def inside() -> bool:
        async with stop_event() as stopping:
            handler = signal.getsignal(signal.SIGTERM)
        return stopping.is_set() and handler is signal.getsignal(signal.SIGTERM)

    assert await asyncio.to_thread(asyncio.run, inside())


async def test_what_cleans_up_is_not_broken_off_by_further_cancellations() -> None:
    inside, may_end, cleaned = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def clean() -> None:
        inside.set()
        await may_end.wait()
        cleaned.set()

    async def works() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await to_its_end(clean())

    task = asyncio.create_task(works())
    await asyncio.sleep(0)
    task.cancel()
    await inside.wait()
    for _ in range(3):
        task.cancel()
        await asyncio.sleep(0)
    assert not task.done()
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert cleaned.is_set()


async def test_what_fails_while_it_cleans_up_is_raised() -> None:
    async def clean() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await to_its_end(clean())
