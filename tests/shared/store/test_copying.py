"""COPY on connections that may end meanwhile."""

import asyncio
import time
import weakref
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress

import asyncpg
import pytest

from deploy.local import postgresql
from shared.away import is_away
from shared.store.copying import (
    NEXT_PIECE_S,
    ahead,
    copy_out,
    gathered,
    mapped,
    while_connected,
)
from shared.store.engine import database_pool
from tests.support.waiting import until

PIECE = b"x" * 65_535 + b"\n"
PATIENCE_S = 30


async def test_a_copy_ends_when_its_connection_does(cluster: postgresql.Cluster) -> None:
    """Also while it waits for a server that reads nothing, of which the driver tells nobody."""
    sent: asyncio.Queue[None] = asyncio.Queue()

    async def endless() -> AsyncIterator[bytes]:
        while True:
            sent.put_nowait(None)
            yield PIECE

    other = await asyncpg.connect(cluster.url())
    await other.execute("CREATE TABLE slowly_filled (line text)")
    async with database_pool(cluster.url(), application_name="test", size=1) as pool:
        async with pool.acquire() as connection, other.transaction():
            await other.execute("LOCK TABLE slowly_filled")  # so the server reads nothing
            pid = connection.get_server_pid()

            async def copy() -> None:
                async with while_connected(connection):
                    await connection.copy_to_table("slowly_filled", source=endless())

            copying = asyncio.create_task(copy())
            with suppress(TimeoutError):  # until the socket takes no more
                while True:
                    await asyncio.wait_for(sent.get(), 1)
            await other.execute("SELECT pg_terminate_backend($1)", pid)
            with pytest.raises(asyncpg.ConnectionDoesNotExistError) as raised:
                await asyncio.wait_for(copying, PATIENCE_S)
        assert is_away(raised.value)
        assert await pool.fetchval("SELECT 1") == 1
    await other.execute("DROP TABLE slowly_filled")
    await other.close()


async def test_what_ends_by_itself_is_left_alone(cluster: postgresql.Cluster) -> None:
    connection = await asyncpg.connect(cluster.url())
    async with while_connected(connection):
        assert await connection.fetchval("SELECT 1") == 1
    with pytest.raises(TimeoutError, match="of its own"):
        async with while_connected(connection):
            raise TimeoutError("of its own")
    await connection.close()


async def rest_of(pieces: AsyncIterator[bytes]) -> bytes:
    return b"".join([piece async for piece in pieces])


async def test_a_copy_out_comes_in_pieces_and_its_error_in_their_place(
    cluster: postgresql.Cluster,
) -> None:
    connection = await asyncpg.connect(cluster.url())
    numbers = "SELECT n FROM generate_series(1, $1) AS n"
    async with copy_out(connection, numbers, 100_000, format="csv") as pieces:
        copied = await rest_of(pieces)
    assert copied == b"".join(b"%d\n" % n for n in range(1, 100_001))
    broken = "SELECT 1 / (n - 50000) FROM generate_series(1, 60000) AS n"
    async with copy_out(connection, broken, format="csv") as pieces:
        assert await anext(pieces)
        with pytest.raises(asyncpg.DivisionByZeroError):
            await rest_of(pieces)
    assert await connection.fetchval("SELECT 1") == 1
    await connection.close()


@pytest.mark.parametrize("turns", range(12))
async def test_a_copy_out_that_is_left_ends_at_the_server(
    cluster: postgresql.Cluster, turns: int
) -> None:
    """At whatever moment: the connection, its transaction and its snapshot go on."""
    connection = await asyncpg.connect(cluster.url())
    endless = "SELECT repeat('x', 1000), generate_series(1, 1000000000)"
    async with connection.transaction():
        await connection.execute("SAVEPOINT copied")
        async with copy_out(connection, endless, format="csv") as pieces:
            assert await anext(pieces)
            for _ in range(turns):
                await asyncio.sleep(0)
        await connection.execute("ROLLBACK TO copied")
        assert await connection.fetchval("SELECT 1") == 1
    await connection.close()


async def test_a_piece_may_arrive_in_the_moment_in_which_a_copy_out_is_cancelled(
    cluster: postgresql.Cluster,
) -> None:
    connection = await asyncpg.connect(cluster.url())
    slow = "SELECT repeat('x', 9000), pg_sleep(0.5) FROM generate_series(1, 1000)"
    async with connection.transaction():
        await connection.execute("SAVEPOINT copied")
        async with copy_out(connection, slow, format="csv") as pieces:
            assert await anext(pieces)
            # Held up in the turn of the loop in which the wait for one more piece is over.
            asyncio.get_running_loop().call_later(NEXT_PIECE_S, time.sleep, 0.5)
        await connection.execute("ROLLBACK TO copied")
        assert await connection.fetchval("SELECT 1") == 1
    await connection.close()


async def test_a_server_that_falls_silent_in_a_copy_out_is_noticed(
    cluster: postgresql.Cluster,
) -> None:
    connection = await asyncpg.connect(cluster.url())
    with pytest.raises(TimeoutError):
        async with copy_out(connection, "SELECT pg_sleep(60)", silent_s=0.05) as pieces:
            await anext(pieces)
    assert await connection.fetchval("SELECT 1") == 1
    await connection.close()


class Numbers:
    """Counts to `end`, then raises."""

    def __init__(self, end: int) -> None:
        self.given = 0
        self.closed = False
        self._end = end

    def __aiter__(self) -> "Numbers":
        return self

    async def __anext__(self) -> int:
        if self.given == self._end:
            raise ZeroDivisionError
        self.given += 1
        return self.given

    async def aclose(self) -> None:
        self.closed = True


async def test_what_runs_ahead_goes_so_far_and_no_farther() -> None:
    numbers = Numbers(10)
    async with ahead(numbers, depth=3) as counted:
        assert await anext(counted) == 1
        await until("it is ahead", lambda: numbers.given >= 5)
        for _ in range(5):
            await asyncio.sleep(0)
        assert numbers.given == 5  # one taken, three in the queue, one waits for its place
    assert numbers.closed


class Row:
    """Something whose end can be seen."""


class Rows:
    """Rows that come when they are let through."""

    def __init__(self) -> None:
        self.given: list[weakref.ref[Row]] = []
        self.let_through = asyncio.Semaphore(0)

    def __aiter__(self) -> "Rows":
        return self

    async def __anext__(self) -> Row:
        await self.let_through.acquire()
        row = Row()
        self.given.append(weakref.ref(row))
        return row


async def test_one_item_waits_by_default_and_no_other_is_begun() -> None:
    numbers = Numbers(10)
    async with ahead(numbers) as counted:
        assert await anext(counted) == 1
        await until("it is ahead", lambda: numbers.given >= 2)
        for _ in range(5):
            await asyncio.sleep(0)
        assert numbers.given == 2


async def test_what_was_handed_on_is_kept_nowhere() -> None:
    async def same(row: Row) -> Row:
        return row

    rows = Rows()
    async with ahead(rows) as items:
        passed = mapped(same, items)
        rows.let_through.release()
        row = await anext(passed)
        assert rows.given[0]() is row
        del row
        # The source waits for its next one, and so does whoever takes them.
        waiting = asyncio.ensure_future(anext(passed))
        await until("it is gone", lambda: rows.given[0]() is None)
        rows.let_through.release()
        await waiting


async def test_what_ran_ahead_has_ended_for_good() -> None:
    async with ahead(rest(iter([1]))) as items:
        assert [item async for item in items] == [1]
        assert await anext(items, None) is None


async def rest(numbers: Iterator[int]) -> AsyncIterator[int]:
    for number in numbers:
        yield number


async def test_an_error_of_what_runs_ahead_comes_in_its_place() -> None:
    numbers = Numbers(2)
    async with ahead(numbers) as counted:
        assert [await anext(counted), await anext(counted)] == [1, 2]
        with pytest.raises(ZeroDivisionError):
            await anext(counted)
    assert numbers.closed


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        ([], []),
        ([b"ab"], [b"ab"]),
        ([b"ab", b"c", b"", b"d"], [b"abc", b"d"]),
        ([b"abcdef", b"gh", b"i"], [b"abcdef", b"ghi"]),
    ],
)
async def test_small_pieces_are_gathered(pieces: list[bytes], expected: list[bytes]) -> None:
    async def given() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece

    assert [piece async for piece in gathered(given(), 3)] == expected
