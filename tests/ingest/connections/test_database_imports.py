"""Rows of other databases, from the request to the table."""

# ruff: noqa: DTZ001 - Oracle's DATE has no zone

import asyncio
import datetime as dt
from decimal import Decimal
from typing import Any

import asyncpg
import pytest
from redis.asyncio import Redis

from tests.ingest.connections.driving import ORACLE_PASSWORD, Elsewhere
from tests.ingest.driving import ANN
from tests.support.issuer import person
from tests.support.oracle import types
from tests.support.oracle.database import Column, Table
from tests.support.profile import only_in_full
from tests.support.waiting import until

CUSTOMERS = """
CREATE TABLE customers (name text NOT NULL, age int, joined date, seen timestamptz);
INSERT INTO customers SELECT 'name ' || n, n % 90, '2024-01-01'::date + n % 300,
  '2024-01-01T00:00:00Z'::timestamptz + n * '1 s'::interval FROM generate_series(1, 5000) n
"""


def oracle_people(count: int) -> Table:
    columns = (
        Column("ID", types.number_(9)),
        Column("NAME", types.varchar2(40)),
        Column("BALANCE", types.number_()),
        Column("BORN", types.DATE),
    )
    rows = [
        (n, f"name {n}", Decimal(n) / 100, dt.datetime(1990, 1, 1) + dt.timedelta(days=n % 9000))
        for n in range(1, count + 1)
    ]
    return Table("ANN", "PEOPLE", columns, rows, estimated_rows=count)


async def done(elsewhere: Elsewhere, import_: dict[str, Any]) -> dict[str, Any]:
    async with elsewhere.ingest.working():
        return await elsewhere.ingest.finished(import_)


async def test_a_postgresql_table_lands_in_a_table_made_for_it(elsewhere: Elsewhere) -> None:
    await elsewhere.owner.execute(CUSTOMERS)
    import_ = await elsewhere.submit(
        source=elsewhere.postgresql, table="public.customers", into="Customer", create_table=True
    )
    assert (import_["kind"], import_["table"], import_["state"]) == (
        "database", "Customer", "queued",
    )  # fmt: skip
    async with elsewhere.ingest.working():
        body = await elsewhere.ingest.finished(import_)
        (edge,) = await elsewhere.ingest.peers.wait_for_edges(1)
    assert edge.etl_name == f"postgresql://127.0.0.1/{elsewhere.database.name}"
    assert edge.read is not None
    port = elsewhere.postgresql["port"]
    assert edge.read.namespace == f"postgres://127.0.0.1:{port}/{elsewhere.database.name}"
    assert (edge.read.schema_name, edge.read.table_name) == ("public", "customers")
    assert edge.read.columns == {name: name for name in ("name", "age", "joined", "seen")}
    assert body["state"] == "succeeded", body
    assert body["rows"] == {
        "read": 5000, "loaded": 5000, "rejected": 0, "inserted": 5000, "updated": 0, "corrected": 0,
    }  # fmt: skip
    assert {entry["column"]: entry["type"] for entry in body["inferred"]} == {
        "name": "TEXT", "age": "INTEGER", "joined": "DATE", "seen": "TIMESTAMPTZ",
    }  # fmt: skip
    rows = await elsewhere.rows("Customer", "id, _import, name, age")
    assert rows[0] == (1, import_["id"], "name 1", 1)
    assert len(rows) == 5000


async def test_an_oracle_table_lands_in_a_table_made_for_it(elsewhere: Elsewhere) -> None:
    elsewhere.put(oracle_people(5000))
    import_ = await elsewhere.submit(
        source=elsewhere.oracle_source,
        table="ann.people",
        into="People",
        create_table=True,
        etl_name="nightly",
    )
    async with elsewhere.ingest.working():
        body = await elsewhere.ingest.finished(import_)
        (edge,) = await elsewhere.ingest.peers.wait_for_edges(1)
    assert edge.etl_name == "nightly"
    assert edge.read is not None
    assert (edge.read.schema_name, edge.read.table_name) == ("ANN", "PEOPLE")
    assert edge.read.columns["source_id"] == "ID"
    assert (body["state"], body["rows"]["loaded"]) == ("succeeded", 5000), body
    assert {entry["column"]: entry["type"] for entry in body["inferred"]} == {
        "source_id": "INTEGER", "NAME": "VARCHAR(40)", "BALANCE": "NUMERIC", "BORN": "TIMESTAMP",
    }  # fmt: skip
    assert (await elsewhere.rows("People", 'source_id, "NAME", "BALANCE", "BORN"'))[0] == (
        1, "name 1", Decimal("0.01"), dt.datetime(1990, 1, 2),
    )  # fmt: skip


async def test_names_that_differ_in_case_alone_meet(elsewhere: Elsewhere) -> None:
    elsewhere.put(oracle_people(3))
    await elsewhere.ingest.peers.make_table("people", {"name": "text", "balance": "numeric"})
    import_ = await elsewhere.submit(
        source=elsewhere.oracle_source,
        query="SELECT name, balance FROM people",
        into="people",
    )
    # One worker for both: one that stops may have claimed the edge, and the next waits for that.
    async with elsewhere.ingest.working():
        body = await elsewhere.ingest.finished(import_)
        (edge,) = await elsewhere.ingest.peers.wait_for_edges(1)
    assert (body["state"], body["rows"]["loaded"]) == ("succeeded", 3), body
    assert edge.read is None  # which tables a query reads is its own secret


@pytest.mark.parametrize("mode", ["append", "replace"])
async def test_rows_that_do_not_fit_are_refused_with_reasons(
    elsewhere: Elsewhere, mode: str
) -> None:
    await elsewhere.ingest.peers.make_table("people", {"name": "text NOT NULL", "age": "integer"})
    import_ = await elsewhere.submit(
        source=elsewhere.postgresql,
        query="VALUES ('Ann', '31'), (NULL, '5'), ('Bob', 'x'), ('Eve', '99999999999')",
        into="people",
        mapping={"column1": "name", "column2": "age"},
        mode=mode,
    )
    body = await done(elsewhere, import_)
    assert (body["state"], body["rows"]["loaded"], body["rows"]["rejected"]) == ("succeeded", 1, 3)
    errors = (await elsewhere.ingest.get(body["links"]["errors"])).json()["items"]
    assert [(item["line"], item["column"], item["code"]) for item in errors] == [
        (2, "column1", "not_null"),
        (3, "column2", "type_mismatch"),
        (4, "column2", "out_of_range"),
    ]
    rejects = (await elsewhere.ingest.get(body["links"]["rejects"])).text.splitlines()
    assert rejects[0] == "\ufeffcolumn1,column2,_line,_column,_code,_message,_raw"


@pytest.mark.parametrize(
    ("mode", "refused"),
    [
        ("append", {(1, "duplicate_in_table"), (3, "duplicate_in_file")}),
        ("replace", {(3, "duplicate_in_file")}),
    ],
)
async def test_duplicates_in_a_table_of_the_same_types_are_found_one_by_one(
    elsewhere: Elsewhere, mode: str, refused: set[tuple[int, str]]
) -> None:
    await elsewhere.ingest.peers.make_table("people", {"name": "text UNIQUE", "age": "integer"})
    await elsewhere.ingest.owner.execute("INSERT INTO data.people (name) VALUES ('Ann')")
    await elsewhere.owner.execute(
        "CREATE TABLE people (name text, age int);"
        "INSERT INTO people VALUES ('Ann', 1), ('Bob', 2), ('Bob', 3), ('Cid', 4)"
    )
    import_ = await elsewhere.submit(
        source=elsewhere.postgresql, table="people", into="people", mode=mode
    )
    body = await done(elsewhere, import_)
    assert (body["state"], body["rows"]["loaded"]) == ("succeeded", 4 - len(refused)), body
    errors = (await elsewhere.ingest.get(body["links"]["errors"])).json()["items"]
    assert {(item["line"], item["code"]) for item in errors} == refused


@only_in_full
@pytest.mark.parametrize("age", ["integer", "smallint"])
async def test_a_replace_locks_nothing_while_its_source_is_read(
    elsewhere: Elsewhere, age: str
) -> None:
    """Of the same types the rows pass through as they come; of others they are read."""
    await elsewhere.ingest.peers.make_table("people", {"name": "text", "age": age})
    await elsewhere.ingest.owner.execute("INSERT INTO data.people (name) VALUES ('Old')")
    await elsewhere.owner.execute(
        "CREATE TABLE people (name text, age int); INSERT INTO people VALUES ('Ann', 1), ('Bob', 2)"
    )
    await elsewhere.owner.execute("SELECT pg_advisory_lock(7)")
    import_ = await elsewhere.submit(
        source=elsewhere.postgresql,
        query="SELECT people.* FROM people, (SELECT pg_advisory_xact_lock_shared(7)) AS waits",
        into="people",
        mode="replace",
    )
    async with elsewhere.ingest.working():
        waiting = "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted)"
        await until("the source to be read", lambda: elsewhere.owner.fetchval(waiting))
        assert not await elsewhere.ingest.owner.fetch(
            "SELECT mode FROM pg_locks WHERE relation = 'data.people'::regclass"
            " AND pid <> pg_backend_pid()"
        )
        await elsewhere.ingest.owner.execute("INSERT INTO data.people (name) VALUES ('Late')")
        await elsewhere.owner.execute("SELECT pg_advisory_unlock(7)")
        body = await elsewhere.ingest.finished(import_)
    assert (body["state"], body["rows"]["loaded"]) == ("succeeded", 2), body
    assert await elsewhere.rows("people", "name, age") == [("Ann", 1), ("Bob", 2)]


async def test_an_oracle_table_replaces_every_record(elsewhere: Elsewhere) -> None:
    elsewhere.put(oracle_people(45_000))
    await elsewhere.ingest.peers.make_table("people", {"name": "text", "balance": "numeric"})
    await elsewhere.ingest.owner.execute("INSERT INTO data.people (name) VALUES ('Old')")
    import_ = await elsewhere.submit(
        source=elsewhere.oracle_source,
        query="SELECT name, balance FROM people",
        into="people",
        mode="replace",
    )
    body = await done(elsewhere, import_)
    assert (body["state"], body["rows"]["loaded"]) == ("succeeded", 45_000), body
    rows = await elsewhere.rows("people", "name, balance")
    assert rows == [(f"name {n}", Decimal(n) / 100) for n in range(1, 45_001)]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"mode": "upsert", "key": ["name"]}, {("Ann", 1), ("Bob", 2), ("Old", 9)}),
        ({"mode": "replace"}, {("Ann", 1), ("Bob", 2)}),
        ({"dry_run": True}, {("Old", 9)}),
    ],
)
async def test_the_modes_of_files_hold_for_databases(
    elsewhere: Elsewhere, options: dict[str, Any], expected: set[tuple[str, int]]
) -> None:
    await elsewhere.ingest.peers.make_table("people", {"name": "text UNIQUE", "age": "integer"})
    await elsewhere.ingest.owner.execute("INSERT INTO data.people (name, age) VALUES ('Old', 9)")
    import_ = await elsewhere.submit(
        source=elsewhere.postgresql,
        query="SELECT 'Ann'::text AS name, 1 AS age UNION ALL SELECT 'Bob', 2",
        into="people",
        **options,
    )
    body = await done(elsewhere, import_)
    assert (body["state"], body["rows"]["loaded"]) == ("succeeded", 2), body
    assert set(await elsewhere.rows("people", "name, age")) == expected


@only_in_full
async def test_an_oracle_that_is_lost_half_way_loads_nothing_and_is_tried_again(
    elsewhere: Elsewhere,
) -> None:
    elsewhere.put(oracle_people(60_000))
    faults = elsewhere.oracle.faults
    faults.drop_after_rows = 30_000
    import_ = await elsewhere.submit(
        source=elsewhere.oracle_source, table="people", into="People", create_table=True
    )
    async with elsewhere.ingest.working(retry_base_s=0.2):
        await elsewhere.ingest.until(
            "SELECT last_error LIKE '%connection to the source was lost%'"
            " FROM ingest.imports WHERE id = $1", import_["id"],
        )  # fmt: skip
        assert await elsewhere.ingest.count("People") == 0
        faults.drop_after_rows = None
        body = await elsewhere.ingest.finished(import_)
    assert (body["state"], body["rows"]["loaded"]) == ("succeeded", 60_000)
    assert body["attempt"] > 1
    assert await elsewhere.ingest.count("People") == 60_000


async def test_a_source_that_stays_away_ends_with_its_reason(elsewhere: Elsewhere) -> None:
    await elsewhere.owner.execute("CREATE TABLE brief (name text)")
    await elsewhere.ingest.peers.make_table("people", {"name": "text"})
    import_ = await elsewhere.submit(source=elsewhere.postgresql, table="brief", into="people")
    superuser = await asyncpg.connect(elsewhere.database.superuser_url)
    await superuser.execute("ALTER ROLE tabularium CONNECTION LIMIT 0")
    try:
        async with elsewhere.ingest.working(retry_base_s=0.01, max_attempts=2):
            body = await elsewhere.ingest.finished(import_)
    finally:
        await superuser.execute("ALTER ROLE tabularium CONNECTION LIMIT -1")
        await superuser.close()
    assert body["state"] == "failed"
    assert body["error"]["code"] == "attempts_exhausted"
    assert "no connection to spare" in body["error"]["detail"]


async def test_a_failed_import_can_be_tried_again(elsewhere: Elsewhere) -> None:
    await elsewhere.owner.execute("CREATE TABLE brief (name text); INSERT INTO brief VALUES ('a')")
    await elsewhere.ingest.peers.make_table("people", {"name": "text"})
    import_ = await elsewhere.submit(source=elsewhere.postgresql, table="brief", into="people")
    await elsewhere.owner.execute("ALTER TABLE brief RENAME TO away")
    async with elsewhere.ingest.working():
        body = await elsewhere.ingest.finished(import_)
        assert (body["state"], body["error"]["code"]) == ("failed", "source_unusable")
        assert "no such table" in body["error"]["detail"]
        await elsewhere.owner.execute("ALTER TABLE away RENAME TO brief")
        answer = await elsewhere.ingest.post(f"/api/imports/{import_['id']}/retry")
        assert answer.status_code == 202, answer.text
        body = await elsewhere.ingest.finished(import_)
    assert (body["state"], body["rows"]["loaded"]) == ("succeeded", 1)


async def test_the_same_import_twice_is_one(elsewhere: Elsewhere) -> None:
    await elsewhere.owner.execute("CREATE TABLE brief (name text)")
    await elsewhere.ingest.peers.make_table("people", {"name": "text"})
    body: dict[str, Any] = {
        "source": elsewhere.postgresql, "table": "brief", "into": "people",
    }  # fmt: skip
    first, second = await asyncio.gather(elsewhere.submit(**body), elsewhere.submit(**body))
    assert first["id"] == second["id"]
    other = await elsewhere.submit(**{**body, "table": "public.brief"})
    assert other["id"] != first["id"]
    assert await elsewhere.ingest.owner.fetchval("SELECT count(*) FROM ingest.reads") == 2


async def test_a_password_is_nowhere_to_be_read(
    elsewhere: Elsewhere, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    elsewhere.put(oracle_people(10))
    import_ = await elsewhere.submit(
        source=elsewhere.oracle_source, table="people", into="People", create_table=True
    )
    redis_url = elsewhere.ingest.settings.redis_url.get_secret_value()
    async with Redis.from_url(redis_url) as redis:
        for key in await redis.keys("*"):
            assert ORACLE_PASSWORD.encode() not in await redis.dump(key)
    kept = await elsewhere.ingest.owner.fetchrow("SELECT * FROM ingest.reads")
    assert kept is not None
    assert ORACLE_PASSWORD not in str(kept)
    assert kept["sealed_password"] is not None
    body = await done(elsewhere, import_)
    assert body["state"] == "succeeded"
    # Nobody needs it any more.
    assert await elsewhere.ingest.owner.fetchval("SELECT sealed_password FROM ingest.reads") is None
    told = await elsewhere.ingest.owner.fetch("SELECT * FROM audit.events")
    for text in (str(body), caplog.text, "".join(capsys.readouterr()), str([*map(dict, told)])):
        assert ORACLE_PASSWORD not in text


@only_in_full
async def test_passwords_of_dry_runs_and_of_old_failures_are_forgotten_too(
    elsewhere: Elsewhere,
) -> None:
    await elsewhere.owner.execute("CREATE TABLE brief (name text)")
    await elsewhere.ingest.peers.make_table("people", {"name": "text"})
    body: dict[str, Any] = {
        "source": elsewhere.postgresql, "table": "brief", "into": "people",
    }  # fmt: skip
    dry = await elsewhere.submit(**body, dry_run=True)
    await elsewhere.submit(**body, etl_name="failed long ago")
    young = await elsewhere.submit(**body, etl_name="failed just now")
    await elsewhere.ingest.owner.execute(
        "UPDATE ingest.imports SET state = 'failed', finished_at = now()"
        " - CASE WHEN id = $1 THEN '1 day' ELSE '8 days' END::interval WHERE id <> $2",
        young["id"], dry["id"],
    )  # fmt: skip
    kept = "SELECT array_agg(import_id) FROM ingest.reads WHERE sealed_password IS NOT NULL"
    async with elsewhere.ingest.working(housekeeping_s=0.05):
        assert (await elsewhere.ingest.finished(dry))["state"] == "succeeded"
        await elsewhere.ingest.until(f"SELECT ({kept}) = $1", [young["id"]])


async def test_only_who_may_write_the_table_imports_into_it(elsewhere: Elsewhere) -> None:
    await elsewhere.owner.execute("CREATE TABLE brief (name text)")
    await elsewhere.ingest.peers.make_table("people", {"name": "text"})
    reader, stranger = person("reader@example.com"), person("stranger@example.com")
    elsewhere.ingest.peers.readers.add(reader.sub)
    elsewhere.ingest.peers.strangers.add(stranger.sub)
    body = {"source": elsewhere.postgresql, "table": "brief", "into": "people"}
    for caller, status in ((reader, 403), (stranger, 404), (ANN, 202)):
        answer = await elsewhere.send("/api/imports/database", body, caller=caller)
        assert answer.status_code == status
