"""The trail of single records: who changed which, and which fields; in the change's transaction."""

import json
from typing import Any

import asyncpg

from tests.records.conftest import ANN, Service, new_name

SKU = {"name": "sku", "type": "TEXT", "unique": True}


async def trail(service: Service, table: str) -> list[tuple[str, Any]]:
    connection = await asyncpg.connect(service.database.superuser_url)
    rows = await connection.fetch(
        "SELECT subject, action, request_id, detail FROM audit.events"
        " WHERE object = $1 AND action LIKE 'record.%' ORDER BY id",
        table,
    )
    await connection.close()
    assert all(row["subject"] == ANN.sub and row["request_id"] for row in rows)
    return [(row["action"], json.loads(row["detail"])) for row in rows]


async def test_each_change_of_a_record_leaves_one_line(service: Service) -> None:
    ann, table = service.ann, new_name()
    path = f"/api/tables/{table}/records"
    await ann.table(table, SKU, "amount INT", "note TEXT")
    await ann("POST", path, {"sku": "a", "amount": 1})
    await ann("PATCH", f"{path}/1", {"note": "n"})
    await ann("PUT", f"{path}/1", {"sku": "a"})
    await ann("DELETE", f"{path}/1")
    await ann("POST", f"{path}?on_conflict=update&key=sku", {"sku": "b", "amount": 1})
    await ann("POST", f"{path}?on_conflict=update&key=sku", {"sku": "b", "note": "n"})
    await ann("POST", f"{path}?on_conflict=ignore&key=sku", {"sku": "b"})
    await ann("POST", path, {"sku": "c"}, headers={"Idempotency-Key": f"{table}-once"})
    await ann("POST", path, {"sku": "c"}, headers={"Idempotency-Key": f"{table}-once"})
    (second, third) = [
        each["id"] for each in (await ann("GET", path, params={"sort": "id"})).json()["items"]
    ]
    assert await trail(service, table) == [
        ("record.create", {"id": 1, "fields": ["sku", "amount"]}),
        ("record.update", {"id": 1, "fields": ["note"]}),
        ("record.update", {"id": 1, "fields": ["sku", "amount", "note"]}),
        ("record.delete", {"id": 1}),
        ("record.create", {"id": second, "fields": ["sku", "amount"]}),
        ("record.update", {"id": second, "fields": ["sku", "note"]}),
        ("record.create", {"id": third, "fields": ["sku"]}),
    ]


async def test_the_verb_face_leaves_the_same_lines(service: Service) -> None:
    ann, table = service.ann, new_name()
    await ann.table(table, SKU)
    body: dict[str, Any] = {"table_name": table}
    await ann("POST", "/api/insert-record", {**body, "data": {"sku": "a"}})
    await ann("PUT", "/api/update-record", {**body, "id": 1, "data": {"sku": "b"}})
    await ann("DELETE", "/api/delete-record", {**body, "id": 1})
    assert await trail(service, table) == [
        ("record.create", {"id": 1, "fields": ["sku"]}),
        ("record.update", {"id": 1, "fields": ["sku"]}),
        ("record.delete", {"id": 1}),
    ]


async def test_what_did_not_happen_leaves_no_line(service: Service) -> None:
    ann, table = service.ann, new_name()
    path = f"/api/tables/{table}/records"
    await ann.table(table, SKU)
    await ann.insert(table, {"sku": "a"})
    assert (await ann("POST", path, {"sku": "a"})).status_code == 409
    stale = {"If-Match": '"1-9"'}
    assert (await ann("PATCH", f"{path}/1", {"sku": "b"}, headers=stale)).status_code == 412
    assert (await ann("DELETE", f"{path}/1", headers=stale)).status_code == 412
    assert (await ann("DELETE", f"{path}/99")).status_code == 404
    assert await trail(service, table) == []
