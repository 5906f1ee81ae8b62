"""Saved sources: kept, tried, used and forgotten by whom they belong to; and the key changed."""

import asyncio
import base64
from typing import Any

import asyncpg
import pytest
from pydantic import SecretStr

from services.ingest.rotate import Rotated, rotate
from shared.contracts.auth import Role, Scope
from shared.security.sealing import Keyring, SealBrokenError
from shared.store.engine import database_engine
from tests.ingest.connections.driving import KEY, Elsewhere
from tests.ingest.driving import ANN
from tests.support.databases import PASSWORD
from tests.support.issuer import machine, person
from tests.support.waiting import until

BOB = person("bob@example.com")
ADMIN = person("admin@example.com", role=Role.ADMIN)


async def saved(elsewhere: Elsewhere, **changes: Any) -> dict[str, Any]:
    answer = await elsewhere.send(
        "/api/sources", {"name": "crm", **elsewhere.postgresql, **changes}
    )
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    assert answer.headers["location"] == f"/api/sources/{body['id']}"
    return body


async def test_a_field_is_named_as_it_was_sent(elsewhere: Elsewhere) -> None:
    bad = {**elsewhere.postgresql, "password": "a\0b", "shoe": 1}
    answer = await elsewhere.send("/api/sources", {"name": "crm", **bad})
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["password", "shoe"]
    answer = await elsewhere.send(
        "/api/imports/database", {"source": bad, "table": "brief", "into": "T"}
    )
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [
        "source.password",
        "source.shoe",
    ]


async def test_a_source_is_kept_without_its_password_showing(elsewhere: Elsewhere) -> None:
    source = await saved(elsewhere)
    assert (source["name"], source["kind"], source["owner"]) == (
        "crm", "postgresql", "ann@example.com",
    )  # fmt: skip
    listed = await elsewhere.ingest.get("/api/sources")
    assert listed.json() == {"items": [source], "next": None}
    assert PASSWORD not in listed.text
    row = await elsewhere.ingest.owner.fetchrow("SELECT * FROM ingest.sources")
    assert row is not None
    assert PASSWORD.encode() not in row["sealed_password"]
    assert (
        Keyring(KEY, setting="SOURCE_KEYS").open(
            row["sealed_password"], row=f"ingest.sources:{row['id']}"
        )
        == PASSWORD
    )


WAITING = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock'"""


async def test_previews_of_one_subject_leave_a_place_to_others(elsewhere: Elsewhere) -> None:
    source = await saved(elsewhere)
    await elsewhere.owner.execute("CREATE TABLE held (a int)")
    place = elsewhere.postgresql
    holder = await asyncpg.connect(
        host=place["host"],
        port=place["port"],
        user=place["user"],
        password=place["password"],
        database=place["database"],
    )
    transaction = holder.transaction()
    await transaction.start()
    await holder.execute("LOCK TABLE held IN ACCESS EXCLUSIVE MODE")
    body = {"source_id": source["id"], "query": "SELECT a FROM held"}
    looks = [asyncio.create_task(elsewhere.send("/api/previews", body)) for _ in range(3)]
    await until("a preview waits", lambda: elsewhere.owner.fetchval(WAITING))
    answer = await elsewhere.ingest.http.post(
        "/api/previews",
        headers=elsewhere.ingest.issuer.bearer(BOB),
        files={"file": ("people.csv", b"name\nAnn\n")},
    )
    assert answer.status_code == 200, answer.text
    assert await elsewhere.owner.fetchval(WAITING) <= 1
    await transaction.rollback()
    await asyncio.gather(*looks)
    await holder.close()


async def test_a_name_is_taken_once_per_owner(elsewhere: Elsewhere) -> None:
    await saved(elsewhere)
    answer = await elsewhere.send("/api/sources", {"name": "crm", **elsewhere.postgresql})
    assert (answer.status_code, answer.json()["code"]) == (409, "source_name_taken")
    body = {"name": "crm", **elsewhere.postgresql}
    answer = await elsewhere.send("/api/sources", body, caller=BOB)
    assert answer.status_code == 201


async def test_lists_are_paged(elsewhere: Elsewhere) -> None:
    for number in range(3):
        await saved(elsewhere, name=f"crm {number}")
    first = (await elsewhere.ingest.get("/api/sources", limit=2)).json()
    assert [source["name"] for source in first["items"]] == ["crm 0", "crm 1"]
    second = (await elsewhere.ingest.get(first["next"])).json()
    assert [source["name"] for source in second["items"]] == ["crm 2"]
    assert second["next"] is None


async def test_a_source_is_its_owners_and_the_admins(elsewhere: Elsewhere) -> None:
    source = await saved(elsewhere)
    path = f"/api/sources/{source['id']}"
    await elsewhere.owner.execute("CREATE TABLE brief (name text)")
    for call in (
        elsewhere.ingest.post(f"{path}/test", caller=BOB),
        elsewhere.send(
            "/api/imports/database",
            {"source_id": source["id"], "table": "brief", "into": "T", "create_table": True},
            caller=BOB,
        ),
        elsewhere.ingest.http.delete(path, headers=elsewhere.ingest.issuer.bearer(BOB)),
    ):
        assert (await call).status_code == 404
    assert (await elsewhere.ingest.get("/api/sources", caller=BOB)).json()["items"] == []
    assert len((await elsewhere.ingest.get("/api/sources", caller=ADMIN)).json()["items"]) == 1
    nobody = machine("catalog-reader", Scope.CATALOG_READ)
    assert (await elsewhere.ingest.get("/api/sources", caller=nobody)).status_code == 403


async def test_a_source_can_be_tried(elsewhere: Elsewhere) -> None:
    good = await saved(elsewhere)
    bad = await saved(elsewhere, name="bad", password="wrong")
    oracle = await elsewhere.send("/api/sources", {"name": "ora", **elsewhere.oracle_source})
    answer = await elsewhere.ingest.post(f"/api/sources/{good['id']}/test")
    assert answer.status_code == 200
    assert answer.json()["status"] == "ok"
    server = await elsewhere.ingest.owner.fetchval("SHOW server_version")
    assert answer.json()["server"] == f"PostgreSQL {server.split()[0]}"
    answer = await elsewhere.ingest.post(f"/api/sources/{oracle.json()['id']}/test")
    assert answer.json()["server"].startswith("Oracle Database 23.")
    answer = await elsewhere.ingest.post(f"/api/sources/{bad['id']}/test")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["code"] == "wrong_log_in"


async def test_an_import_uses_a_source_as_it_is_then(elsewhere: Elsewhere) -> None:
    source = await saved(elsewhere)
    await elsewhere.owner.execute("CREATE TABLE brief (name text); INSERT INTO brief VALUES ('a')")
    await elsewhere.ingest.peers.make_table("people", {"name": "text"})
    import_ = await elsewhere.submit(source_id=source["id"], table="brief", into="people")
    assert await elsewhere.ingest.owner.fetchval("SELECT sealed_password FROM ingest.reads") is None
    async with elsewhere.ingest.working():
        body = await elsewhere.ingest.finished(import_)
        assert (body["state"], body["rows"]["loaded"]) == ("succeeded", 1)


async def test_an_import_of_a_forgotten_source_says_so(elsewhere: Elsewhere) -> None:
    source = await saved(elsewhere)
    await elsewhere.owner.execute("CREATE TABLE brief (name text)")
    await elsewhere.ingest.peers.make_table("people", {"name": "text"})
    import_ = await elsewhere.submit(source_id=source["id"], table="brief", into="people")
    answer = await elsewhere.ingest.http.delete(
        f"/api/sources/{source['id']}", headers=elsewhere.ingest.issuer.bearer(ANN)
    )
    assert answer.status_code == 204
    async with elsewhere.ingest.working():
        body = await elsewhere.ingest.finished(import_)
    assert (body["state"], body["error"]["code"]) == ("failed", "password_gone")


@pytest.mark.parametrize("host", ["/tmp", "a,b", "a)(HOST=b"])
async def test_what_is_no_host_is_not_even_kept(elsewhere: Elsewhere, host: str) -> None:
    body = {"name": "crm", **elsewhere.postgresql, "host": host}
    answer = await elsewhere.send("/api/sources", body)
    assert answer.status_code == 422
    assert [entry["code"] for entry in answer.json()["errors"]] == ["invalid_host"]


async def test_the_key_can_be_changed_while_everything_runs(elsewhere: Elsewhere) -> None:
    source = await saved(elsewhere)
    await elsewhere.owner.execute("CREATE TABLE brief (name text); INSERT INTO brief VALUES ('a')")
    await elsewhere.ingest.peers.make_table("people", {"name": "text"})
    waiting = await elsewhere.submit(source=elsewhere.postgresql, table="brief", into="people")
    new = base64.urlsafe_b64encode(b"n" * 32).decode()
    url = elsewhere.ingest.database.url("ingest")
    async with database_engine(url, application_name="test") as engine:
        with pytest.raises(SealBrokenError):
            await rotate(engine, Keyring(new, setting="SOURCE_KEYS"))
        assert await rotate(engine, Keyring(f"{new},{KEY}", setting="SOURCE_KEYS")) == Rotated(
            moved=2, total=2
        )
        assert await rotate(engine, Keyring(f"{new},{KEY}", setting="SOURCE_KEYS")) == Rotated(
            moved=0, total=2
        )
    used = await elsewhere.submit(
        source=elsewhere.postgresql, table="brief", into="people", etl_name="with the old key"
    )
    async with elsewhere.ingest.working(source_keys=SecretStr(f"{new},{KEY}")):
        for import_ in (waiting, used):
            body = await elsewhere.ingest.finished(import_)
            assert (body["state"], body["rows"]["loaded"]) == ("succeeded", 1), body
    answer = await elsewhere.ingest.post(f"/api/sources/{source['id']}/test")
    assert answer.json()["errors"][0]["code"] == "password_unreadable"


async def test_a_source_is_saved_once_under_a_key(elsewhere: Elsewhere) -> None:
    headers = elsewhere.ingest.issuer.bearer(ANN) | {"Idempotency-Key": "crm-1"}
    post, body = elsewhere.ingest.http.post, {"name": "crm", **elsewhere.postgresql}
    first = await post("/api/sources", json=body, headers=headers)
    again = await post("/api/sources", json=body, headers=headers)
    assert (first.status_code, again.status_code, again.json()) == (201, 201, first.json())
    other = await post("/api/sources", json={**body, "password": "other"}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
