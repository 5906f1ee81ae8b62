"""Questions that several have at the same time."""

import asyncio

import pytest

from services.ingest.clients import Joint


class Oracle:
    """Answers when it is let, with how often it was asked."""

    def __init__(self, *, failures: int = 0) -> None:
        self.asked: list[str] = []
        self.may_answer = asyncio.Semaphore(0)
        self._failures = failures

    async def ask(self, question: str) -> str:
        self.asked.append(question)
        number = len(self.asked)
        await self.may_answer.acquire()
        if number <= self._failures:
            raise ConnectionError(question)
        return f"{question} {number}"


async def settled() -> None:
    """Everything that can go on has gone on."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_who_comes_while_a_question_is_on_its_way_shares_the_next_one() -> None:
    oracle = Oracle()
    joint = Joint(oracle.ask)
    first = asyncio.create_task(joint.answer("a"))
    await settled()
    later = [asyncio.create_task(joint.answer("a")) for _ in range(5)]
    await settled()
    assert oracle.asked == ["a"]
    oracle.may_answer.release()
    assert await first == "a 1"
    await settled()
    assert oracle.asked == ["a", "a"]
    last = asyncio.create_task(joint.answer("a"))
    oracle.may_answer.release()
    assert await asyncio.gather(*later) == ["a 2"] * 5
    oracle.may_answer.release()
    assert await last == "a 3"


async def test_other_questions_do_not_wait() -> None:
    oracle = Oracle()
    joint = Joint(oracle.ask)
    both = [asyncio.create_task(joint.answer(question)) for question in ("a", "b")]
    await settled()
    assert oracle.asked == ["a", "b"]
    for _ in both:
        oracle.may_answer.release()
    assert await asyncio.gather(*both) == ["a 1", "b 2"]


async def test_a_question_that_fails_fails_for_all_who_have_it_and_is_asked_again() -> None:
    oracle = Oracle(failures=2)
    joint = Joint(oracle.ask)
    tasks = [asyncio.create_task(joint.answer("a")) for _ in range(3)]
    await settled()
    for _ in range(2):
        oracle.may_answer.release()
    done = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(each) for each in done] == [ConnectionError] * 3
    oracle.may_answer.release()
    assert await joint.answer("a") == "a 3"


async def test_one_who_leaves_takes_the_question_from_nobody() -> None:
    oracle = Oracle()
    joint = Joint(oracle.ask)
    first, stays = (asyncio.create_task(joint.answer("a")) for _ in range(2))
    leaves = asyncio.create_task(joint.answer("a"))
    await settled()
    for task in (first, leaves):
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    for _ in range(2):
        oracle.may_answer.release()
    assert await stays == "a 2"
