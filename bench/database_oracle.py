"""Rows of an Oracle test server, in a process of its own, into a table; and the driver alone."""

import asyncio
import datetime as dt
import itertools
import os
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from decimal import Decimal

import oracledb

from services.ingest.connections.domain import (
    Login,
    SourceKind,
    SourceTable,
    SourceTarget,
    SourceTimeouts,
)
from services.ingest.connections.guard import guard_of
from services.ingest.connections.oracle.session import oracle_session
from services.ingest.domain.options import ImportOptions
from services.ingest.load.load import load_source
from services.ingest.read.oracle.frames import BATCH_ROWS, OracleRows
from tests.ingest.load.loading import loader
from tests.support.databases import Database
from tests.support.oracle import types
from tests.support.oracle.database import Account, Column, OracleDatabase, Row, Table
from tests.support.oracle.responses import encoded_row
from tests.support.oracle.server import oracle_server

ROWS = int(os.environ.get("BENCH_ORACLE_ROWS", "500000"))
DIFFERENT = 5_000
"""So many rows differ; they are encoded once, so that the server costs as little as it can."""
PASSWORD = "only-for-benchmarks"
GUARD = guard_of(networks="127.0.0.0/8", ports="")
COLUMNS = (
    Column("name", types.varchar2(100)),
    Column("email", types.varchar2(100)),
    Column("born", types.DATE),
    Column("seen_at", types.timestamp()),
    Column("age", types.number_(9)),
    Column("amount", types.number_(12, 2)),
    Column("active", types.BOOLEAN),
    Column("city", types.varchar2(100)),
    Column("note", types.varchar2(100)),
    Column("points", types.number_(18)),
)


def row(number: int) -> Row:
    mixed = number * 2_654_435_761 % 4_294_967_296
    return (
        f"Person Number {mixed % 100_000}",
        f"user{number}@example{mixed % 97}.com",
        dt.datetime(1950, 1, 1) + dt.timedelta(days=mixed % 20_000),  # noqa: DTZ001
        dt.datetime(2020, 1, 1) + dt.timedelta(seconds=mixed % 100_000_000),  # noqa: DTZ001
        mixed % 90,
        Decimal(mixed % 100_000_000) / 100,
        mixed % 2 == 0,
        f"City {mixed % 5_000}",
        f'said "{mixed % 1_000_000}", then left',
        mixed * 1_000,
    )


async def serve() -> None:
    """Serve two tables until the process is ended; the port is written to stdout."""
    kinds = [column.type for column in COLUMNS]
    encoded = [encoded_row(kinds, row(number)) for number in range(DIFFERENT)]

    def people() -> Iterator[Row]:
        return itertools.islice(itertools.cycle(encoded), ROWS)

    table = Table("ANN", "PEOPLE", COLUMNS, people)
    database = OracleDatabase(accounts={"ANN": Account(PASSWORD)}, tables=[table])
    async with oracle_server(database) as server:
        print(server.port, flush=True)
        await asyncio.Event().wait()


@asynccontextmanager
async def server() -> AsyncIterator[Login]:
    """The test server in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.database_oracle", stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    port = int(await process.stdout.readline())
    target = SourceTarget(
        kind=SourceKind.ORACLE,
        host="127.0.0.1",
        port=port,
        user="ann",
        service_name="FREEPDB1",
    )
    try:
        yield Login(target, PASSWORD)
    finally:
        process.terminate()
        await process.wait()


@asynccontextmanager
async def connected(login: Login) -> AsyncIterator[oracledb.AsyncConnection]:
    connection = await oracledb.connect_async(
        user=login.target.user,
        password=login.password,
        host=login.target.host,
        port=login.target.port,
        service_name=login.target.service_name,
        stmtcachesize=0,
    )
    try:
        yield connection
    finally:
        await connection.close()


async def driver_arrow_s(login: Login) -> float:
    """The driver alone, to Arrow, in batches as the import has them; nothing is kept."""
    async with connected(login) as connection:
        began = time.perf_counter()
        count = 0
        batches = connection.fetch_df_batches(
            "SELECT * FROM people", size=BATCH_ROWS, fetch_decimals=True
        )
        async for batch in batches:  # type: ignore[attr-defined]
            count += batch.num_rows()
        assert count == ROWS
        return time.perf_counter() - began


async def driver_rows_s(login: Login) -> float:
    """The driver alone, to Python's rows."""
    async with connected(login) as connection:
        began = time.perf_counter()
        count = 0
        with connection.cursor() as cursor:
            cursor.arraysize = cursor.prefetchrows = BATCH_ROWS
            await cursor.execute("SELECT * FROM people")
            while rows := await cursor.fetchmany(BATCH_ROWS):
                count += len(rows)
        assert count == ROWS
        return time.perf_counter() - began


async def imported_s(login: Login, target: Database) -> float:
    """Seconds from the log-in to the commit."""
    async with loader(target) as ready:
        began = time.perf_counter()
        async with oracle_session(login, guard=GUARD, timeouts=SourceTimeouts()) as session:
            source = await OracleRows.opened(session, SourceTable(None, "people"))
            outcome = await load_source(source, ready.outside("people"), ImportOptions())
        took = time.perf_counter() - began
    assert outcome.rows.loaded == ROWS, outcome
    return took


if __name__ == "__main__":
    asyncio.run(serve())
