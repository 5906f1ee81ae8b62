"""Former rows leave by the statement that changes them, under a lock, or beside the load."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from services.ingest.domain.former import FormerColumn
from services.ingest.domain.options import ImportOptions, Mode
from services.ingest.domain.run import ImportId
from services.ingest.load.former import IS_FORMER, beside, reading_beside
from services.ingest.load.outside import FormerStore
from services.ingest.load.staging import Staging
from services.ingest.load.target import Target
from services.ingest.work.attempt import LoadConnections
from shared.errors import StorageFullError
from tests.ingest.load.loading import LoadedTable, Loader, columns
from tests.support.waiting import until


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


@dataclass(frozen=True)
class Keeping(LoadedTable):
    """The outside of a load whose former rows are kept in memory."""

    kept: Kept = field(default_factory=Kept)

    @property
    def connections(self) -> LoadConnections:
        return LoadConnections(self.loader.pool)

    @property
    def former(self) -> Kept:  # type: ignore[override]
        return self.kept


async def copied(load: Loader, kept: Kept) -> list[tuple[object, ...]]:
    """The rows, read again by PostgreSQL."""
    async with load.owner.acquire() as connection, connection.transaction():
        await connection.execute(
            "CREATE TEMPORARY TABLE kept (id bigint, _import bigint, _version integer, a text,"
            " n integer) ON COMMIT DROP"
        )
        await connection.copy_to_table(
            "kept", source=_pieces(kept), format="binary", where=IS_FORMER
        )
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


async def replaced(load: Loader, kept: Kept) -> None:
    options = ImportOptions(mode=Mode.REPLACE)
    outside = Keeping(load, "t", ImportId(8), kept)
    outcome = await load.load("t", "a,n\nnew,9\n", options=options, outside=outside)
    assert (outcome.rows.deleted, outcome.rows.inserted) == (3, 1)
    assert await copied(load, kept) == [(1, 7, 1, "x", 1), (2, 7, 1, "y", 2), (3, 7, 1, "z", 3)]
    assert await load.rows("t", "_import, a, n") == [(8, "new", 9)]


async def test_a_replace_keeps_what_it_removes(load: Loader) -> None:
    await load.make_table("t", columns(a="TEXT UNIQUE", n="INTEGER"))
    await load.load("t", "a,n\nx,1\ny,2\nz,3\n")
    await replaced(load, Kept())


async def test_a_replace_keeps_rows_although_ddl_waits_for_it(load: Loader) -> None:
    await load.make_table("t", columns(a="TEXT UNIQUE", n="INTEGER"))
    await load.load("t", "a,n\nx,1\ny,2\nz,3\n")
    contract = await load.contract("t")
    async with load.pool.acquire() as connection, load.owner.acquire() as altering:
        transaction = connection.transaction()
        await transaction.start()
        target = Target(connection, contract)
        await target.lock(alone=True)
        ddl = asyncio.create_task(altering.execute("ALTER TABLE data.t ADD COLUMN later integer"))
        waits = "SELECT count(*) FROM pg_locks WHERE relation = $1 AND NOT granted"
        await until("the DDL waits", lambda: load.owner.fetchval(waits, contract.oid))
        async with reading_beside(load.pool, contract) as reader:
            assert reader is None
        kept = Kept()
        assert await target.empty_into(kept) == 3
        await transaction.commit()
        await ddl
    assert [row[0] for row in await copied(load, kept)] == [1, 2, 3]


async def test_a_load_that_fails_ends_what_is_kept_beside_it(load: Loader) -> None:
    standing = asyncio.Event()

    class Stuck(Kept):
        async def write(self, data: bytes) -> None:
            standing.set()
            await asyncio.Event().wait()

    async def failing() -> None:
        await standing.wait()
        raise StorageFullError("no room")

    await load.make_table("t", columns(a="TEXT UNIQUE", n="INTEGER"))
    await load.owner.execute(
        "INSERT INTO data.t (a, n) SELECT n, n FROM generate_series(1, 50000) n"
    )
    contract, connections = await load.contract("t"), LoadConnections(load.pool)

    async def replacing() -> None:
        async with connections.acquire() as connection:
            target = Target(connection, contract)
            async with reading_beside(connections, contract) as reader:
                assert reader is not None
                await beside(target.keep_all(reader, Stuck()), failing)

    with pytest.raises(StorageFullError):
        await replacing()
    assert len(await load.rows("t")) == 50_000


async def test_what_fails_beside_a_load_ends_it(load: Loader) -> None:
    class Full(Kept):
        async def write(self, data: bytes) -> None:
            raise StorageFullError("no room")

    await load.make_table("t", columns(a="TEXT UNIQUE", n="INTEGER"))
    await load.load("t", "a,n\nx,1\ny,2\nz,3\n")
    with pytest.raises(StorageFullError):
        await replaced(load, Full())
    assert await load.rows("t", "_import, a, n") == [(7, "x", 1), (7, "y", 2), (7, "z", 3)]
