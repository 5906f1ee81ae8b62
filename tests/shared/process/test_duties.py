"""A duty is done again and again: whatever its step raises, until its block ends."""

import asyncio
from dataclasses import dataclass, field

import asyncpg
import pytest
import structlog
from structlog.testing import capture_logs

from shared.errors import UnavailableError
from shared.process import duties
from shared.process.duties import Duty, on_duty

NEVER_S = 3600.0
PATIENCE_S = 20


@dataclass
class Steps:
    """Counts steps, and raises what it is given, one error a step."""

    errors: list[Exception] = field(default_factory=list)
    taken: int = 0
    step_taken: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def step(self) -> None:
        async with self.step_taken:
            self.taken += 1
            self.step_taken.notify_all()
        if self.errors:
            raise self.errors.pop(0)

    async def reach(self, count: int) -> None:
        async with asyncio.timeout(PATIENCE_S), self.step_taken:
            await self.step_taken.wait_for(lambda: self.taken >= count)


async def test_the_first_step_is_taken_at_once_and_more_follow() -> None:
    often, once = Steps(), Steps()
    async with on_duty(
        Duty("often", often.step, every_s=0), Duty("once", once.step, every_s=NEVER_S)
    ):
        await often.reach(3)
        await once.reach(1)
    assert once.taken == 1
    taken = often.taken
    await asyncio.sleep(0)
    assert often.taken == taken


async def test_a_wake_up_is_not_waited_out() -> None:
    steps, wake = Steps(), asyncio.Event()
    async with on_duty(Duty("sleepy", steps.step, every_s=NEVER_S, woken_by=wake)):
        for count in (1, 2, 3):
            await steps.reach(count)
            wake.set()


async def test_a_duty_that_rests_gathers_wake_ups() -> None:
    steps, wake = Steps(), asyncio.Event()
    async with on_duty(
        Duty("rests", steps.step, every_s=NEVER_S, woken_by=wake, rest_s=NEVER_S / 2)
    ):
        await steps.reach(1)
        wake.set()
        for _ in range(10):
            await asyncio.sleep(0)
        assert steps.taken == 1
    async with on_duty(Duty("rests", steps.step, every_s=NEVER_S, woken_by=wake, rest_s=0.01)):
        await steps.reach(2)
        wake.set()
        await steps.reach(3)


async def test_a_wake_up_during_a_step_makes_the_next_one_follow() -> None:
    wake, entered, go_on = asyncio.Event(), asyncio.Event(), asyncio.Event()
    taken = 0

    async def step() -> None:
        nonlocal taken
        taken += 1
        entered.set()
        await go_on.wait()

    async with on_duty(Duty("busy", step, every_s=NEVER_S, woken_by=wake)):
        await entered.wait()
        entered.clear()
        wake.set()
        go_on.set()
        async with asyncio.timeout(PATIENCE_S):
            await entered.wait()
    assert taken == 2


async def test_without_a_wake_up_the_time_counts() -> None:
    steps = Steps()
    async with on_duty(Duty("regular", steps.step, every_s=0.01, woken_by=asyncio.Event())):
        await steps.reach(3)


@pytest.mark.parametrize(
    ("error", "event"),
    [
        (ConnectionRefusedError("nobody there"), "duty_waits"),
        (asyncpg.AdminShutdownError("terminating connection"), "duty_waits"),
        (UnavailableError("a peer is away"), "duty_waits"),
        (LookupError("the queue is gone"), "duty_waits"),
        (KeyError("a mistake of ours"), "duty_failed"),
    ],
)
async def test_what_a_step_raises_is_logged_and_outlived(
    error: Exception, event: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A logger that was used under another configuration keeps it, and is not captured.
    monkeypatch.setattr(duties, "log", structlog.get_logger())
    bears = (LookupError,) if type(error) is LookupError else ()
    steps = Steps(errors=[error])
    with capture_logs() as lines:
        async with on_duty(Duty("clumsy", steps.step, every_s=0, bears=bears)):
            await steps.reach(2)
    (line,) = lines
    assert (line["event"], line["duty"]) == (event, "clumsy")
    # A mistake is logged with its trace, what is away is not.
    assert bool(line.get("exc_info")) is (event == "duty_failed")


async def test_at_the_end_a_step_is_cancelled_though_it_swallows_the_first_time() -> None:
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

    async with asyncio.timeout(PATIENCE_S), on_duty(Duty("deaf", deaf_at_first, every_s=0)):
        await running.wait()
    assert asked == 2


async def test_what_breaks_the_block_comes_out_as_it_is() -> None:
    with pytest.raises(ValueError, match="of the block"):
        async with on_duty(Duty("quiet", Steps().step, every_s=0)):
            raise ValueError("of the block")
