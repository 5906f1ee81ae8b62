"""Tables and queries of a PostgreSQL source, read as frames and passed through as binary COPY."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import polars as pl
import pytest
import pytest_asyncio

from services.ingest.connections.domain import (
    Login,
    Selection,
    SourceKind,
    SourceQuery,
    SourceTable,
    SourceTarget,
    SourceTimeouts,
)
from services.ingest.connections.errors import SourceAwayError, SourceUnusableError
from services.ingest.connections.guard import guard_of
from services.ingest.connections.postgresql.session import postgresql_session
from services.ingest.plan.columns import ColumnPlan, PlannedColumn, plan_to_infer
from services.ingest.read.frame import Frame
from services.ingest.read.postgresql.frames import PostgresqlRows
from shared.store.engine import RawConnection
from tests.ingest.load.loading import IMPORT_ID, a_type
from tests.support.databases import OWNER, PASSWORD, Database, drop_database, make_database

LOOPBACK = guard_of(networks="127.0.0.0/8", ports="")
Owner = RawConnection
USUAL = SourceTimeouts(answer_s=10)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def somewhere(template: Database) -> AsyncIterator[Database]:
    """Somebody's database, which is not ours."""
    database = await make_database(template.cluster, "somewhere")
    yield database
    await drop_database(database)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def owner(somewhere: Database) -> AsyncIterator[Owner]:
    connection = await asyncpg.connect(somewhere.url())
    yield connection
    await connection.close()


@asynccontextmanager
async def session_of(database: Database) -> AsyncIterator[RawConnection]:
    target = SourceTarget(
        kind=SourceKind.POSTGRESQL,
        host="127.0.0.1",
        port=database.cluster.port,
        user=OWNER,
        database=database.name,
    )
    async with postgresql_session(
        Login(target, PASSWORD), guard=LOOPBACK, timeouts=SourceTimeouts(), own_identity=None
    ) as session:
        yield session


async def opened(
    session: RawConnection, wanted: Selection, timeouts: SourceTimeouts = USUAL
) -> PostgresqlRows:
    return await PostgresqlRows.opened(session, wanted, timeouts=timeouts)


def names(source: PostgresqlRows) -> list[str]:
    return [column.name for column in source.columns]


def whole(source: PostgresqlRows) -> ColumnPlan:
    return plan_to_infer(source)


async def cells_of(source: PostgresqlRows) -> pl.DataFrame:
    return pl.concat([frame.cells async for frame in source.frames(whole(source))])


async def drained(frames: AsyncIterator[Frame]) -> None:
    async for _frame in frames:
        pass


async def test_every_type_comes_as_text_of_the_type_table(
    somewhere: Database, owner: Owner
) -> None:
    await owner.execute("""
        CREATE TABLE types (i2 smallint, i8 bigint, n numeric(10,2), bare numeric, r real,
          d double precision, b boolean, day date, t time, ts timestamp(3), tz timestamptz,
          iv interval, u uuid, j json, jb jsonb, by bytea, v varchar(5), c char(4), x text,
          a int[], net inet);
        INSERT INTO types VALUES (1, -9223372036854775808, 1.50, 12345678901234567890.123456789,
          0.1, 'NaN', true, '2024-02-29', '23:59:58.5', '2024-01-02 03:04:05.678',
          '2024-01-02 03:04:05.678901+05:30', '1 year 2 mons 3 days 04:05:06.7',
          '00112233-4455-6677-8899-aabbccddeeff', '{"a": 1}', '{"b": 2}', '\\x00ff', 'abc', 'ab',
          E'line\nbreak, "quoted"', '{1,2}', '10.0.0.1');
        INSERT INTO types (x) VALUES ('');
    """)
    async with session_of(somewhere) as session:
        source = await opened(session, SourceTable(None, "types"))
        assert [column.type and column.type.spelled() for column in source.columns] == [
            "SMALLINT", "BIGINT", "NUMERIC(10,2)", "NUMERIC", "REAL", "DOUBLE PRECISION",
            "BOOLEAN", "DATE", "TIME", "TIMESTAMP", "TIMESTAMPTZ", "INTERVAL", "UUID", "JSON",
            "JSON", "BYTEA", "VARCHAR(5)", "CHAR(4)", "TEXT", "TEXT", "TEXT",
        ]  # fmt: skip
        rows = (await cells_of(source)).rows()
    assert rows[0] == (
        "1", "-9223372036854775808", "1.50", "12345678901234567890.123456789", "0.1", "NaN",
        "true", "2024-02-29", "23:59:58.5", "2024-01-02 03:04:05.678",
        "2024-01-01 21:34:05.678901+00", "P1Y2M3DT4H5M6.7S",
        "00112233-4455-6677-8899-aabbccddeeff", '{"a": 1}', '{"b": 2}', "\\x00ff", "abc", "ab",
        'line\nbreak, "quoted"', "{1,2}", "10.0.0.1/32",
    )  # fmt: skip
    assert rows[1] == (*[None] * 18, "", None, None)


async def test_rows_are_counted_from_one_over_all_frames(somewhere: Database, owner: Owner) -> None:
    await owner.execute(
        "CREATE TABLE many AS SELECT n, repeat('x', 100) || chr(10) AS t"
        " FROM generate_series(1, 200000) AS n"
    )
    async with session_of(somewhere) as session:
        source = await opened(session, SourceTable("public", "many"))
        frames = [frame async for frame in source.frames(whole(source))]
    assert len(frames) > 2
    lines = pl.concat([frame.lines for frame in frames])
    assert lines.equals(pl.int_range(1, 200_001, eager=True))
    numbers = pl.concat([frame.cells["n"] for frame in frames]).cast(pl.Int64)
    assert numbers.sort().equals(pl.int_range(1, 200_001, eager=True))


async def test_a_lone_column_keeps_its_nulls(somewhere: Database, owner: Owner) -> None:
    await owner.execute("CREATE TABLE lone (a text); INSERT INTO lone VALUES ('x'), (NULL), ('')")
    async with session_of(somewhere) as session:
        cells = await cells_of(await opened(session, SourceTable(None, "lone")))
    assert cells.to_dict(as_series=False) == {"a": ["x", None, ""]}


async def test_names_are_found_as_they_are_or_as_postgresql_folds_them(
    somewhere: Database, owner: Owner
) -> None:
    await owner.execute('CREATE TABLE folded (a int); CREATE TABLE "Exact" (b int)')
    async with session_of(somewhere) as session:
        assert names(await opened(session, SourceTable("PUBLIC", "Folded"))) == ["a"]
        assert names(await opened(session, SourceTable(None, "Exact"))) == ["b"]
        with pytest.raises(SourceUnusableError) as caught:
            await opened(session, SourceTable(None, "Folded", exact=True))
    assert caught.value.errors[0].code == "no_such_table"


async def test_a_table_without_a_grant_is_told_as_such(somewhere: Database, owner: Owner) -> None:
    superuser = await asyncpg.connect(somewhere.superuser_url)
    await superuser.execute("CREATE TABLE secret (a int)")
    await superuser.close()
    async with session_of(somewhere) as session:
        with pytest.raises(SourceUnusableError) as caught:
            await opened(session, SourceTable(None, "secret"))
    assert caught.value.errors[0].code == "no_grant"


async def test_rows_that_a_policy_hides_are_no_silent_loss(
    somewhere: Database, owner: Owner
) -> None:
    await owner.execute(
        "CREATE TABLE tenants (a int); INSERT INTO tenants VALUES (1), (2);"
        "CREATE POLICY large ON tenants USING (a > 1);"
        "ALTER TABLE tenants ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY"
    )
    for selection in (SourceTable(None, "tenants"), SourceQuery("SELECT a FROM tenants")):
        async with session_of(somewhere) as session:
            with pytest.raises(SourceUnusableError, match="row security policy") as caught:
                await opened(session, selection)
        assert caught.value.errors[0].code == "row_security"
    await owner.execute("ALTER TABLE tenants NO FORCE ROW LEVEL SECURITY")
    async with session_of(somewhere) as session:
        cells = await cells_of(await opened(session, SourceTable(None, "tenants")))
    assert cells["a"].to_list() == ["1", "2"]


async def test_a_query_may_end_as_queries_do(somewhere: Database) -> None:
    async with session_of(somewhere) as session:
        for sql in ("SELECT 1 AS a", "SELECT 1 AS a;", "SELECT 1 AS a -- done", "VALUES (1)"):
            source = await opened(session, SourceQuery(sql))
            assert (await cells_of(source)).rows() == [("1",)]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1; SELECT 2",
        "SELECT 1) TO PROGRAM 'true' --",
        "SELECT 1) AS q; COMMIT; CREATE TABLE written (a int); SELECT (1",
        "SELECT nonsense FROM nowhere",
        "DELETE FROM many",
        "CREATE TABLE written (a int)",
        "COPY many TO STDOUT",
        "",
    ],
)
async def test_what_is_no_single_query_is_refused(somewhere: Database, sql: str) -> None:
    async with session_of(somewhere) as session:
        with pytest.raises(SourceUnusableError):
            await opened(session, SourceQuery(sql))


async def test_a_query_may_call_several_columns_alike(somewhere: Database) -> None:
    query = SourceQuery("SELECT 1 AS a, 'x' AS a, 3, true, 'y' AS \"a#2\"")
    async with session_of(somewhere) as session:
        source = await opened(session, query)
        headings = [column.heading for column in source.columns]
        assert headings == ["a", "a", "?column?", "?column?", "a#2"]
        assert names(source) == ["a", "#2", "?column?", "?column?#2", "a#2"]
        assert (await cells_of(source)).rows() == [("1", "x", "3", "true", "y")]


async def test_a_query_cannot_write(somewhere: Database, owner: Owner) -> None:
    await owner.execute(
        "CREATE TABLE written (a int);"
        " CREATE FUNCTION scribble() RETURNS int LANGUAGE sql AS"
        " 'INSERT INTO written VALUES (1) RETURNING a'"
    )
    async with session_of(somewhere) as session:
        source = await opened(session, SourceQuery("SELECT scribble()"))
        with pytest.raises(SourceUnusableError, match="read-only"):
            await cells_of(source)
    assert await owner.fetchval("SELECT count(*) FROM written") == 0


async def test_all_readings_see_one_snapshot_even_after_one_was_broken_off(
    somewhere: Database, owner: Owner
) -> None:
    await owner.execute("CREATE TABLE moving AS SELECT n FROM generate_series(1, 300000) AS n")
    async with session_of(somewhere) as session:
        source = await opened(session, SourceTable(None, "moving"))
        first = aiter(source.frames(whole(source)))
        await anext(first)
        await first.aclose()  # type: ignore[attr-defined]
        await owner.execute("DELETE FROM moving")
        assert (await cells_of(source)).height == 300_000
        assert (await cells_of(source)).height == 300_000


async def test_an_error_half_way_comes_with_its_reason(somewhere: Database) -> None:
    async with session_of(somewhere) as session:
        source = await opened(
            session, SourceQuery("SELECT 1 / (100000 - n) AS q FROM generate_series(1, 100000) n")
        )
        with pytest.raises(SourceUnusableError, match="division by zero"):
            await cells_of(source)


async def test_a_lost_connection_is_a_source_that_is_away(
    somewhere: Database, owner: Owner
) -> None:
    async with session_of(somewhere) as session:
        source = await opened(
            session, SourceQuery("SELECT n, repeat('x', 1000) FROM generate_series(1, 1000000) n")
        )
        frames = source.frames(whole(source))
        await anext(frames)
        await owner.execute("SELECT pg_terminate_backend($1)", session.get_server_pid())
        with pytest.raises(SourceAwayError):
            await drained(frames)


async def test_a_source_that_falls_silent_is_given_up(somewhere: Database) -> None:
    async with session_of(somewhere) as session:
        query = SourceQuery("SELECT pg_sleep(60)::text AS s")
        source = await opened(session, query, SourceTimeouts(answer_s=1))
        with pytest.raises(SourceAwayError, match="did not answer"):
            await cells_of(source)


async def test_a_source_that_drips_is_given_up_and_its_session_goes_on(somewhere: Database) -> None:
    dripping = SourceQuery(
        "SELECT repeat('x', 9000) AS x, pg_sleep(0.1)::text AS s FROM generate_series(1, 1000)"
    )
    async with session_of(somewhere) as session:
        source = await opened(
            session, dripping, SourceTimeouts(answer_s=1, least_bytes_per_s=1_000_000)
        )
        with pytest.raises(SourceUnusableError, match="too slowly"):
            await cells_of(source)
        assert await session.fetchval("SELECT 1") == 1


def planned(**types: str) -> ColumnPlan:
    columns = [PlannedColumn(name, name, a_type(spelled)) for name, spelled in types.items()]
    return ColumnPlan(tuple(columns), names=tuple(types), originals={})


async def test_same_and_wider_types_pass_through_and_others_do_not(
    somewhere: Database, owner: Owner
) -> None:
    await owner.execute(
        "CREATE TABLE passes (i int, v varchar(5), n numeric(6,2), r real, j json, t timestamptz)"
    )
    async with session_of(somewhere) as session:
        source = await opened(session, SourceTable(None, "passes"))
        for types in (
            {"i": "INTEGER", "v": "VARCHAR(5)", "n": "NUMERIC(6,2)", "t": "TIMESTAMPTZ"},
            {"i": "BIGINT", "v": "VARCHAR(9)", "n": "NUMERIC", "r": "DOUBLE PRECISION"},
            {"i": "NUMERIC", "v": "TEXT"},
        ):
            direct = source.copy(planned(**types), import_id=IMPORT_ID)
            assert direct is not None
            assert direct.columns == ("_import", *types)
        for types in (
            {"i": "SMALLINT"},
            {"v": "VARCHAR(4)"},
            {"n": "NUMERIC(5,2)"},
            {"t": "TIMESTAMP"},
            {"i": "TEXT"},
            {"j": "JSON"},  # jsonb would keep the last of two members of one name
        ):
            assert source.copy(planned(**types), import_id=IMPORT_ID) is None
