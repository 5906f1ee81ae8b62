"""An installation of the last release is restored, upgraded, and asked for all that was in it.

`tests/migrations/release` holds what its own code made: the dump of its database, its storage and
its secrets, and in `known.json` what its API answered.
"""

import asyncio
import json
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
import pytest

from deploy.local.environment import ROOT
from deploy.local.postgresql import Cluster, prepare
from deploy.local.state import OWNER
from tests.support.backup import restore
from tests.support.imports import errors, finished, submit
from tests.support.profile import only_in_full
from tests.support.stack import RunningStack, running_stack

pytestmark = only_in_full
RELEASE = ROOT / "tests" / "migrations" / "release"


@pytest.fixture(scope="module")
def known() -> dict[str, Any]:
    known: dict[str, Any] = json.loads((RELEASE / "known.json").read_text())
    return known


@pytest.fixture(scope="module")
def cluster_of_its_own(state_folder: Path) -> Iterator[Cluster]:
    """The roles of the release have passwords of their own, so they need a server of their own."""
    folder = state_folder / "release-cluster"
    folder.mkdir()
    folder.chmod(0o755)
    cluster = prepare(folder, durable=False)
    cluster.initialise()
    cluster.start()
    yield cluster
    cluster.stop()


@pytest.fixture(scope="module")
def upgraded(
    state_folder: Path, tmp_path_factory: pytest.TempPathFactory, cluster_of_its_own: Cluster
) -> Iterator[RunningStack]:
    """This version's stack on the release's database, storage and secrets, as operators do it."""
    cluster, state = cluster_of_its_own, state_folder / "upgraded"
    state.mkdir()
    for name in ("secrets.json", "admin.json"):
        shutil.copy2(RELEASE / name, state / name)
    with tarfile.open(RELEASE / "storage.tar.gz") as archive:
        archive.extractall(state, filter="data")
    passwords: dict[str, str] = json.loads((state / "secrets.json").read_text())[
        "database_passwords"
    ]
    asyncio.run(_empty_database(cluster, passwords[OWNER]))
    url = cluster.url(user=OWNER, password=passwords[OWNER], database=OWNER)
    folder = tmp_path_factory.mktemp("dump")
    shutil.copy2(RELEASE / "tabularium.dump", folder)
    restore(cluster.binaries, url, folder, passwords=passwords)
    # What is in it grows older than anything is kept.
    kept = dict.fromkeys(("RUN_RETENTION_DAYS", "REJECTS_RETENTION_DAYS"), "36500")
    with running_stack(state, settings={"DATABASE_URL": url, **kept}) as stack:
        yield stack


async def _empty_database(cluster: Cluster, password: str) -> None:
    connection = await asyncpg.connect(cluster.url())
    await connection.execute(f"CREATE ROLE {OWNER} LOGIN CREATEROLE PASSWORD '{password}'")
    await connection.execute(f"CREATE DATABASE {OWNER} OWNER {OWNER}")
    await connection.close()


@pytest.fixture
def http(upgraded: RunningStack) -> Iterator[httpx2.Client]:
    with upgraded.signed_in() as http:
        yield http


def test_tables_and_records_are_as_they_were(http: httpx2.Client, known: dict[str, Any]) -> None:
    table = http.get("/api/tables/People").json()
    columns = [(one["name"], one["type"]) for one in table["columns"]]
    assert columns == [(one["name"], one["type"]) for one in known["table"]["columns"]]
    page = http.get("/api/tables/People/records?limit=1000&sort=id").json()["items"]
    assert page == known["records"]
    assert len(page) > 150
    number = page[0]["id"]
    record = http.get(f"/api/tables/People/records/{number}")
    headers = {"If-Match": record.headers["etag"]}
    path = f"/api/tables/People/records/{number}"
    assert http.patch(path, json={"balance": "7.00"}, headers=headers).status_code == 200
    assert http.patch(path, json={"balance": "8.00"}, headers=headers).status_code == 412
    before = {"balance": known["records"][0]["balance"]}
    assert http.patch(path, json=before).status_code == 200


def test_imports_keep_their_counts_reports_and_edges(
    http: httpx2.Client, known: dict[str, Any]
) -> None:
    for name, before in known["imports"].items():
        now = http.get(f"/api/imports/{before['id']}").json()
        assert now["state"] == before["state"], name
        counts = before["rows"]
        assert {key: now["rows"][key] for key in counts} == counts, name
    first = known["imports"]["first"]
    assert errors(http, first) == known["errors"]
    assert known["errors"]
    # Later versions begin the report with a byte order mark.
    report = http.get(first["links"]["rejects"]).text
    assert report.removeprefix("\ufeff") == known["rejects"].removeprefix("\ufeff")
    assert http.get("/api/etl/nightly/tables").json()["tables"] == known["edges"]["tables"]


def test_people_clients_and_grants_are_who_they_were(
    upgraded: RunningStack, known: dict[str, Any]
) -> None:
    with httpx2.Client(base_url=upgraded.url, trust_env=False, timeout=30) as http:
        answer = http.post("/api/token/", json=known["user"])
        assert answer.status_code == 200, answer.text
        bearer = {"Authorization": f"Bearer {answer.json()['access']}"}
        table = "/api/tables/People/records"
        assert http.get(table, headers=bearer).status_code == 200
        form = {
            "grant_type": "client_credentials",
            "client_id": known["client"]["id"],
            "client_secret": known["client"]["secret"],
        }
        token = http.post("/api/auth/token", data=form).json()["access_token"]
        bearer = {"Authorization": f"Bearer {token}"}
        assert http.get(table, headers=bearer).status_code == 200
        assert http.get("/api/tables/orders/records", headers=bearer).status_code == 404


def test_a_saved_password_still_opens(http: httpx2.Client, known: dict[str, Any]) -> None:
    # Nothing listens at its port, which is said only after the password was opened.
    answer = http.post(f"/api/sources/{known['source']['id']}/test")
    assert answer.json()["code"] == "source_away", answer.text


def test_what_is_new_works_on_what_is_old(http: httpx2.Client, known: dict[str, Any]) -> None:
    fresh = b"name,email,born\nFresh,fresh@example.com,2000-01-31\nBad,bad@example.com,never\n"
    done = finished(http, submit(http, "People", fresh))
    assert (done["state"], done["rows"]["loaded"], done["rows"]["rejected"]) == ("succeeded", 1, 1)
    assert done["id"] > max(one["id"] for one in known["imports"].values())
    undo = http.post(f"/api/imports/{done['id']}/undo")
    assert undo.status_code == 202, undo.text
    undone = finished(http, undo.json())
    assert (undone["state"], undone["deleted"]) == ("succeeded", 1)
    found = http.get("/api/tables/People/records?q=zoe&limit=1").json()
    assert found["items"]
    lineage = http.get("/api/catalog/lineage?table=People")
    assert lineage.status_code == 200, lineage.text
