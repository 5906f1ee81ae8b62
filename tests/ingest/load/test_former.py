"""Former rows leave by the statement that changes them, or under a lock before PostgreSQL 18."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from services.ingest.domain.former import FormerColumn
from services.ingest.load.outside import FormerStore
from services.ingest.load.staging import Staging
from services.ingest.load.target import Target
from tests.ingest.pipeline.loading import Loader, columns


@dataclass
class Kept(FormerStore):
    """Former rows in memory."""

    columns: tuple[FormerColumn, ...] = ()
    data: list[bytes] = field(default_factory=list)

    def begin(self, columns: tuple[FormerColumn, ...]) -> None:
        self.columns, self.data = columns, []

    async def write(self, data: bytes) -> None:
        self.data.append(data)

    def drop(self) -> None:
        self.data = []


async def copied(load: Loader, kept: Kept) -> list[tuple[object, ...]]:
    """The rows, read again by PostgreSQL."""
    async with load.owner.acquire() as connection, connection.transaction():
        await connection.execute(
            "CREATE TEMPORARY TABLE kept (id bigint, _import bigint, _version integer, a text,"
            " n integer) ON COMMIT DROP"
        )
        await connection.copy_to_table("kept", source=_pieces(kept), format="binary")
        rows = await connection.fetch("SELECT * FROM kept ORDER BY id")
    return [tuple(row) for row in rows]


async def _pieces(kept: Kept) -> AsyncIterator[bytes]:
    for piece in kept.data:
        yield piece


@pytest.mark.parametrize("returns_old", [True, False])
async def test_a_merge_keeps_what_it_overwrites(load: Loader, returns_old: bool) -> None:
    await load.make_table("t", columns(a="TEXT UNIQUE", n="INTEGER"))
    await load.load("t", "a,n\nx,1\ny,2\nz,3\n")
    kept, contract = Kept(), await load.contract("t")
    async with load.pool.acquire() as connection, connection.transaction():
        target = Target(connection, contract, returns_old=returns_old)
        await target.lock(alone=False)
        await Staging(connection, contract, ["a", "n"]).make()
        await connection.execute(
            "INSERT INTO import_rows (_line, a, n)"
            " VALUES (2, 'x', 10), (3, 'new', 20), (4, 'z', 30)"
        )
        assert await target.merge(["a", "n"], ["a"], 8, former=kept) == (1, 2)
    assert [column.name for column in kept.columns] == ["a", "n"]
    assert await copied(load, kept) == [(1, 7, 1, "x", 1), (3, 7, 1, "z", 3)]
    assert await load.rows("t", "_import, _version, a, n") == [
        (8, 2, "x", 10),
        (7, 1, "y", 2),
        (8, 2, "z", 30),
        (8, 1, "new", 20),
    ]


@pytest.mark.parametrize("returns_old", [True, False])
async def test_a_merge_of_new_rows_keeps_nothing(load: Loader, returns_old: bool) -> None:
    await load.make_table("t", columns(a="TEXT UNIQUE", n="INTEGER"))
    kept, contract = Kept(), await load.contract("t")
    async with load.pool.acquire() as connection, connection.transaction():
        target = Target(connection, contract, returns_old=returns_old)
        await Staging(connection, contract, ["a", "n"]).make()
        await connection.execute("INSERT INTO import_rows (_line, a, n) VALUES (2, 'x', 10)")
        assert await target.merge(["a", "n"], ["a"], 8, former=kept) == (1, 0)
    assert kept.data == []
