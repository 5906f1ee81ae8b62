"""Tables and queries of an Oracle source, from the driver into a table of PostgreSQL.

With ORACLE_TEST_DSN set they run against a real Oracle, but for those that need its faults.
"""

# ruff: noqa: DTZ001 - Oracle's DATE and TIMESTAMP have no zone

import datetime as dt
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from zoneinfo import ZoneInfo

import polars as pl
import pytest
import pytest_asyncio

from services.ingest.connections.domain import (
    Selection,
    SourceQuery,
    SourceTable,
    SourceTimeouts,
)
from services.ingest.connections.errors import SourceAwayError, SourceUnusableError
from services.ingest.connections.guard import guard_of
from services.ingest.connections.oracle.session import OracleSession, oracle_session
from services.ingest.domain.options import ImportOptions
from services.ingest.domain.outcome import Outcome
from services.ingest.load.load import load_source
from services.ingest.plan.columns import plan_to_infer
from services.ingest.read.oracle.frames import BATCH_ROWS, FRAME_ROWS, OracleRows
from tests.ingest.load.loading import Column, Loader, columns
from tests.support.oracle import types
from tests.support.oracle.database import OracleError
from tests.support.oracle.place import OraclePlace, TestServerPlace, oracle_place

ANYWHERE = guard_of(networks="public,0.0.0.0/0,::/0", ports="")
REAL = bool(os.environ.get("ORACLE_TEST_DSN"))
USUAL = SourceTimeouts(log_in_s=8, answer_s=20)
faults_only_here = pytest.mark.skipif(REAL, reason="a real Oracle has no faults on demand")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def place() -> AsyncIterator[OraclePlace]:
    async with oracle_place() as found:
        yield found


@asynccontextmanager
async def session_of(
    place: OraclePlace, *, timeouts: SourceTimeouts = USUAL
) -> AsyncIterator[OracleSession]:
    async with oracle_session(place.login, guard=ANYWHERE, timeouts=timeouts) as session:
        yield session


async def read(place: OraclePlace, wanted: Selection) -> pl.DataFrame:
    async with session_of(place) as session:
        source = await OracleRows.opened(session, wanted)
        return pl.concat([frame.cells async for frame in source.frames(plan_to_infer(source))])


async def loaded(place: OraclePlace, load: Loader, wanted: Selection) -> Outcome:
    """Load into a table made for the source's columns, as `create_table` would."""
    async with session_of(place) as session:
        source = await OracleRows.opened(session, wanted)
        made = [
            Column(column.name, column.type.spelled())
            for column in source.columns
            if column.type is not None
        ]
        await load.make_table("t", made)
        return await load_source(source, load.outside("t"), ImportOptions())


NOON = dt.datetime(2020, 1, 1, 12, tzinfo=dt.timezone(-dt.timedelta(hours=5, minutes=30)))
PRAGUE = dt.datetime(2020, 7, 1, 12, tzinfo=ZoneInfo("Europe/Prague"))
FAST = {
    "I": (types.number_(9), -999_999_999, "INTEGER", -999_999_999),
    "B": (types.number_(18), 10**17, "BIGINT", 10**17),
    "N": (types.number_(12, 2), Decimal("-1234567890.10"), "NUMERIC(12,2)",
          Decimal("-1234567890.10")),
    "H": (types.number_(38, 0), Decimal("9" * 38), "NUMERIC(38,0)", Decimal("9" * 38)),
    "V": (types.varchar2(40), "žluťoučký ☃", "VARCHAR(40)", "žluťoučký ☃"),
    "NV": (types.nvarchar2(40), "😀", "VARCHAR(40)", "😀"),
    "C": (types.char_(3), "abc", "CHAR(3)", "abc"),
    "R": (types.raw_(10), b"\x00\xff", "BYTEA", b"\x00\xff"),
    "D": (types.DATE, dt.datetime(2024, 2, 29, 23, 59, 58), "TIMESTAMP",
          dt.datetime(2024, 2, 29, 23, 59, 58)),
    "TS": (types.timestamp(), dt.datetime(1, 1, 1, 1, 2, 3, 456_789), "TIMESTAMP",
           dt.datetime(1, 1, 1, 1, 2, 3, 456_789)),
    "TZ": (types.TIMESTAMP_TZ, NOON, "TIMESTAMPTZ", NOON),
    "TR": (types.TIMESTAMP_TZ, PRAGUE, "TIMESTAMPTZ", PRAGUE),
    "BF": (types.BINARY_FLOAT, 1.5, "REAL", 1.5),
    "BD": (types.BINARY_DOUBLE, -2.25, "DOUBLE PRECISION", -2.25),
    "CL": (types.CLOB, "x" * 100_000, "TEXT", "x" * 100_000),
    "NC": (types.NCLOB, "ž" * 40_000, "TEXT", "ž" * 40_000),
    "BL": (types.BLOB, b"\x01\x02" * 40_000, "BYTEA", b"\x01\x02" * 40_000),
}  # fmt: skip
SLOW = {
    "U": (types.number_(), Decimal("12345678901234567890.123456789012345678"), "NUMERIC",
          Decimal("12345678901234567890.123456789012345678")),
    "T": (types.number_(), Decimal("1E-30"), "NUMERIC", Decimal("1E-30")),
    "L": (types.number_(), Decimal("1E+40"), "NUMERIC", Decimal("1E+40")),
    "F": (types.FLOAT, Decimal("1.25"), "NUMERIC", Decimal("1.25")),
    "M": (types.number_(5, -2), Decimal(12300), "NUMERIC(7,0)", Decimal(12300)),
    "S": (types.number_(2, 5), Decimal("0.00012"), "NUMERIC(5,5)", Decimal("0.00012")),
    "I": (types.number_(9), 7, "INTEGER", 7),
    "N": (types.number_(12, 2), Decimal("0.10"), "NUMERIC(12,2)", Decimal("0.10")),
    "DS": (types.INTERVAL_DS, dt.timedelta(days=-3, seconds=-5, microseconds=-7), "INTERVAL",
           dt.timedelta(days=-3, seconds=-5, microseconds=-7)),
    "YM": (types.INTERVAL_YM, (2, 3), "INTERVAL", dt.timedelta(days=2 * 365 + 3 * 30)),
    "RI": (types.ROWID, (1, 2, 3, 4), "TEXT", "AAAAABAACAAAAADAAE"),
    "J": (types.JSON_TEXT, '{"a": 1.50}', "JSON", '{"a": 1.50}'),
    "T9": (types.timestamp(9), dt.datetime(1500, 1, 1, 1, 2, 3, 456_789), "TIMESTAMP",
           dt.datetime(1500, 1, 1, 1, 2, 3, 456_789)),
    "CL": (types.CLOB, "short", "TEXT", "short"),
}  # fmt: skip
ONLY_23AI = {
    "BO": (types.BOOLEAN, True, "BOOLEAN", True),
    "NO": (types.BOOLEAN, False, "BOOLEAN", False),
    "JS": (types.JSON, '{"a":[1,null]}', "JSON", '{"a": [1, null]}'),
}


@pytest.mark.parametrize(
    "given", [FAST, SLOW, ONLY_23AI, FAST | SLOW], ids=["arrow", "rows", "23ai", "mixed"]
)
async def test_every_type_lands_as_it_was(
    place: OraclePlace, load: Loader, given: dict[str, tuple[types.OracleType, object, str, object]]
) -> None:
    nulls = tuple(None for _ in given)
    columns = {name: type_ for name, (type_, *_) in given.items()}
    name = await place.put(columns, [tuple(value for _, value, _, _ in given.values()), nulls])
    outcome = await loaded(place, load, SourceTable(None, name))
    assert (outcome.rows.loaded, load.rejects.reasons) == (2, [])
    contract = await load.contract("t")
    assert {str(column.name): column.type.spelled() for column in contract.columns} == {
        name: spelled for name, (_, _, spelled, _) in given.items()
    }
    wanted = ", ".join(f'"{name}"' for name in given)
    first, second = await load.rows("t", wanted)
    assert dict(zip(given, first, strict=True)) == {
        name: value for name, (*_, value) in given.items()
    }
    assert second == nulls


async def test_many_rows_come_in_order_and_counted(place: OraclePlace) -> None:
    rows = [(number, f"name {number}") for number in range(2 * FRAME_ROWS + 500)]
    name = await place.put({"A": types.number_(9), "B": types.varchar2(20)}, list(rows))
    async with session_of(place) as session:
        source = await OracleRows.opened(session, SourceTable(None, name))
        frames = [frame async for frame in source.frames(plan_to_infer(source))]
    assert pl.concat([frame.cells for frame in frames]).rows() == rows
    lines = pl.concat([frame.lines for frame in frames])
    assert lines.equals(pl.int_range(1, len(rows) + 1, eager=True))
    assert [frame.cells.height for frame in frames] == [FRAME_ROWS, FRAME_ROWS, 500]


async def test_names_are_found_as_oracle_folds_them_or_as_they_are(place: OraclePlace) -> None:
    name = await place.put({"A": types.number_(9)}, [(1,)])
    user = place.login.target.user
    for wanted in (
        SourceTable(None, name.lower()),
        SourceTable(user.lower(), name.lower()),
        SourceTable(user.upper(), name),
        SourceTable(user, name, exact=True),
    ):
        assert (await read(place, wanted)).rows() == [(1,)]
    with pytest.raises(SourceUnusableError) as caught:
        await read(place, SourceTable(None, name.lower(), exact=True))
    assert caught.value.errors[0].code == "no_such_table"


async def test_a_query_is_read_like_a_table(place: OraclePlace) -> None:
    name = await place.put({"A": types.number_(9)}, [(1,), (2,), (3,)])
    for sql in (
        f"SELECT a FROM {name} WHERE a >= 2",
        f"SELECT a FROM {name} WHERE a >= 2;",
        f"SELECT a FROM {name} WHERE a >= 2 -- the later ones",
    ):
        assert (await read(place, SourceQuery(sql))).rows() == [(2,), (3,)]


@pytest.mark.parametrize("sql", ["SELECT 1 FROM dual; SELECT 2 FROM dual", "DROP TABLE x", "SELEC"])
async def test_what_is_no_single_query_is_refused(place: OraclePlace, sql: str) -> None:
    with pytest.raises(SourceUnusableError):
        await read(place, SourceQuery(sql))


async def test_all_readings_see_one_snapshot_even_after_one_was_broken_off(
    place: OraclePlace,
) -> None:
    rows: list[tuple[int]] = [(number,) for number in range(2 * FRAME_ROWS)]
    name = await place.put({"A": types.number_(9)}, list(rows))
    async with session_of(place) as session:
        source = await OracleRows.opened(session, SourceTable(None, name))
        first = aiter(source.frames(plan_to_infer(source)))
        await anext(first)
        await first.aclose()  # type: ignore[attr-defined]
        for _ in range(2):
            heights = [frame.cells.height async for frame in source.frames(plan_to_infer(source))]
            assert sum(heights) == len(rows)


async def test_u0000_is_taken_out_of_text(place: OraclePlace) -> None:
    name = await place.put({"A": types.varchar2(10)}, [("a\0b",)])
    assert (await read(place, SourceTable(None, name))).rows() == [("ab",)]


async def test_values_meet_the_types_of_a_table_that_is_there(
    place: OraclePlace, load: Loader
) -> None:
    midnight, noon = dt.datetime(2024, 2, 29), dt.datetime(2024, 2, 29, 12)
    name = await place.put(
        {
            "N": types.number_(9),
            "DAY": types.DATE,
            "FLAG": types.number_(1),
            "RAW": types.raw_(4),
            "AT": types.TIMESTAMP_TZ,
            "CLOCK": types.timestamp(),
        },
        [(1, midnight, 1, b"\x01", NOON, noon), (2, noon, 7, None, None, None), (None,) * 6],
    )
    made = columns(
        N="SMALLINT", DAY="DATE", FLAG="BOOLEAN", RAW="TEXT", AT="TIMESTAMPTZ", CLOCK="TIMESTAMPTZ"
    )
    await load.make_table("t", made)
    async with session_of(place) as session:
        source = await OracleRows.opened(session, SourceTable(None, name))
        await load_source(source, load.outside("t"), ImportOptions())
    assert await load.rows("t", '"N", "DAY", "FLAG", "RAW", "AT", "CLOCK"') == [
        (1, midnight.date(), True, "\\x01", NOON, noon.replace(tzinfo=dt.UTC)),
        (None,) * 6,
    ]
    assert load.rejects.reasons == [(2, "DAY", "type_mismatch"), (2, "FLAG", "type_mismatch")]


@faults_only_here
async def test_the_snapshot_is_the_servers(place: TestServerPlace) -> None:
    name = await place.put({"A": types.number_(9)}, [(1,)])
    async with session_of(place) as session:
        source = await OracleRows.opened(session, SourceTable(None, name))
        place.server.database.tables.clear()
        assert [frame.cells.height async for frame in source.frames(plan_to_infer(source))] == [1]


@faults_only_here
async def test_a_lost_connection_and_an_expired_snapshot_are_a_source_away(
    place: TestServerPlace,
) -> None:
    name = await place.put({"A": types.number_(9)}, [(number,) for number in range(50_000)])
    faults = place.server.faults
    faults.error_after_rows = (30_000, OracleError(1555, "snapshot too old"))
    with pytest.raises(SourceAwayError, match="as they were at the start"):
        await read(place, SourceTable(None, name))
    faults.error_after_rows = None
    faults.drop_after_rows = 30_000
    with pytest.raises(SourceAwayError, match="connection to the source was lost"):
        await read(place, SourceTable(None, name))
    faults.drop_after_rows = None


@faults_only_here
async def test_a_source_that_falls_silent_is_given_up(place: TestServerPlace) -> None:
    name = await place.put({"A": types.number_(9)}, [(1,)])
    place.server.faults.silent_at = "fetch"
    async with session_of(place, timeouts=SourceTimeouts(answer_s=1)) as session:
        source = await OracleRows.opened(session, SourceTable(None, name))
        place.server.faults.silent_at = "execute"
        with pytest.raises(SourceAwayError, match="did not answer"):
            await anext(source.frames(plan_to_infer(source)))
    place.server.faults.silent_at = None


@faults_only_here
async def test_a_source_that_drips_is_given_up(place: TestServerPlace) -> None:
    name = await place.put({"A": types.number_(9)}, [(n,) for n in range(100 * BATCH_ROWS)])
    timeouts = SourceTimeouts(answer_s=1, least_bytes_per_s=1e9)
    place.server.faults.pause_s = 0.1
    async with session_of(place, timeouts=timeouts) as session:
        source = await OracleRows.opened(session, SourceTable(None, name))
        with pytest.raises(SourceUnusableError, match="too slowly"):
            async for _frame in source.frames(plan_to_infer(source)):
                pass
    place.server.faults.pause_s = 0


@faults_only_here
async def test_a_column_that_cannot_be_read_is_named(place: TestServerPlace) -> None:
    vector = types.OracleType("VECTOR", 127, types.varchar2(1).encode, size=10)
    name = await place.put({"A": types.number_(9), "EMB": vector}, [])
    with pytest.raises(SourceUnusableError, match="column EMB is of the type VECTOR"):
        await read(place, SourceTable(None, name))
