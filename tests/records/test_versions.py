"""`_version`: raised by every change of a record, its ETag, hidden unless asked for."""

import asyncpg
import pytest

from tests.records.conftest import Client, Service, new_name


async def version(ann: Client, table: str, record_id: int) -> int:
    path = f"/api/tables/{table}/records/{record_id}"
    answer = await ann("GET", path, params={"fields": "_version"})
    assert answer.status_code == 200, answer.text
    found: int = answer.json()["_version"]
    assert answer.headers["ETag"] == f'"1-{found}"'
    return found


async def test_every_change_raises_it(service: Service) -> None:
    ann, table = service.ann, new_name()
    path = f"/api/tables/{table}/records"
    await ann.table(table, {"name": "email", "type": "TEXT", "unique": True}, "a INT")
    await ann.insert(table, {"email": "x", "a": 1})
    assert await version(ann, table, 1) == 1
    await ann("PATCH", f"{path}/1", {"a": 2})
    assert await version(ann, table, 1) == 2
    await ann("PUT", f"{path}/1", {"email": "x"})
    assert await version(ann, table, 1) == 3
    assert (await ann("PATCH", f"{path}?email=x", {"a": 4})).json() == {"updated": 1}
    assert await version(ann, table, 1) == 4
    upserted = await ann(
        "POST", f"{path}?on_conflict=update&key=email", [{"email": "x", "a": 5}, {"email": "y"}]
    )
    assert upserted.json() == {"inserted": 1, "updated": 1, "ids": [1, 3]} | {
        "ids": upserted.json()["ids"]
    }
    assert await version(ann, table, 1) == 5
    await ann("POST", f"{path}?on_conflict=ignore&key=email", [{"email": "x", "a": 6}])
    assert await version(ann, table, 1) == 5
    body = {"table_name": table, "id": 1, "data": {"a": 7}}
    await ann("PUT", "/api/update-record", body)
    assert await version(ann, table, 1) == 6


async def test_it_is_hidden_until_somebody_asks(service: Service) -> None:
    ann, table = service.ann, new_name()
    path = f"/api/tables/{table}/records"
    await ann.table(table, "a TEXT")
    await ann.insert(table, {"a": "x"}, {"a": "y"})
    await ann("PATCH", f"{path}/2", {"a": "z"})
    assert (await ann("GET", path)).json()["items"] == [{"id": 1, "a": "x"}, {"id": 2, "a": "z"}]
    assert [
        column["name"] for column in (await ann("GET", f"/api/tables/{table}")).json()["columns"]
    ] == ["a"]
    assert "_version" not in (await ann("GET", f"/api/tables/{table}/schema")).text
    asked = await ann("GET", path, params={"fields": "_version", "_version__gt": "1"})
    assert asked.json()["items"] == [{"id": 2, "_version": 2}]
    export = await ann("GET", f"/api/tables/{table}/export")
    assert export.text == "id,a\n1,x\n2,z\n"
    for method, where, body in (
        ("POST", path, {"_version": 7}),
        ("PATCH", f"{path}/1", {"_version": 7}),
        ("PATCH", f"/api/tables/{table}", {"drop": ["_version"]}),
        ("PATCH", f"/api/tables/{table}", {"alter": [{"name": "_version", "type": "TEXT"}]}),
    ):
        assert (await ann(method, where, body)).json()["code"] == "unknown_column"


@pytest.mark.parametrize("tag", ["1-1", "abc", '"1-1', "W/1-1", '"1-1" "1-2"', '"a"b"', '"1-1", *'])
async def test_a_malformed_tag_is_said_to_be_one(service: Service, tag: str) -> None:
    ann, table = service.ann, new_name()
    path = f"/api/tables/{table}/records/1"
    await ann.table(table, "a TEXT")
    await ann.insert(table, {"a": "x"})
    for method, body in (("PATCH", {"a": "y"}), ("PUT", {"a": "y"}), ("DELETE", None)):
        answer = await ann(method, path, body, headers={"If-Match": tag})
        assert answer.status_code == 422, answer.text
        error = answer.json()["errors"][0]
        assert (error["field"], error["code"]) == ("If-Match", "malformed_etag")
    assert await version(ann, table, 1) == 1


@pytest.mark.parametrize(
    ("tag", "status"),
    [
        ('"1-1"', 200),
        ('"0-0","1-1"', 200),
        ("*", 200),
        ('W/"1-1"', 412),
        ('"1-2"', 412),
        ('"2-1"', 412),
        ('"odd,tag"', 412),
        (f'"1-{2**70}"', 412),
    ],
)
async def test_a_tag_lets_through_or_not(service: Service, tag: str, status: int) -> None:
    ann, table = service.ann, new_name()
    await ann.table(table, "a TEXT")
    await ann.insert(table, {"a": "x"})
    path = f"/api/tables/{table}/records/1"
    answer = await ann("PATCH", path, {"a": "y"}, headers={"If-Match": tag})
    assert answer.status_code == status, answer.text


async def test_the_verb_face_takes_tags_too(service: Service) -> None:
    ann, table = service.ann, new_name()
    await ann.table(table, "a TEXT")
    await ann.insert(table, {"a": "x"})
    body = {"table_name": table, "id": 1}
    stale = {"If-Match": '"1-9"'}
    change = {**body, "data": {"a": "y"}}
    assert (await ann("PUT", "/api/update-record", change, headers=stale)).status_code == 412
    assert (await ann("DELETE", "/api/delete-record", body, headers=stale)).status_code == 412
    fresh = {"If-Match": '"1-1"'}
    assert (await ann("PUT", "/api/update-record", change, headers=fresh)).status_code == 200


@pytest.mark.parametrize("tag", ['"1-1"', "*"])
async def test_a_tag_on_many_records_is_refused(service: Service, tag: str) -> None:
    ann, table = service.ann, new_name()
    await ann.table(table, "a TEXT")
    await ann.insert(table, {"a": "x"})
    path = f"/api/tables/{table}/records?a=x"
    for method, body in (("PATCH", {"a": "y"}), ("DELETE", None)):
        answer = await ann(method, path, body, headers={"If-Match": tag})
        assert answer.status_code == 422, answer.text
        assert answer.json()["errors"][0]["field"] == "If-Match"
    assert await version(ann, table, 1) == 1


@pytest.mark.parametrize("rewrite", ["VACUUM (FULL, FREEZE) {}", "CLUSTER {} USING {}"])
async def test_a_tag_holds_across_a_rewrite_of_the_table(service: Service, rewrite: str) -> None:
    table = new_name()
    await service.ann.table(table, "a INTEGER")
    (record_id,) = await service.ann.insert(table, {"a": 1})
    path = f"/api/tables/{table}/records/{record_id}"
    tag = (await service.ann("GET", path)).headers["ETag"]
    owner = await asyncpg.connect(service.database.superuser_url)
    await owner.execute(rewrite.format(f'data."{table}"', f'"{table}_pkey"'))
    await owner.close()
    assert (await service.ann("GET", path)).headers["ETag"] == tag
    changed = await service.ann("PATCH", path, {"a": 2}, headers={"If-Match": tag})
    assert changed.status_code == 200, changed.text
