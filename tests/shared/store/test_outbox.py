"""Intents: delivered once their transaction is committed, tried until they are done."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import asyncpg
import pytest_asyncio
from sqlalchemy.ext.asyncio import AsyncEngine

from services.records.tables import BOOKS, outbox
from shared.store.engine import RawConnection, database_engine
from shared.store.outbox import Handler, Together, deliver_due
from shared.store.transaction import transaction
from tests.support.databases import Database


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def engine(module_database: Database) -> AsyncIterator[AsyncEngine]:
    url = module_database.url("records")
    async with database_engine(url, application_name="test") as engine:
        yield engine


@pytest_asyncio.fixture
async def look(module_database: Database) -> AsyncIterator[RawConnection]:
    connection = await asyncpg.connect(module_database.superuser_url)
    await connection.execute("TRUNCATE records.outbox")
    yield connection
    await connection.close()


async def intend(engine: AsyncEngine, *numbers: int) -> None:
    async with transaction(engine, BOOKS) as tx:
        for number in numbers:
            await tx.intend("count", {"number": number})


async def shift(look: RawConnection, interval: str) -> None:
    await look.execute(
        "UPDATE records.outbox SET next_attempt_at = next_attempt_at + $1::text::interval", interval
    )


class Counted:
    """A handler that fails so many times first."""

    def __init__(self, *, failures: int = 0) -> None:
        self.numbers: list[int] = []
        self._failures = failures

    async def __call__(self, payload: Mapping[str, Any]) -> None:
        if self._failures:
            self._failures -= 1
            raise ConnectionError("the peer is away")
        self.numbers.append(payload["number"])


async def test_intents_are_delivered_in_order_and_forgotten(
    engine: AsyncEngine, look: RawConnection
) -> None:
    await intend(engine, *range(50))
    counted = Counted()
    assert await deliver_due(engine, outbox, {"count": counted}) == 50
    assert counted.numbers == [*range(50)]
    assert await look.fetchval("SELECT count(*) FROM records.outbox") == 0


async def test_what_nobody_handles_stays(engine: AsyncEngine, look: RawConnection) -> None:
    await intend(engine, 1)
    assert await deliver_due(engine, outbox, {"other": Counted()}) == 0
    assert await look.fetchval("SELECT attempts FROM records.outbox") == 0


async def test_what_fails_is_tried_later_and_later(
    engine: AsyncEngine, look: RawConnection
) -> None:
    await intend(engine, 1)
    counted = Counted(failures=3)
    waits = []
    for _ in range(3):
        assert await deliver_due(engine, outbox, {"count": counted}) == 0
        assert await deliver_due(engine, outbox, {"count": counted}) == 0  # not due yet
        row = await look.fetchrow(
            "SELECT extract(epoch FROM next_attempt_at - now()) AS wait_s, last_error"
            " FROM records.outbox"
        )
        assert row is not None
        waits.append(float(row["wait_s"]))
        assert row["last_error"] == "ConnectionError: the peer is away"
        await look.execute("UPDATE records.outbox SET next_attempt_at = now()")
    assert waits == sorted(waits)
    assert waits[0] < 2 < waits[1] < 4 < waits[2] < 8
    assert await deliver_due(engine, outbox, {"count": counted}) == 1
    assert counted.numbers == [1]


async def test_two_processes_deliver_each_intent_once(
    engine: AsyncEngine, look: RawConnection
) -> None:
    await intend(engine, *range(100))
    both = Counted(), Counted()
    done = await asyncio.gather(*(deliver_due(engine, outbox, {"count": each}) for each in both))
    assert sum(done) == 100
    assert sorted(both[0].numbers + both[1].numbers) == [*range(100)]


async def test_what_a_process_died_with_is_delivered_by_the_next_one(
    engine: AsyncEngine, look: RawConnection
) -> None:
    await intend(engine, 1)
    started = asyncio.Event()

    async def hang(_payload: Mapping[str, Any]) -> None:
        started.set()
        await asyncio.Event().wait()

    dying = asyncio.create_task(deliver_due(engine, outbox, {"count": hang}))
    await started.wait()
    dying.cancel()
    await asyncio.wait([dying])
    counted = Counted()
    assert await deliver_due(engine, outbox, {"count": counted}) == 0
    await look.execute(
        "UPDATE records.outbox SET next_attempt_at = next_attempt_at - interval '60 s'"
    )
    assert await deliver_due(engine, outbox, {"count": counted}) == 1


async def test_a_clock_that_was_set_back_holds_no_intent_up(
    engine: AsyncEngine, look: RawConnection
) -> None:
    await intend(engine, 1)
    await deliver_due(engine, outbox, {"count": Counted(failures=1)})
    # What was put off two seconds ago lies an hour ahead.
    await look.execute(
        "UPDATE records.outbox SET next_attempt_at = next_attempt_at + interval '1 h'"
    )
    assert await deliver_due(engine, outbox, {"count": Counted()}) == 1


class Group(Counted):
    """Takes several intents at once; refuses groups that hold `poison`."""

    def __init__(self, *, poison: int | None = None) -> None:
        super().__init__()
        self.sizes: list[int] = []
        self._poison = poison

    async def take(self, payloads: Sequence[Mapping[str, Any]]) -> None:
        self.sizes.append(len(payloads))
        if self._poison in [payload["number"] for payload in payloads]:
            raise ValueError("it does not fit")
        for payload in payloads:
            await self(payload)


async def test_intents_are_delivered_together_where_the_handler_takes_them_so(
    engine: AsyncEngine, look: RawConnection
) -> None:
    await intend(engine, *range(45))
    group = Group()
    assert await deliver_due(engine, outbox, {"count": Together(group.take)}) == 45
    assert group.sizes == [20, 20, 5]
    assert group.numbers == [*range(45)]
    assert await look.fetchval("SELECT count(*) FROM records.outbox") == 0


async def test_one_that_fails_does_not_hold_up_those_it_was_delivered_with(
    engine: AsyncEngine, look: RawConnection
) -> None:
    await intend(engine, *range(5))
    group = Group(poison=2)
    assert await deliver_due(engine, outbox, {"count": Together(group.take)}) == 4
    assert group.numbers == [0, 1, 3, 4]
    assert group.sizes == [5, 1, 1, 1, 1, 1]
    rows = await look.fetch("SELECT payload->>'number' AS number, last_error FROM records.outbox")
    assert [tuple(row) for row in rows] == [("2", "ValueError: it does not fit")]


async def test_intents_of_several_kinds_keep_their_order(
    engine: AsyncEngine, look: RawConnection
) -> None:
    async with transaction(engine, BOOKS) as tx:
        for number, kind in enumerate(["many", "many", "count", "many"]):
            await tx.intend(kind, {"number": number})
    group = Group()
    handlers: dict[str, Handler | Together] = {"many": Together(group.take), "count": group}
    assert await deliver_due(engine, outbox, handlers) == 4
    assert group.numbers == [0, 1, 2, 3]
    assert group.sizes == [2, 1]
    assert await look.fetchval("SELECT count(*) FROM records.outbox") == 0
