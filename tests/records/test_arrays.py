"""Arrays keep their order and their places; writers of the same rows wait for each other."""

import asyncio
import random
from typing import Any

import asyncpg
import pytest

from tests.records.conftest import Client, Service, new_name
from tests.support.profile import only_in_full

SKU = {"name": "sku", "type": "TEXT", "unique": True}
AMOUNT = {"name": "amount", "type": "INTEGER", "nullable": False, "default": 1}


async def stock(ann: Client) -> tuple[str, str]:
    name = new_name()
    await ann.table(name, SKU, AMOUNT, "note TEXT", "extra JSON")
    return name, f"/api/tables/{name}/records"


async def by_id(ann: Client, path: str) -> dict[int, Any]:
    items = (await ann("GET", path, params={"limit": "1000"})).json()["items"]
    return {each["id"]: each for each in items}


async def test_ids_come_in_the_callers_order_whatever_the_fields(service: Service) -> None:
    ann = service.ann
    _, path = await stock(ann)
    await ann("POST", path, [{"sku": f"s{n}"} for n in range(0, 40, 4)])
    elements: list[dict[str, Any]] = [
        {"sku": f"s{n}"} | ({"amount": n} if n % 2 else {}) | ({"note": "n"} if n % 3 else {})
        for n in range(40)
    ]
    random.Random(7).shuffle(elements)
    answer = await ann("POST", f"{path}?on_conflict=update&key=sku", elements)
    assert answer.status_code == 201, answer.text
    body = answer.json()
    assert (body["inserted"], body["updated"]) == (30, 10)
    records = await by_id(ann, path)
    assert [records[each]["sku"] for each in body["ids"]] == [each["sku"] for each in elements]
    for element in elements:
        record = next(each for each in records.values() if each["sku"] == element["sku"])
        assert record["amount"] == element.get("amount", 1)


async def test_ignored_elements_leave_no_id(service: Service) -> None:
    ann = service.ann
    _, path = await stock(ann)
    await ann("POST", path, [{"sku": "b"}, {"sku": "d"}])
    answer = await ann(
        "POST", f"{path}?on_conflict=ignore&key=sku", [{"sku": each} for each in "edcba"]
    )
    records = await by_id(ann, path)
    assert [records[each]["sku"] for each in answer.json()["ids"]] == ["e", "c", "a"]


@pytest.mark.parametrize("action", ["update", "ignore"])
@pytest.mark.parametrize(
    "elements",
    [
        [{"sku": "a"}, {"sku": "b"}, {"sku": "a"}],
        [{"sku": "a", "amount": 1}, {"sku": "b"}, {"sku": "a", "note": "n"}],
        [{"sku": "a", "amount": 1}, {"sku": "b", "note": "x"}, {"note": "n", "sku": "a"}],
    ],
)
async def test_one_key_twice_is_refused_whatever_its_fields(
    service: Service, action: str, elements: list[Any]
) -> None:
    ann = service.ann
    _, path = await stock(ann)
    answer = await ann("POST", f"{path}?on_conflict={action}&key=sku", elements)
    assert answer.status_code == 422, answer.text
    error = answer.json()["errors"][0]
    assert (error["field"], error["code"]) == ("[2].sku", "duplicate_key")
    assert await by_id(ann, path) == {}


async def test_keys_are_compared_as_their_type_does(service: Service) -> None:
    ann, name = service.ann, new_name()
    await ann.table(name, {"name": "n", "type": "NUMERIC(6,2)", "unique": True})
    path = f"/api/tables/{name}/records?on_conflict=update&key=n"
    answer = await ann("POST", path, content='[{"n": 1.0}, {"n": 2}, {"n": 1.00}]')
    assert answer.json()["errors"][0]["field"] == "[2].n"
    answer = await ann("POST", path, content='[{"n": 2.50}, {"n": 1.0}]')
    again = await ann("POST", path, content='[{"n": 1}, {"n": "2.5"}]')
    assert again.json() == {"inserted": 0, "updated": 2, "ids": answer.json()["ids"][::-1]}


async def test_no_key_is_no_key(service: Service) -> None:
    ann = service.ann
    _, path = await stock(ann)
    for action in ("update", "ignore"):
        answer = await ann(
            "POST", f"{path}?on_conflict={action}&key=sku", [{"sku": "a"}, {"sku": None}]
        )
        assert answer.status_code == 422, answer.text
        assert answer.json()["errors"][0]["field"] == "[1].sku"


async def test_every_fault_of_a_body_is_named_at_once(service: Service) -> None:
    ann = service.ann
    _, path = await stock(ann)
    answer = await ann(
        "POST",
        path,
        [{"sku": [], "nope": 1, "amount": "x"}, {"sku": "a"}, 7, {"id": 1, "amount": None}],
    )
    assert answer.status_code == 422, answer.text
    assert answer.json()["code"] == "invalid_input"
    assert {(each["field"], each["code"]) for each in answer.json()["errors"]} == {
        ("[0].sku", "type_mismatch"),
        ("[0].nope", "unknown_column"),
        ("[0].amount", "type_mismatch"),
        ("[2]", "type_mismatch"),
        ("[3].id", "id_is_given"),
        ("[3].amount", "not_null"),
    }
    one = await ann("POST", path, {"nope": 1, "amount": "x"})
    assert {each["field"] for each in one.json()["errors"]} == {"nope", "amount"}
    await ann("POST", path, {"sku": "a"})
    replaced = await ann("PUT", f"{path}/1", {"id": 2, "nope": 1, "sku": []})
    assert {each["field"] for each in replaced.json()["errors"]} == {"id", "nope", "sku"}


async def test_what_only_postgresql_refuses_is_named_too(service: Service) -> None:
    ann = service.ann
    name, path = await stock(ann)
    good, bad = '{"sku": "a", "extra": {"n": 1}}', '{"sku": "b", "extra": {"n": 1e999999}}'
    answer = await ann("POST", path, content=f"[{good}, {bad}]")
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["field"] == "[1].extra", answer.text
    one = await ann("POST", f"{path}?on_conflict=update&key=sku", content=bad)
    assert one.json()["errors"][0]["field"] == "extra"
    (record_id,) = await ann.insert(name, {"sku": "there"})
    record = f"{path}/{record_id}"
    for method, where in (("POST", path), ("PATCH", record), ("PUT", record)):
        answer = await ann(method, where, content=bad)
        assert answer.json()["errors"][0]["field"] == "extra", answer.text
    body = f'{{"table_name": "{name}", "data": {bad}}}'
    answer = await ann("POST", "/api/insert-record", content=body)
    assert answer.json()["errors"][0]["field"] == "extra", answer.text
    assert list(await by_id(ann, path)) == [record_id]


@only_in_full
async def test_crossing_upserts_all_go_through(service: Service) -> None:
    ann = service.ann
    _, path = await stock(ann)
    chance = random.Random(17)

    async def writer() -> list[int]:
        statuses = []
        for turn in range(30):
            keys = chance.sample(range(200), 100)
            elements: list[dict[str, Any]] = [{"sku": f"s{key}", "amount": turn} for key in keys]
            answer = await ann("POST", f"{path}?on_conflict=update&key=sku", elements)
            statuses.append(answer.status_code)
        return statuses

    results = await asyncio.gather(*(writer() for _ in range(4)))
    assert {status for statuses in results for status in statuses} == {201}


async def test_crossing_upserts_of_many_shapes_all_go_through(service: Service) -> None:
    ann = service.ann
    _, path = await stock(ann)
    chance = random.Random(19)

    async def writer() -> list[int]:
        statuses = []
        for turn in range(8):
            keys = chance.sample(range(60), 40)
            elements: list[dict[str, Any]] = [
                {"sku": f"s{key}", ("amount" if chance.random() < 0.5 else "extra"): turn}
                for key in keys
            ]
            answer = await ann("POST", f"{path}?on_conflict=update&key=sku", elements)
            statuses.append(answer.status_code)
        return statuses

    results = await asyncio.gather(*(writer() for _ in range(4)))
    assert {status for statuses in results for status in statuses} == {201}


async def test_upserts_by_id_beside_inserts(service: Service) -> None:
    ann = service.ann
    _, path = await stock(ann)

    async def by_chosen_id() -> list[int]:
        statuses = []
        for turn in range(15):
            elements = [{"id": turn * 40 + n, "note": "chosen"} for n in range(1, 31)]
            answer = await ann("POST", f"{path}?on_conflict=update&key=id", elements)
            statuses.append(answer.status_code)
        return statuses

    async def drawn(*, many: bool) -> list[int]:
        statuses = []
        for _ in range(40):
            answer = await ann("POST", path, [{"note": "drawn"}] * 3 if many else {"note": "drawn"})
            statuses.append(answer.status_code)
        return statuses

    results = await asyncio.gather(
        by_chosen_id(), by_chosen_id(), drawn(many=True), drawn(many=False), drawn(many=False)
    )
    assert {status for statuses in results for status in statuses} == {201}


async def test_a_held_sequence_stops_nobody(service: Service) -> None:
    ann = service.ann
    name, path = await stock(ann)
    connection = await asyncpg.connect(service.database.url("records"))
    async with connection.transaction():
        # As an import with ids from the sequence does, for as long as it loads.
        await connection.fetchval(f"SELECT nextval('data.\"{name}_id_seq\"')")
        chosen = await ann("POST", f"{path}?on_conflict=update&key=id", {"id": 500, "sku": "x"})
        assert chosen.status_code == 201, chosen.text
        drawn = await ann("POST", path, {"sku": "y"})
        assert drawn.status_code == 201
        assert drawn.json()["id"] > 500
    await connection.close()


@pytest.mark.parametrize("record_id", [2**62, 2**63 - 1, -1])
async def test_a_chosen_id_cannot_use_up_the_sequence(service: Service, record_id: int) -> None:
    ann = service.ann
    _, path = await stock(ann)
    for body in ({"id": record_id}, [{"id": 1}, {"id": record_id}]):
        answer = await ann("POST", f"{path}?on_conflict=update&key=id", body)
        assert answer.status_code == 422, answer.text
        error = answer.json()["errors"][0]
        assert (error["field"], error["code"]) == (
            "[1].id" if isinstance(body, list) else "id",
            "out_of_range",
        )
    largest = await ann("POST", f"{path}?on_conflict=update&key=id", {"id": 2**62 - 1})
    assert largest.status_code == 201
    assert (await ann("POST", path, {})).json()["id"] == 2**62


async def test_a_drawn_id_that_somebody_chose_is_drawn_again(service: Service) -> None:
    ann = service.ann
    name, path = await stock(ann)
    connection = await asyncpg.connect(service.database.url("records"))
    await connection.execute(f'INSERT INTO data."{name}" (id) VALUES (1), (2), (4)')
    await connection.close()
    assert (await ann("POST", path, {})).json()["id"] == 3
    assert (await ann("POST", path, [{}, {}])).json()["ids"] == [5, 6]
