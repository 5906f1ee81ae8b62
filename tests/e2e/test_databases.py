"""Other people's databases through real processes: rows into a table, tables into the catalog."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from typing import Any

import asyncpg
import httpx2
import pytest
import pytest_asyncio

from deploy.local.postgresql import Cluster
from tests.support.imports import finished
from tests.support.oracle import types
from tests.support.oracle.database import Account, Column, OracleDatabase, Table
from tests.support.oracle.server import OracleServer, oracle_server
from tests.support.stack import RunningStack

ORACLE_PASSWORD = "oracle-geheim"
ORDERS = """
CREATE SCHEMA IF NOT EXISTS sales;
CREATE TABLE sales.orders (id int, "Number" text NOT NULL, amount numeric(12,2), placed timestamptz,
  lines jsonb, note varchar(40));
INSERT INTO sales.orders SELECT n, 'N' || n, n / 100.0, '2024-01-01T12:00:00Z'::timestamptz,
  jsonb_build_object('n', n), repeat('x', n % 40) FROM generate_series(1, 20000) n
"""


@pytest.fixture(scope="module")
def http(stack: RunningStack) -> Iterator[httpx2.Client]:
    with stack.signed_in() as client:
        yield client


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def postgresql(cluster: Cluster) -> AsyncIterator[dict[str, Any]]:
    """Somebody's database, and the log-in for it."""
    superuser = await asyncpg.connect(cluster.url())
    await superuser.execute("CREATE ROLE reader LOGIN PASSWORD 'reader-geheim'")
    await superuser.execute("CREATE DATABASE shop OWNER reader")
    owner = await asyncpg.connect(cluster.url(database="shop"))
    await owner.execute(f"SET ROLE reader; {ORDERS}")
    await owner.close()
    yield {
        "kind": "postgresql",
        "host": "127.0.0.1",
        "port": cluster.port,
        "database": "shop",
        "user": "reader",
        "password": "reader-geheim",
    }
    await superuser.execute("DROP DATABASE shop WITH (FORCE)")
    await superuser.execute("DROP ROLE reader")
    await superuser.close()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def oracle() -> AsyncIterator[OracleServer]:
    columns = (
        Column("ID", types.number_(9)),
        Column("NAME", types.varchar2(40)),
        Column("BALANCE", types.number_(12, 2)),
        Column("BORN", types.DATE),
    )
    born = dt.datetime(1990, 1, 1)  # noqa: DTZ001 - Oracle's DATE has no zone
    rows = [(n, f"name {n}", Decimal(n) / 100, born) for n in range(1, 5001)]
    table = Table("ANN", "PEOPLE", columns, rows, estimated_rows=5000)
    database = OracleDatabase(accounts={"ANN": Account(ORACLE_PASSWORD)}, tables=[table])
    async with oracle_server(database) as server:
        yield server


def imported(http: httpx2.Client, **body: Any) -> dict[str, Any]:
    answer = http.post("/api/imports/database", json=body)
    assert answer.status_code == 202, answer.text
    done = finished(http, answer.json())
    assert done["state"] == "succeeded", done
    return done


def scanned(http: httpx2.Client, **body: Any) -> dict[str, Any]:
    answer = http.post("/api/data/database/", json=body)
    assert answer.status_code == 202, answer.text
    done = finished(http, answer.json())
    assert done["state"] == "succeeded", done
    tables: dict[str, Any] = http.get(f"/api/etl/{body['etl_name']}/tables/").json()
    return tables


async def test_a_postgresql_table_becomes_a_table_of_the_same_types(
    http: httpx2.Client, postgresql: dict[str, Any]
) -> None:
    done = await asyncio.to_thread(
        imported, http, source=postgresql, table="sales.orders", into="orders", create_table=True
    )
    assert done["rows"]["loaded"] == 20_000
    table = http.get("/api/tables/orders").json()
    assert [(column["name"], column["type"]) for column in table["columns"]] == [
        ("source_id", "INTEGER"),
        ("Number", "TEXT"),
        ("amount", "NUMERIC(12,2)"),
        ("placed", "TIMESTAMPTZ"),
        ("lines", "JSON"),
        ("note", "VARCHAR(40)"),
    ]
    (record,) = http.get("/api/tables/orders/records", params={"Number": "N150"}).json()["items"]
    assert (record["source_id"], record["lines"]) == (150, {"n": 150})


async def test_a_saved_source_feeds_the_same_table_again(
    http: httpx2.Client, postgresql: dict[str, Any]
) -> None:
    answer = http.post("/api/sources", json={"name": "shop", **postgresql})
    assert answer.status_code == 201, answer.text
    assert "reader-geheim" not in answer.text
    source_id = answer.json()["id"]
    assert http.post(f"/api/sources/{source_id}/test").json()["status"] == "ok"
    done = await asyncio.to_thread(
        imported,
        http,
        source_id=source_id,
        query='SELECT "Number", amount FROM sales.orders WHERE id <= 10',
        into="orders",
        mode="replace",
    )
    assert done["rows"]["loaded"] == 10
    assert http.delete(f"/api/sources/{source_id}").status_code == 204


async def test_an_oracle_table_becomes_a_table(http: httpx2.Client, oracle: OracleServer) -> None:
    source = {
        "kind": "oracle",
        "host": "127.0.0.1",
        "port": oracle.port,
        "service_name": "FREEPDB1",
        "user": "ann",
        "password": ORACLE_PASSWORD,
    }
    done = await asyncio.to_thread(
        imported, http, source=source, table="people", into="people", create_table=True
    )
    assert (done["rows"]["loaded"], done["etl_name"]) == (5000, "oracle://127.0.0.1/FREEPDB1")
    wrong = {**source, "password": "wrong"}
    answer = await asyncio.to_thread(
        http.post,
        "/api/imports/database",
        json={"source": wrong, "table": "people", "into": "others", "create_table": True},
    )
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["code"] == "wrong_log_in"


async def test_both_databases_enter_the_catalog(
    http: httpx2.Client, postgresql: dict[str, Any], oracle: OracleServer
) -> None:
    tables = await asyncio.to_thread(
        scanned,
        http,
        db_type="postgres",
        host="127.0.0.1",
        port=postgresql["port"],
        dbname="shop",
        user="reader",
        password="reader-geheim",
        etl_name="shop scan",
    )
    assert tables == {"name": "shop scan", "tables": [{"name": "orders", "schema": "sales"}]}
    tables = await asyncio.to_thread(
        scanned,
        http,
        db_type="oracle",
        dsn=f"127.0.0.1:{oracle.port}/FREEPDB1",
        user="ann",
        password=ORACLE_PASSWORD,
        etl_name="oracle scan",
    )
    assert tables == {"name": "oracle scan", "tables": [{"name": "PEOPLE", "schema": "ANN"}]}


async def test_the_stacks_own_database_is_no_source(
    http: httpx2.Client, stack: RunningStack
) -> None:
    owner = httpx2.URL(stack.facts["owner_url"])
    body = {
        "source": {
            "kind": "postgresql",
            "host": owner.host,
            "port": owner.port,
            "database": owner.path.strip("/"),
            "user": owner.username,
            "password": owner.password,
        },
        "table": "auth.users",
        "into": "stolen",
        "create_table": True,
    }
    answer = await asyncio.to_thread(http.post, "/api/imports/database", json=body)
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["code"] == "own_server"
