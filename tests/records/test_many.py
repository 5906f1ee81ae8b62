"""Arrays, upserts and changes by filter: all or nothing, and told which element failed."""

import asyncio
from typing import Any

import asyncpg
import pytest

from tests.records.conftest import Client, Service, new_name
from tests.support.profile import only_in_full


async def stock(service: Service, name: str, **more: Any) -> str:
    await service.ann.table(
        name,
        {"name": "sku", "type": "TEXT", "unique": True},
        {"name": "amount", "type": "INTEGER", "nullable": False, "default": 1},
        "note TEXT",
        **more,
    )
    return f"/api/tables/{name}/records"


async def rows(client: Client, path: str) -> list[tuple[Any, ...]]:
    body = (await client("GET", path, params={"limit": 1000})).json()
    return [(each["sku"], each["amount"], each["note"]) for each in body["items"]]


@only_in_full
async def test_ten_thousand_at_once(service: Service) -> None:
    path = await stock(service, "Bulk")
    records = [{"sku": f"s{place}", "amount": place} for place in range(10_000)]
    answer = await service.ann("POST", path, records)
    assert answer.status_code == 201, answer.text
    assert answer.json() == {"inserted": 10_000, "updated": 0, "ids": list(range(1, 10_001))}
    too_many = await service.ann("POST", path, [{}] * 10_001)
    assert too_many.status_code == 422


async def test_elements_may_leave_out_different_columns(service: Service) -> None:
    path = await stock(service, "Ragged")
    answer = await service.ann(
        "POST",
        path,
        [
            {"sku": "a"},
            {"amount": 5, "sku": "b", "note": "n"},
            {},
            {"note": "m", "amount": 6},
        ],
    )
    ids = answer.json()["ids"]
    for record_id, expected in zip(
        ids,
        [("a", 1, None), ("b", 5, "n"), (None, 1, None), (None, 6, "m")],
        strict=True,
    ):
        record = (await service.ann("GET", f"{path}/{record_id}")).json()
        assert (record["sku"], record["amount"], record["note"]) == expected
    empty = await service.ann("POST", path, [])
    assert empty.json() == {"inserted": 0, "updated": 0, "ids": []}


@pytest.mark.parametrize(
    ("records", "field", "status"),
    [
        ([{"sku": "new"}, {"sku": "old"}], "[1].sku", 409),
        ([{"sku": "x"}, {"note": "y"}, {"sku": "x"}], "[2].sku", 409),
        ([{"sku": "x"}, {"amount": "many"}], "[1].amount", 422),
        ([{"sku": "x"}, {"amount": None}], "[1].amount", 422),
        ([{"sku": "x"}, {"nope": 1}], "[1].nope", 422),
        ([{"sku": "x"}, 5], "[1]", 422),
    ],
)
async def test_one_bad_element_stops_all_and_is_named(
    service: Service, records: list[Any], field: str, status: int
) -> None:
    name = new_name()
    path = await stock(service, name)
    await service.ann.insert(name, {"sku": "old"})
    answer = await service.ann("POST", path, records)
    assert answer.status_code == status, answer.text
    assert answer.json()["errors"][0]["field"] == field
    assert await rows(service.ann, path) == [("old", 1, None)]


async def test_upsert_changes_what_is_there_and_only_what_is_named(service: Service) -> None:
    path = await stock(service, "Upsert")
    await service.ann.insert("Upsert", {"sku": "a", "amount": 5, "note": "kept"})
    answer = await service.ann(
        "POST",
        f"{path}?on_conflict=update&key=sku",
        [{"sku": "a", "amount": 6}, {"sku": "b"}, {"sku": "c", "amount": 7, "note": "n"}],
    )
    assert answer.status_code == 201, answer.text
    body = answer.json()
    assert (body["inserted"], body["updated"]) == (2, 1)
    assert body["ids"][0] == 1
    assert await rows(service.ann, path) == [("a", 6, "kept"), ("b", 1, None), ("c", 7, "n")]
    one = await service.ann(
        "POST", f"{path}?on_conflict=update&key=sku", {"sku": "a", "note": "new"}
    )
    assert (one.status_code, one.json()) == (
        201,
        {"id": 1, "sku": "a", "amount": 6, "note": "new"},
    )
    assert one.headers["Location"] == f"{path}/1"


async def test_ignore_keeps_what_is_there(service: Service) -> None:
    path = await stock(service, "Ignore")
    await service.ann.insert("Ignore", {"sku": "a", "amount": 5})
    answer = await service.ann(
        "POST", f"{path}?on_conflict=ignore", [{"sku": "a", "amount": 6}, {"sku": "b"}]
    )
    assert answer.json()["inserted"] == 1
    assert await rows(service.ann, path) == [("a", 5, None), ("b", 1, None)]
    one = await service.ann("POST", f"{path}?on_conflict=ignore&key=sku", {"sku": "a"})
    assert (one.status_code, one.json()["id"], one.json()["amount"]) == (201, 1, 5)


async def test_upsert_by_id_moves_the_sequence_on(service: Service) -> None:
    path = await stock(service, "ById")
    answer = await service.ann(
        "POST", f"{path}?on_conflict=update&key=id", [{"id": 3, "sku": "c"}, {"id": 1, "sku": "a"}]
    )
    assert answer.json() == {"inserted": 2, "updated": 0, "ids": [3, 1]}
    assert await service.ann.insert("ById", {"sku": "d"}) == [4]
    changed = await service.ann("POST", f"{path}?on_conflict=update&key=id", {"id": 3, "note": "n"})
    assert changed.json() == {"id": 3, "sku": "c", "amount": 1, "note": "n"}


@pytest.mark.parametrize(
    ("query", "body", "field"),
    [
        ("on_conflict=update&key=note", {"note": "x"}, "key"),
        ("on_conflict=perhaps", {}, "on_conflict"),
        ("key=sku", {"sku": "x"}, "key"),
        ("on_conflict=update&key=sku", {"note": "x"}, "sku"),
        ("on_conflict=update&key=sku", [{"sku": "x"}, {"sku": "x"}], "[1].sku"),
        ("on_conflict=update&key=id", {"sku": "x"}, "id"),
    ],
)
async def test_a_wrong_upsert_is_refused(
    service: Service, query: str, body: Any, field: str
) -> None:
    name = new_name()
    path = await stock(service, name)
    answer = await service.ann("POST", f"{path}?{query}", body)
    assert answer.status_code == 422, answer.text
    assert field in [each["field"] for each in answer.json()["errors"]]


async def test_an_upsert_of_one_names_the_other_column_that_is_taken(service: Service) -> None:
    table = new_name()
    unique = {"type": "TEXT", "unique": True}
    await service.ann.table(table, {"name": "a", **unique}, {"name": "b", **unique})
    await service.ann.insert(table, {"a": "1", "b": "x"}, {"a": "2", "b": "y"})
    answer = await service.ann(
        "POST",
        f"/api/tables/{table}/records?on_conflict=update&key=a",
        {"a": "2", "b": "x"},
    )
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (409, "b")


async def test_changes_by_filter(service: Service) -> None:
    path = await stock(service, "Filtered")
    await service.ann.insert("Filtered", *({"sku": f"s{n}", "amount": n} for n in range(10)))
    changed = await service.ann("PATCH", f"{path}?amount__gte=7", {"note": "many"})
    assert changed.json() == {"updated": 3}
    by_words = await service.ann("PATCH", f"{path}?q=MANY&amount__lt=9", {"amount": 100})
    assert by_words.json() == {"updated": 2}
    deleted = await service.ann("DELETE", f"{path}?amount=100")
    assert deleted.json() == {"deleted": 2}
    assert (await service.ann("DELETE", f"{path}?amount=100")).json() == {"deleted": 0}
    connection = await asyncpg.connect(service.database.superuser_url)
    actions = await connection.fetch(
        "SELECT action, detail ->> 'count' AS n FROM audit.events"
        " WHERE object = 'Filtered' AND action <> 'table.create' ORDER BY id"
    )
    await connection.close()
    assert [tuple(row) for row in actions] == [
        ("records.insert", None),
        ("records.update", "3"),
        ("records.update", "2"),
        ("records.delete", "2"),
        ("records.delete", "0"),
    ]


@pytest.mark.parametrize("query", ["", "?q=", "?limit=5", "?nope=1"])
async def test_without_a_filter_nothing_is_changed(service: Service, query: str) -> None:
    name = new_name()
    path = await stock(service, name)
    await service.ann.insert(name, {"sku": "a"})
    for method, body in (("PATCH", {"note": "x"}), ("DELETE", None)):
        answer = await service.ann(method, path + query, body)
        assert answer.status_code == 422, answer.text
    assert await rows(service.ann, path) == [("a", 1, None)]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("note__contains=", "note__contains"),
        ("note__icontains=", "note__icontains"),
        ("sku__startswith=", "sku__startswith"),
        ("sku__gte=", "sku__gte"),
        ("sku__gt=", "sku__gt"),
        ("sku__in=", "sku__in"),
        ("amount__in=", "amount__in"),
        ("id__isnull=false", "id__isnull"),
        ("amount__isnull=no", "amount__isnull"),
        ("_version__isnull=false", "_version__isnull"),
        ("amount=1&sku__contains=", "sku__contains"),
        ("amount=1&q=", "q"),
    ],
)
async def test_a_filter_that_rules_nothing_out_changes_nothing(
    service: Service, query: str, field: str
) -> None:
    name = new_name()
    path = await stock(service, name)
    await service.ann.insert(name, {"sku": "a"}, {"sku": "b"})
    for method, body in (("PATCH", {"note": "x"}), ("DELETE", None)):
        answer = await service.ann(method, f"{path}?{query}", body)
        assert answer.status_code == 422, answer.text
        error = answer.json()["errors"][0]
        assert (error["field"], error["code"]) == (field, "rules_nothing_out")
    assert await rows(service.ann, path) == [("a", 1, None), ("b", 1, None)]
    listed = await service.ann("GET", f"{path}?{query}")
    assert listed.status_code == 200


async def test_who_means_all_records_can_say_so(service: Service) -> None:
    name = new_name()
    path = await stock(service, name)
    await service.ann.insert(name, {"sku": "a"}, {"sku": ""})
    assert (await service.ann("PATCH", f"{path}?sku=", {"note": "x"})).json() == {"updated": 1}
    assert (await service.ann("DELETE", f"{path}?note__isnull=false")).json() == {"deleted": 1}
    refused = await service.ann("DELETE", path)
    assert "id__gte=0" in refused.json()["detail"]
    assert (await service.ann("DELETE", f"{path}?id__gte=0")).json() == {"deleted": 1}


async def test_a_change_by_filter_says_what_is_wrong_with_it(service: Service) -> None:
    path = await stock(service, "WrongChange")
    await service.ann.insert("WrongChange", {"sku": "a"}, {"sku": "b"})
    for body, status, field in (
        ({}, 422, "body"),
        ({"amount": None}, 422, "amount"),
        ({"nope": 1}, 422, "nope"),
        ({"sku": "c"}, 409, "sku"),
    ):
        answer = await service.ann("PATCH", f"{path}?amount=1", body)
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (status, field)


async def test_upserts_of_one_key_at_once_all_end(service: Service) -> None:
    path = await stock(service, "Race")
    answers = await asyncio.gather(
        *(
            service.ann(
                "POST",
                f"{path}?on_conflict=update&key=sku",
                [{"sku": key, "amount": n} for key in ("abc" if n % 2 else "cba")],
            )
            for n in range(12)
        )
    )
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert 201 in {answer.status_code for answer in answers}
    assert sorted(row[0] for row in await rows(service.ann, path)) == ["a", "b", "c"]
