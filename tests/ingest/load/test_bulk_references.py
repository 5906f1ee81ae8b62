"""References of large files, looked at as a set: as PostgreSQL's own triggers would, row by row."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest
import pytest_asyncio

from services.ingest.load.append import SMALL_FILE_BYTES
from tests.ingest.load.loading import IMPORT_ID, Loader
from tests.ingest.load.ruled import Ruled
from tests.support.databases import Database

COUNTRIES = ("DE", "FR", "NO")
LINES = SMALL_FILE_BYTES // 10


@pytest_asyncio.fixture
async def ruled(load: Loader) -> AsyncIterator[Ruled]:
    ruled = Ruled(load)
    code = {"name": "code", "type": "TEXT", "unique": True}
    await ruled.make("country", code)
    await ruled.load("country", "code\n" + "\n".join(COUNTRIES) + "\n")
    reference = {"table": "country", "column": "code", "on_delete": "cascade"}
    city = {"name": "country", "type": "TEXT", "rules": {"references": reference}}
    await ruled.make("city", {"name": "name", "type": "TEXT"}, city)
    yield ruled
    await load.owner.execute("DELETE FROM records.tables")


def cities(*unknown: int) -> str:
    """A file that is too large to be small, with unknown countries on these lines."""
    rows = (
        f"city {line},{'XX' if line in unknown else COUNTRIES[line % 3]}"
        for line in range(2, LINES + 2)
    )
    return "name,country\n" + "\n".join(rows) + "\n"


@asynccontextmanager
async def loading(ruled: Ruled) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    async with ruled.loader.pool.acquire() as connection, connection.transaction():
        yield connection


async def oid_of(ruled: Ruled, table: str) -> int:
    return int(await ruled.loader.owner.fetchval("SELECT to_regclass('data.' || $1)::oid", table))


async def test_unknown_references_of_a_large_file_are_named(ruled: Ruled) -> None:
    outcome = await ruled.load("city", cities(3, 5000))
    assert ruled.reasons == [(line, "country", "unknown_reference") for line in (3, 5000)]
    assert (outcome.rows.inserted, outcome.rows.rejected) == (LINES - 2, 2)
    assert ruled.loader.rejects.restarts == 1  # PostgreSQL refused the first try as a whole


async def test_a_clean_large_file_is_loaded_at_once(ruled: Ruled) -> None:
    assert (await ruled.load("city", cities())).rows.inserted == LINES
    assert ruled.loader.rejects.restarts == 0
    # The triggers are back where the load is over.
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        await ruled.loader.pool.execute("INSERT INTO data.city (country) VALUES ('XX')")


async def test_what_is_referenced_stays_until_the_load_is_through(
    ruled: Ruled, module_database: Database
) -> None:
    oid = await oid_of(ruled, "city")
    other = await asyncpg.connect(module_database.url("ingest"))
    async with loading(ruled) as connection:
        assert await connection.fetchval("SELECT records.defer_references($1)", oid)
        await connection.execute(
            "INSERT INTO data.city (country, _import) VALUES ('NO', $1), (NULL, $1)", IMPORT_ID
        )
        await connection.execute("SELECT records.check_references($1, $2, 0)", oid, IMPORT_ID)
        assert await connection.fetchval("SHOW session_replication_role") == "origin"
        await other.execute("SET lock_timeout = '100ms'")
        with pytest.raises(asyncpg.LockNotAvailableError):
            await other.execute("DELETE FROM data.country WHERE code = 'NO'")
        await other.execute("DELETE FROM data.country WHERE code = 'FR'")
    await other.execute("DELETE FROM data.country WHERE code = 'NO'")
    assert await ruled.rows("city", "country") == [(None,)]
    await other.close()


async def test_the_check_refuses_as_the_constraint_would(ruled: Ruled) -> None:
    oid = await oid_of(ruled, "city")
    check = "SELECT records.check_references($1, $2, 0)"
    async with loading(ruled) as connection:
        await connection.fetchval("SELECT records.defer_references($1)", oid)
        await connection.execute(
            "INSERT INTO data.city (country, _import) VALUES ('XX', $1)", IMPORT_ID + 1
        )
        await connection.execute(check, oid, IMPORT_ID)  # another import's rows are not looked at
        with pytest.raises(asyncpg.ForeignKeyViolationError) as refused:
            await connection.execute(check, oid, IMPORT_ID + 1)
    assert refused.value.table_name == "city"
    assert refused.value.constraint_name.startswith("country_references_")
    assert "(country)=(XX) is not present" in refused.value.detail


async def test_a_trigger_of_somebody_is_never_kept_from_firing(ruled: Ruled) -> None:
    await ruled.loader.owner.execute(
        "CREATE FUNCTION data.shout() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN NEW.name := upper(NEW.name); RETURN NEW; END $$"
    )
    await ruled.loader.owner.execute(
        "CREATE TRIGGER shouting BEFORE INSERT ON data.city FOR EACH ROW"
        " EXECUTE FUNCTION data.shout()"
    )
    oid = await oid_of(ruled, "city")
    async with loading(ruled) as connection:
        assert not await connection.fetchval("SELECT records.defer_references($1)", oid)
    await ruled.load("city", cities(7))
    assert ruled.reasons == [(7, "country", "unknown_reference")]
    assert (await ruled.rows("city", "name"))[0] == ("CITY 2",)
    await ruled.loader.owner.execute("DROP FUNCTION data.shout() CASCADE")


async def test_other_tables_are_not_for_it(ruled: Ruled) -> None:
    oid = await ruled.loader.owner.fetchval("SELECT 'records.tables'::regclass::oid")
    assert not await ruled.loader.pool.fetchval("SELECT records.defer_references($1)", oid)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await ruled.loader.pool.execute("SET session_replication_role = 'replica'")
