"""A task that is to end does end, though a library swallows that it was asked to."""

import asyncio

from shared.process.tasks import end


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
