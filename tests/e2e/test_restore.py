"""The drill of `docs/operations.md`: dumped, restored into a fresh cluster, asked through the API.

The new cluster gives every table another OID, and gives old OIDs to other tables.
"""

import asyncio
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
import pytest

from deploy.local.postgresql import Cluster, find_binaries, prepare
from deploy.local.state import OWNER
from tests.support.backup import dump, restore
from tests.support.imports import errors, finished, submit
from tests.support.profile import only_in_full
from tests.support.stack import RunningStack, running_stack
from tests.support.waiting import until_now

ROWS = b"name,email,born\nAnn,ann@x,1990-01-31\nBob,bob@x,1990-02-30\nEve,eve@x,1991-02-28\n"
FIELDS = {"name": "TEXT", "email": "TEXT UNIQUE", "born": "DATE"}


@pytest.fixture
def fresh(state_folder: Path) -> Iterator[Cluster]:
    """A cluster whose next OIDs are far from those of any other."""
    folder = state_folder / "restored-cluster"
    folder.mkdir()
    folder.chmod(0o755)
    cluster = prepare(folder, durable=False)
    cluster.initialise()
    cluster.start()
    yield cluster
    cluster.stop()


async def empty_database(cluster: Cluster, passwords: dict[str, str]) -> str:
    """An empty database in which other OIDs than before come next."""
    connection = await asyncpg.connect(cluster.url())
    await connection.execute(f"CREATE ROLE {OWNER} LOGIN CREATEROLE PASSWORD '{passwords[OWNER]}'")
    await connection.execute(f"CREATE DATABASE {OWNER} OWNER {OWNER}")
    await connection.close()
    url = cluster.url(user=OWNER, password=passwords[OWNER], database=OWNER)
    connection = await asyncpg.connect(cluster.url(database=OWNER))
    await connection.execute("CREATE TABLE public.burnt ()")
    for _ in range(50):
        await connection.execute("DROP TABLE public.burnt; CREATE TABLE public.burnt ()")
    await connection.close()
    return url


async def oid_of(url: str, table: str) -> int:
    connection = await asyncpg.connect(url)
    oid: int = await connection.fetchval("SELECT $1::text::regclass::oid::bigint", f"data.{table}")
    await connection.close()
    return oid


def filled(http: httpx2.Client) -> dict[str, Any]:
    """Tables, records, a grant and an import with a refused row; what is known of them."""
    for name in ("first", "people"):
        body = {"table_name": name, "fields": FIELDS}
        assert http.post("/api/create-table", json=body).status_code == 201
    change = {"alter": [{"name": "name", "searchable": True}]}
    assert http.patch("/api/tables/people", json=change).status_code == 200
    client = http.post(
        "/api/auth/clients", json={"name": "reader", "scopes": ["tables:read", "records:read"]}
    ).json()
    grant = http.put(f"/api/tables/people/grants/{client['id']}", json={"level": "viewer"})
    assert grant.status_code == 200, grant.text
    done = finished(http, submit(http, "people", ROWS))
    assert (done["rows"]["loaded"], done["rows"]["rejected"]) == (2, 1)
    ids = [each["id"] for each in http.get("/api/tables/people/records").json()["items"]]
    record = http.get(f"/api/tables/people/records/{ids[0]}")
    return {
        "client": client,
        "import": done,
        "ids": ids,
        "etag": record.headers["etag"],
        "table": http.get("/api/tables/people").json(),
        "rejects": http.get(done["links"]["rejects"]).text,
        "errors": errors(http, done),
    }


def _edges(http: httpx2.Client) -> Any:
    answer = http.get("/api/etl/rows.csv/tables")
    return answer.is_success and answer.json()


def check(http: httpx2.Client, known: dict[str, Any]) -> None:
    tables = http.get("/api/tables").json()["items"]
    assert [table["name"] for table in tables] == ["first", "people"]
    table = http.get("/api/tables/people").json()
    assert {**table, "estimated_rows": 0} == {**known["table"], "estimated_rows": 0}
    page = http.get("/api/tables/people/records").json()["items"]
    assert [each["id"] for each in page] == known["ids"]
    path = f"/api/tables/people/records/{known['ids'][0]}"
    assert http.get(path).headers["etag"] == known["etag"]
    changed = http.patch(path, json={"name": "Anna"}, headers={"If-Match": known["etag"]})
    assert changed.status_code == 200, changed.text
    added = http.post("/api/tables/people/records", json={"name": "New", "email": "new@x"})
    assert added.json()["id"] > max(known["ids"])
    grants = http.get("/api/tables/people/grants").json()["items"]
    assert [(each["identifier"], each["level"]) for each in grants] == [
        (known["client"]["id"], "viewer")
    ]
    done = known["import"]
    assert http.get(done["links"]["self"]).json()["rows"] == done["rows"]
    assert http.get(done["links"]["rejects"]).text == known["rejects"]
    assert errors(http, done) == known["errors"]
    edges = until_now("the edge is there", lambda: _edges(http))
    assert edges["tables"] == [{"name": "people", "schema": "data"}]
    again = finished(http, submit(http, "people", b"name,email,born\nZoe,zoe@x,\n"))
    assert (again["state"], again["rows"]["loaded"]) == ("succeeded", 1)
    column = {"table_name": "people", "column_name": "note", "column_type": "TEXT"}
    assert http.post("/api/add-column", json=column).status_code == 200
    assert http.delete("/api/tables/first").status_code == 204


def check_as_reader(http: httpx2.Client, client: dict[str, Any]) -> None:
    form = {
        "grant_type": "client_credentials",
        "client_id": client["id"],
        "client_secret": client["secret"],
    }
    token = http.post("/api/auth/token", data=form).json()["access_token"]
    bearer = {"Authorization": f"Bearer {token}"}
    assert http.get("/api/tables/people/records", headers=bearer).status_code == 200
    assert http.get("/api/tables/first/records", headers=bearer).status_code == 404


def moved(stack: RunningStack, state: Path) -> dict[str, str]:
    """Storage and secrets in a new state folder; the passwords of the database's roles."""
    state.mkdir()
    shutil.copytree(stack.state / "storage", state / "storage")
    for name in ("secrets.json", "admin.json"):
        shutil.copy2(stack.state / name, state / name)
    passwords: dict[str, str] = json.loads((state / "secrets.json").read_text())[
        "database_passwords"
    ]
    return passwords


@only_in_full
def test_a_restored_backup_is_whole(state_folder: Path, tmp_path: Path, fresh: Cluster) -> None:
    state = state_folder / "restored-state"
    with running_stack(state_folder / "dumped-state") as stack:
        with stack.signed_in() as http:
            known = filled(http)
        before = asyncio.run(oid_of(stack.facts["owner_url"], "people"))
        dump(find_binaries(), stack.facts["owner_url"], tmp_path)
        passwords = moved(stack, state)
    url = asyncio.run(empty_database(fresh, passwords))
    restore(fresh.binaries, url, tmp_path, passwords=passwords)
    assert asyncio.run(oid_of(url, "people")) != before
    with (
        running_stack(state, settings={"DATABASE_URL": url}) as stack,
        stack.signed_in() as http,
    ):
        check_as_reader(http, known["client"])
        check(http, known)
