"""Changing a table's shape: one transaction, rows that cannot follow, locks, other processes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import httpx2
import pytest

from services.records.main import create_app
from tests.records.conftest import Service, new_name, settings_for
from tests.support.issuer import Issuer
from tests.support.serving import serving
from tests.support.waiting import until


@asynccontextmanager
async def holding(
    service: Service, table: str, *, application_name: str, role: str = "ingest"
) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(
        service.database.url(role), server_settings={"application_name": application_name}
    )
    transaction = connection.transaction()
    await transaction.start()
    await connection.execute(f'LOCK TABLE data."{table}" IN ROW EXCLUSIVE MODE')
    try:
        yield connection
    finally:
        await connection.close()


async def columns(service: Service, table: str) -> dict[str, Any]:
    answer = await service.ann("GET", f"/api/tables/{table}")
    return {each["name"]: each for each in answer.json()["columns"]}


async def test_everything_in_one_transaction(service: Service) -> None:
    table, renamed = new_name(), new_name("Renamed")
    made = await service.ann.table(
        table,
        {"name": "a", "type": "TEXT", "default": "5"},
        {"name": "b", "type": "INT", "unique": True},
        "c DATE",
        "x TEXT",
        "y TEXT",
        {"name": "s", "type": "TEXT", "searchable": True},
    )
    await service.ann.insert(
        table, {"a": "12", "b": 1, "x": "x", "y": "y"}, {"a": "007", "b": 2, "x": "x", "y": "y"}
    )
    answer = await service.ann(
        "PATCH",
        f"/api/tables/{table}",
        {
            "rename": renamed,
            "description": "After",
            "drop": ["c"],
            "add": [
                {"name": "c", "type": "NUMERIC(5,2)", "nullable": False, "default": "1.10"},
                {"name": "d", "type": "TEXT", "description": "new", "searchable": True},
            ],
            "alter": [
                {"name": "a", "type": "INTEGER", "rename": "number", "nullable": False},
                {"name": "b", "unique": False, "default": 3, "description": "was unique"},
                {"name": "x", "rename": "y"},
                {"name": "y", "rename": "x"},
                {"name": "s", "searchable": False, "type": "JSON"},
            ],
        },
    )
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert (body["name"], body["description"]) == (renamed, "After")
    assert body["version"] == made["version"] + 1
    found = {each["name"]: each for each in body["columns"]}
    assert (found["number"]["type"], found["number"]["default"]) == ("INTEGER", 5)
    assert (found["b"]["unique"], found["b"]["default"]) == (False, 3)
    assert (found["c"]["type"], found["c"]["default"]) == ("NUMERIC(5,2)", 1.1)
    assert (found["d"]["searchable"], found["s"]["searchable"]) == (True, False)
    records = (await service.ann("GET", f"/api/tables/{renamed}/records")).json()["items"]
    assert [(each["number"], each["x"], each["y"], each["c"]) for each in records] == [
        (12, "y", "x", 1.10),
        (7, "y", "x", 1.10),
    ]
    assert (await service.ann("GET", f"/api/tables/{table}")).status_code == 404


@pytest.mark.parametrize(
    ("old", "values", "new", "stuck"),
    [
        ("TEXT", ["1", " 2 ", "x", "1_000", None], "INTEGER", [3, 4]),
        ("TEXT", ["2026-01-01", "today", "2026-02-30"], "DATE", [2, 3]),
        ("TEXT", ["1.10", "1.234", "9999"], "NUMERIC(4,2)", [2, 3]),
        ("TEXT", ["abc", "abcd"], "VARCHAR(3)", [2]),
        ("TEXT", ['{"a":1}', "{a}"], "JSON", [2]),
        ("TEXT", ["true", "2"], "BOOLEAN", [2]),
        ("INTEGER", [1, 40000], "SMALLINT", [2]),
        ("BIGINT", [1, 2], "TEXT", []),
        ("NUMERIC", ["1.50", "1.555"], "NUMERIC(10,2)", [2]),
        ("DOUBLE PRECISION", [1, 1.5], "INTEGER", [2]),
        ("TIMESTAMP", ["2026-01-01T00:00:00", "2026-01-01T10:00:00"], "DATE", [2]),
        ("TIMESTAMPTZ", ["2026-01-01T10:00:00Z"], "TIMESTAMP", []),
        ("DATE", ["2026-01-01"], "INTEGER", [1]),
        ("JSON", [{"a": 1}, 5], "TEXT", []),
        ("CHAR(5)", ["ab", "abcde"], "CHAR(3)", [2]),
        ("VARCHAR(5)", ["abcde"], "VARCHAR(9)", []),
    ],
)
async def test_a_type_is_changed_only_if_every_value_follows(
    service: Service, old: str, values: list[Any], new: str, stuck: list[int]
) -> None:
    table = new_name()
    await service.ann.table(table, f"v {old}")
    await service.ann.insert(table, *({"v": value} for value in values))
    answer = await service.ann(
        "PATCH", f"/api/tables/{table}", {"alter": [{"name": "v", "type": new}]}
    )
    if not stuck:
        assert answer.status_code == 200, answer.text
        assert (await columns(service, table))["v"]["type"] == new
        return
    assert (answer.status_code, answer.json()["code"]) == (409, "rows_in_the_way")
    named = [error["message"].split()[1] for error in answer.json()["errors"]]
    assert named == [str(each) for each in stuck]
    assert (await columns(service, table))["v"]["type"] == old


async def test_at_most_ten_rows_are_named(service: Service) -> None:
    table = new_name()
    await service.ann.table(table, "v TEXT")
    await service.ann.insert(table, *({"v": f"word {n}"} for n in range(30)))
    answer = await service.ann(
        "PATCH", f"/api/tables/{table}", {"alter": [{"name": "v", "type": "INT"}]}
    )
    assert len(answer.json()["errors"]) == 10
    assert answer.json()["errors"][0]["message"] == "record 1 holds 'word 0'"


@pytest.mark.parametrize(
    ("change", "field", "named"),
    [
        ({"alter": [{"name": "v", "nullable": False}]}, "alter.0.nullable", ["3"]),
        ({"alter": [{"name": "v", "unique": True}]}, "alter.0.unique", ["1", "2"]),
        ({"add": [{"name": "w", "type": "INT", "nullable": False}]}, "add.0", ["1", "2", "3"]),
        (
            {"add": [{"name": "w", "type": "INT", "unique": True, "default": 1}]},
            "add.0",
            ["1", "2", "3"],
        ),
    ],
)
async def test_rows_in_the_way_of_constraints(
    service: Service, change: dict[str, Any], field: str, named: list[str]
) -> None:
    table = new_name()
    await service.ann.table(table, "v TEXT")
    await service.ann.insert(table, {"v": "a"}, {"v": "a"}, {"v": None})
    answer = await service.ann("PATCH", f"/api/tables/{table}", change)
    assert (answer.status_code, answer.json()["code"]) == (409, "rows_in_the_way")
    errors = answer.json()["errors"]
    assert {error["field"] for error in errors} == {field}
    assert [error["message"].split()[1] for error in errors] == named


@pytest.mark.parametrize(
    ("change", "status", "field"),
    [
        ({"drop": ["nope"]}, 422, "drop.0"),
        ({"alter": [{"name": "nope", "type": "INT"}]}, 422, "alter.0.name"),
        ({"alter": [{"name": "v", "type": "NOPE"}]}, 422, "alter.0.type"),
        ({"alter": [{"name": "v", "rename": "_x"}]}, 422, "alter.0.rename"),
        ({"alter": [{"name": "v", "default": 5.5, "type": "INT"}]}, 422, "alter.0.default"),
        ({"alter": [{"name": "n", "searchable": True}]}, 422, "alter.0.searchable"),
        ({"alter": [{"name": "s", "type": "INT"}]}, 422, "alter.0.type"),
        ({"drop": ["v"], "alter": [{"name": "v", "type": "INT"}]}, 422, "alter.0.name"),
        ({"add": [{"name": "id", "type": "INT"}]}, 422, "add.0.name"),
        ({"rename": "1st"}, 422, "rename"),
        ({"add": [{"name": "v", "type": "INT"}]}, 409, None),
        ({"alter": [{"name": "v", "rename": "n"}]}, 409, None),
    ],
)
async def test_a_change_that_makes_no_sense_changes_nothing(
    service: Service, change: dict[str, Any], status: int, field: str | None
) -> None:
    table = new_name()
    await service.ann.table(
        table, "v TEXT", "n INTEGER", {"name": "s", "type": "TEXT", "searchable": True}
    )
    before = (await service.ann("GET", f"/api/tables/{table}")).json()
    answer = await service.ann(
        "PATCH", f"/api/tables/{table}", {**change, "description": "must not stay"}
    )
    assert answer.status_code == status, answer.text
    if field is not None:
        assert answer.json()["errors"][0]["field"] == field
    after = (await service.ann("GET", f"/api/tables/{table}")).json()
    assert after == {**before, "estimated_rows": after["estimated_rows"]}


async def test_a_table_that_an_import_holds_is_busy_and_the_import_is_named(
    service: Service,
) -> None:
    table = new_name()
    await service.ann.table(table, "v TEXT")
    async with holding(service, table, application_name="tabularium-ingest:import:42"):
        tries = await asyncio.gather(
            service.ann("PATCH", f"/api/tables/{table}", {"add": [{"name": "w", "type": "INT"}]}),
            service.ann("DELETE", f"/api/tables/{table}"),
            service.ann(
                "POST",
                "/api/add-column",
                {"table_name": table, "column_name": "z", "column_type": "INT"},
            ),
        )
        for answer in tries:
            assert (answer.status_code, answer.json()["code"]) == (409, "table_busy")
            assert "import 42" in answer.json()["detail"]
        assert (await service.ann("GET", f"/api/tables/{table}/records")).status_code == 200
    freed = await service.ann(
        "PATCH", f"/api/tables/{table}", {"add": [{"name": "w", "type": "INT"}]}
    )
    assert freed.status_code == 200


async def test_readers_are_not_stalled_while_a_change_waits(service: Service) -> None:
    table = new_name()
    await service.ann.table(table, "v TEXT")
    async with holding(service, table, application_name="someone else") as holder:
        change = asyncio.create_task(
            service.ann("PATCH", f"/api/tables/{table}", {"add": [{"name": "w", "type": "INT"}]})
        )
        reads = 0
        while not change.done() and reads < 5:
            answer = await service.ann("GET", f"/api/tables/{table}/records")
            assert answer.status_code == 200
            reads += 1
        assert reads == 5
        await holder.close()
        assert (await change).status_code == 200


async def test_a_transaction_in_postgresql_is_named_after_its_request(service: Service) -> None:
    table = new_name()
    await service.ann.table(table, "v TEXT")
    async with holding(service, table, application_name="someone else") as holder:
        superuser = await asyncpg.connect(service.database.superuser_url)
        change = asyncio.create_task(
            service.ann(
                "PATCH",
                f"/api/tables/{table}",
                {"add": [{"name": "w", "type": "INT"}]},
                headers={"X-Request-ID": "who-waits-here"},
            )
        )

        async def is_seen() -> bool:
            names = await superuser.fetch("SELECT application_name FROM pg_stat_activity")
            return "tabularium-records:who-waits-here" in [row[0] for row in names]

        await until("the transaction that waits carries the request's id", is_seen)
        await holder.close()
        assert (await change).status_code == 200
        assert not await is_seen()
        await superuser.close()


async def test_every_process_knows_a_change_as_soon_as_it_answered(
    service: Service, issuer: Issuer
) -> None:
    app = create_app(settings_for(service.database, issuer))
    async with serving(app) as url, httpx2.AsyncClient(base_url=url, trust_env=False) as http:
        other = Service(url=url, issuer=issuer, database=service.database, http=http).ann
        table = new_name()
        path = f"/api/tables/{table}/records"
        await service.ann.table(table, "a INTEGER")
        assert (await other("POST", path, {"a": 1})).status_code == 201
        for number in range(30):
            name = f"c{number}"
            added = await service.ann(
                "POST",
                "/api/add-column",
                {"table_name": table, "column_name": name, "column_type": "INT DEFAULT 7"},
            )
            assert added.status_code == 200, added.text
            if number % 3 == 0:
                written = await other("POST", path, {name: number})
                assert (written.status_code, written.json()[name]) == (201, number)
            elif number % 3 == 1:
                page = await other("GET", path, params={f"{name}__eq": "7"})
                assert {each[name] for each in page.json()["items"]} == {7}
            else:
                page = await other("GET", path)
                assert all(name in each for each in page.json()["items"])
        await service.ann(
            "PATCH",
            f"/api/tables/{table}",
            {
                "drop": ["c0"],
                "alter": [{"name": "a", "type": "TEXT"}, {"name": "c1", "rename": "c0"}],
            },
        )
        written = await other("POST", path, {"a": "a text now", "c0": 5})
        assert (written.status_code, written.json()["c0"]) == (201, 5)
        gone = await other("GET", path, params={"c1": "5"})
        assert (gone.status_code, gone.json()["code"]) == (422, "unknown_column")
        await service.ann("DELETE", f"/api/tables/{table}")
        await service.ann.table(table, "b DATE")
        assert (await other("POST", path, {"b": "2026-01-01"})).json()["id"] == 1
        await service.ann("DELETE", f"/api/tables/{table}")
        assert (await other("GET", path)).status_code == 404


async def test_grants_hold_in_every_process_at_once(service: Service, issuer: Issuer) -> None:
    app = create_app(settings_for(service.database, issuer))
    async with serving(app) as url, httpx2.AsyncClient(base_url=url, trust_env=False) as http:
        other = Service(url=url, issuer=issuer, database=service.database, http=http).bob
        table = new_name()
        path = f"/api/tables/{table}/records"
        await service.ann.table(table, "a INTEGER")
        await service.ann.insert(table, {"a": 1})
        for level, reads, writes in (
            ("viewer", 200, 403),
            ("editor", 200, 201),
            ("viewer", 200, 403),
            (None, 404, 404),
            ("editor", 200, 201),
        ):
            grant = f"/api/tables/{table}/grants/bob@example.com"
            if level is None:
                await service.ann("DELETE", grant)
            else:
                await service.ann("PUT", grant, {"level": level})
            assert (await other("GET", path)).status_code == reads
            assert (await other("POST", path, {"a": 2})).status_code == writes


async def test_a_grant_is_taken_while_its_table_goes(service: Service) -> None:
    table = new_name()
    await service.ann.table(table, "a INTEGER")
    grant = f"/api/tables/{table}/grants/bob@example.com"
    await service.ann("PUT", grant, {"level": "viewer"})
    connection = await asyncpg.connect(service.database.superuser_url)
    holding = connection.transaction()
    await holding.start()
    await connection.execute("DELETE FROM records.tables WHERE name = $1", table)
    taking = asyncio.create_task(service.ann("DELETE", grant))
    waiting = (
        "SELECT count(*) FROM pg_stat_activity WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid))"
    )
    await until("the call waits for the table's row", lambda: connection.fetchval(waiting))
    await holding.commit()
    answer = await taking
    assert (answer.status_code, answer.json()["code"]) == (404, "table_not_found")
    await connection.close()


async def test_two_changes_at_once_are_both_made(service: Service) -> None:
    table = new_name()
    await service.ann.table(table, "a INTEGER")
    answers = await asyncio.gather(
        *(
            service.ann(
                "PATCH", f"/api/tables/{table}", {"add": [{"name": f"n{number}", "type": "INT"}]}
            )
            for number in range(4)
        )
    )
    assert [answer.status_code for answer in answers] == [200] * 4
    assert set(await columns(service, table)) == {"a", "n0", "n1", "n2", "n3"}


async def test_a_view_of_somebody_elses_stands_in_the_way(service: Service) -> None:
    table = new_name()
    await service.ann.table(table, "a INTEGER")
    connection = await asyncpg.connect(service.database.url("records"))
    await connection.execute(f'CREATE VIEW data."_v{table}" AS SELECT a FROM data."{table}"')
    for method, body in (("PATCH", {"drop": ["a"]}), ("DELETE", None)):
        answer = await service.ann(method, f"/api/tables/{table}", body)
        assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    await connection.close()
