"""The real driver, thin and async, against the test server: both sides of what it can say."""

# ruff: noqa: DTZ001 - Oracle's DATE and TIMESTAMP have no zone

import asyncio
import datetime as dt
import itertools
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from zoneinfo import ZoneInfo

import oracledb
import pytest

from tests.support.oracle import types
from tests.support.oracle.database import (
    Account,
    Column,
    OracleDatabase,
    OracleError,
    Table,
)
from tests.support.oracle.login import Verifier
from tests.support.oracle.server import V19C, V23AI, OracleServer, oracle_server

MINUS_5_30 = dt.timezone(-dt.timedelta(hours=5, minutes=30))
EVERY_TYPE: list[tuple[types.OracleType, list[object]]] = [
    (types.number_(9), [0, 1, -1, 100, 999_999_999, -999_999_999]),
    (types.number_(12, 2), [Decimal("-1234567890.12"), Decimal("0.01"), Decimal(100)]),
    (types.number_(), [Decimal("9" * 38), Decimal("-1E-30"), Decimal("1E+40"), Decimal("0.1")]),
    (types.number_(5, -2), [Decimal(12300)]),
    (types.FLOAT, [Decimal("1.25")]),
    (types.varchar2(40), ["plain", "žluťoučký", "x" * 300, "☃" * 30_000]),
    (types.nvarchar2(40), ["žluť", "😀"]),
    (types.char_(3), ["abc"]),
    (types.nchar(3), ["čšž"]),
    (types.raw_(10), [b"\x00\xff"]),
    (types.DATE, [dt.datetime(2024, 2, 29, 23, 59, 58), dt.datetime(1, 1, 1)]),
    (types.timestamp(), [dt.datetime(1999, 12, 31, 1, 2, 3, 456_789)]),
    (types.TIMESTAMP_LTZ, [dt.datetime(2001, 1, 1, 1, 1, 1)]),
    (types.BINARY_FLOAT, [1.5, -1.5, 0.0, float("inf")]),
    (types.BINARY_DOUBLE, [1e300, -2.25, -0.0]),
    (types.INTERVAL_DS, [dt.timedelta(days=-3, seconds=-5), dt.timedelta(microseconds=7)]),
    (types.INTERVAL_YM, [(2, 3), (-2, -3)]),
    (types.BOOLEAN, [True, False]),
    (types.CLOB, ["short", "x" * 100_000]),
    (types.NCLOB, ["ž" * 70_000]),
    (types.BLOB, [b"\x01\x02" * 40_000]),
    (types.LONG, ["long"]),
    (types.LONG_RAW, [b"raw"]),
]


def database_of(*tables: Table) -> OracleDatabase:
    return OracleDatabase(
        accounts={
            "ANN": Account("geheim", Verifier.V12C),
            "BOB": Account("alt", Verifier.V11G),
            "EVE": Account("x", problem=OracleError(28000, "The account is locked.")),
        },
        tables=list(tables),
    )


def numbers(count: int) -> Table:
    return Table("ANN", "N", (Column("A", types.number_(9)),), [(i,) for i in range(count)])


@asynccontextmanager
async def logged_in(
    server: OracleServer, *, user: str = "ann", password: str = "geheim", **given: object
) -> AsyncIterator[oracledb.AsyncConnection]:
    options: dict[str, object] = {"service_name": "FREEPDB1"} | given
    connection = await oracledb.connect_async(
        user=user,
        password=password,
        host="127.0.0.1",
        port=server.port,
        stmtcachesize=0,
        **options,
    )
    try:
        yield connection
    finally:
        await connection.close()


def code_of(error: BaseException) -> str:
    return str(error.args[0].full_code)


@pytest.mark.parametrize(
    ("field_version", "fast_login", "end_of_response", "account"),
    [
        *itertools.product((V19C, V23AI), (True, False), (True, False), ("ann:geheim", "bob:alt")),
    ],
)
async def test_the_driver_logs_in_with_both_verifiers_in_every_dialect(
    field_version: int, fast_login: bool, end_of_response: bool, account: str
) -> None:
    user, password = account.split(":")
    async with (
        oracle_server(
            database_of(numbers(250)),
            field_version=field_version,
            fast_login=fast_login,
            end_of_response=end_of_response,
        ) as server,
        logged_in(server, user=user, password=password) as connection,
    ):
        assert connection.version.split(".")[0] == ("19" if field_version == V19C else "23")
        cursor = connection.cursor()
        await cursor.execute("SELECT a FROM ann.n ORDER BY a")
        assert [row[0] for row in await cursor.fetchall()] == list(range(250))
        with pytest.raises(oracledb.DatabaseError, match="ORA-00942"):
            await cursor.execute("SELECT * FROM nothing")
        await connection.ping()
        await connection.rollback()


@pytest.mark.parametrize("field_version", [V19C, V23AI])
async def test_every_type_arrives_as_it_was_given(field_version: int) -> None:
    tables = [
        Table("ANN", f"T{at}", (Column("V", type_),), [(None,), *((value,) for value in values)])
        for at, (type_, values) in enumerate(EVERY_TYPE)
    ]
    async with (
        oracle_server(database_of(*tables), field_version=field_version) as server,
        logged_in(server) as connection,
    ):
        for at, (type_, values) in enumerate(EVERY_TYPE):
            cursor = connection.cursor()
            await cursor.execute(f"SELECT v FROM t{at}", fetch_lobs=False, fetch_decimals=True)
            rows = [row[0] for row in await cursor.fetchall()]
            assert rows == [None, *values], type_.name


async def test_a_rowid_is_eighteen_letters_and_a_time_zone_gets_lost() -> None:
    noon = dt.datetime(2020, 1, 1, 12, tzinfo=MINUS_5_30)
    named = dt.datetime(2020, 1, 1, 12, tzinfo=ZoneInfo("Europe/Prague"))
    zoned = (Column("V", types.TIMESTAMP_TZ),)
    tables = (
        Table("ANN", "R", (Column("V", types.ROWID),), [((1, 2, 3, 4),)]),
        Table("ANN", "Z", zoned, [(noon,)]),
        Table("ANN", "P", zoned, [(named,)]),
    )
    async with (
        oracle_server(database_of(*tables)) as server,
        logged_in(server) as connection,
    ):
        cursor = connection.cursor()
        await cursor.execute("SELECT v FROM r")
        assert await cursor.fetchall() == [("AAAAABAACAAAAADAAE",)]
        await cursor.execute("SELECT v FROM z")
        assert await cursor.fetchall() == [(noon.replace(tzinfo=None),)]
        with pytest.raises(oracledb.Error, match="DPY-3022"):
            await connection.fetchall("SELECT v FROM p")
        await cursor.execute('SELECT SYS_EXTRACT_UTC("V") AS "V" FROM p')
        assert await cursor.fetchall() == [(dt.datetime(2020, 1, 1, 11),)]


async def test_parsing_describes_without_fetching() -> None:
    async with (
        oracle_server(database_of(numbers(3))) as server,
        logged_in(server) as connection,
    ):
        cursor = connection.cursor()
        await cursor.parse("SELECT a FROM n")
        assert [(d[0], d[4], d[5]) for d in cursor.description or ()] == [("A", 9, 0)]


async def test_queries_filter_order_and_nest() -> None:
    async with (
        oracle_server(database_of(numbers(10))) as server,
        logged_in(server) as connection,
    ):
        cursor = connection.cursor()
        await cursor.execute('SELECT "A" FROM (SELECT a FROM n WHERE a >= 7 AND a < :top) q', [9])
        assert await cursor.fetchall() == [(7,), (8,)]
        with pytest.raises(oracledb.DatabaseError, match="ORA-00904"):
            await cursor.execute("SELECT b FROM n")
        with pytest.raises(oracledb.DatabaseError, match="ORA-00900"):
            await cursor.execute("DROP TABLE n")


async def test_the_dictionary_lists_tables_and_columns() -> None:
    table = Table(
        "ANN", "T", (Column("A", types.number_(7, 2), nullable=False),), estimated_rows=12
    )
    async with (
        oracle_server(database_of(table)) as server,
        logged_in(server) as connection,
    ):
        cursor = connection.cursor()
        await cursor.execute(
            "SELECT owner, table_name, num_rows FROM all_tables WHERE owner NOT IN"
            " (SELECT username FROM all_users WHERE oracle_maintained = 'Y')"
        )
        assert await cursor.fetchall() == [("ANN", "T", 12)]
        await cursor.execute(
            "SELECT column_name, data_type, data_precision, data_scale, nullable"
            " FROM all_tab_columns WHERE owner = :1",
            ["ANN"],
        )
        assert await cursor.fetchall() == [("A", "NUMBER", 7, 2, "N")]


async def test_a_read_only_transaction_sees_one_state() -> None:
    database = database_of(numbers(3))
    async with oracle_server(database) as server, logged_in(server) as connection:
        cursor = connection.cursor()
        await cursor.execute("SET TRANSACTION READ ONLY")
        database.tables[0] = numbers(5)
        await cursor.execute("SELECT a FROM n")
        assert len(await cursor.fetchall()) == 3
        await connection.rollback()
        await cursor.execute("SELECT a FROM n")
        assert len(await cursor.fetchall()) == 5


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"password": "wrong"}, "ORA-01017"),
        ({"user": "nobody"}, "ORA-01017"),
        ({"user": "eve", "password": "x"}, "ORA-28000"),
        ({"service_name": "NOWHERE"}, "DPY-6001"),
        ({"service_name": None, "sid": "NOSID"}, "DPY-6003"),
    ],
)
async def test_a_bad_log_in_is_refused_with_oracles_own_code(
    given: dict[str, str], code: str
) -> None:
    async with oracle_server(database_of()) as server:
        with pytest.raises(oracledb.DatabaseError) as caught:
            async with logged_in(server, **given):
                pass
    assert code in str(caught.value)


async def test_a_sid_is_a_way_in_too() -> None:
    async with (
        oracle_server(database_of()) as server,
        logged_in(server, service_name=None, sid="FREE") as connection,
    ):
        assert connection.is_healthy()


async def test_a_listener_may_refuse_encrypt_or_be_too_old() -> None:
    async with oracle_server(database_of()) as server:
        server.faults.refuse = 12516
        with pytest.raises(oracledb.DatabaseError, match=r"(?s)DPY-6005.*DPY-6000.*12516"):
            await logged_in(server).__aenter__()
        server.faults.refuse = None
        server.faults.native_encryption = True
        with pytest.raises(oracledb.DatabaseError, match="DPY-3001"):
            await logged_in(server).__aenter__()
        server.faults.native_encryption = False
        server.faults.too_old = True
        with pytest.raises(oracledb.DatabaseError, match="DPY-3010"):
            await logged_in(server).__aenter__()


async def test_a_dropped_connection_is_a_lost_connection() -> None:
    async with oracle_server(database_of(numbers(5000))) as server:
        server.faults.drop_after_rows = 1000
        async with logged_in(server) as connection:
            cursor = connection.cursor()
            await cursor.execute("SELECT a FROM n")
            with pytest.raises(oracledb.DatabaseError, match="DPY-4011"):
                await cursor.fetchall()


async def test_an_error_may_come_in_the_middle_of_a_fetch() -> None:
    async with oracle_server(database_of(numbers(5000))) as server, logged_in(server) as connection:
        server.faults.error_after_rows = (1000, OracleError(1555, "snapshot too old"))
        cursor = connection.cursor()
        await cursor.execute("SELECT a FROM n")
        with pytest.raises(oracledb.DatabaseError, match="ORA-01555") as caught:
            await cursor.fetchall()
        assert code_of(caught.value) == "ORA-01555"


async def test_a_call_timeout_breaks_off_and_leaves_the_connection_usable() -> None:
    async with oracle_server(database_of(numbers(10))) as server, logged_in(server) as connection:
        connection.call_timeout = 50
        server.faults.silent_at = "execute"
        cursor = connection.cursor()
        with pytest.raises(oracledb.DatabaseError, match="DPY-4024"):
            await cursor.execute("SELECT a FROM n")
        server.faults.silent_at = None
        connection.call_timeout = 0
        await cursor.execute("SELECT a FROM n")
        assert len(await cursor.fetchall()) == 10


@pytest.mark.parametrize("point", ["connect", "login"])
async def test_a_silent_server_hangs_the_driver_until_somebody_else_ends_it(point: str) -> None:
    async with oracle_server(database_of()) as server:
        server.faults.silent_at = point
        server.reached[point] = asyncio.Event()
        waiting = asyncio.create_task(logged_in(server).__aenter__())
        await server.reached[point].wait()
        assert not waiting.done()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting


async def test_tls_is_spoken_and_an_unknown_certificate_refused(
    tls_server: ssl.SSLContext, tls_client: ssl.SSLContext
) -> None:
    async with oracle_server(database_of(numbers(3)), tls=tls_server) as server:
        async with logged_in(server, protocol="tcps", ssl_context=tls_client) as connection:
            cursor = connection.cursor()
            await cursor.execute("SELECT a FROM n")
            assert len(await cursor.fetchall()) == 3
        with pytest.raises(oracledb.DatabaseError, match="CERTIFICATE_VERIFY_FAILED"):
            await logged_in(server, protocol="tcps").__aenter__()
