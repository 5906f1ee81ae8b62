"""References between tables: made, held, named in refusals, and in the way of drops."""

from typing import Any

import asyncpg
import pytest

from tests.records.conftest import Client, Service, new_name


def to(table: str, column: str = "id", **more: str) -> dict[str, Any]:
    return {"references": {"table": table, "column": column, **more}}


async def countries(ann: Client) -> str:
    table = new_name("Country")
    await ann.table(table, {"name": "code", "type": "TEXT", "unique": True}, "name TEXT")
    await ann.insert(table, *({"code": code, "name": code * 2} for code in ("DE", "FR", "NO")))
    return table


async def cities(ann: Client, country: str, **more: str) -> str:
    table = new_name("City")
    reference = {"name": "country", "type": "TEXT", "rules": to(country, "code", **more)}
    await ann.table(table, "name TEXT", reference)
    return table


def faults(answer: Any, status: int = 422) -> list[tuple[str, str]]:
    assert answer.status_code == status, answer.text
    return [(each["field"], each["code"]) for each in answer.json()["errors"]]


async def test_unknown_values_are_named_with_their_places(service: Service) -> None:
    ann = service.ann
    country = await countries(ann)
    city = await cities(ann, country)
    path = f"/api/tables/{city}/records"
    shown = (await ann("GET", f"/api/tables/{city}")).json()["columns"][1]["rules"]
    assert shown == to(country, "code", on_delete="restrict")
    (record_id,) = await ann.insert(city, {"name": "Oslo", "country": "NO"})
    for answer in (
        await ann("POST", path, {"country": "IT"}),
        await ann("PATCH", f"{path}/{record_id}", {"country": "IT"}),
        await ann("PUT", f"{path}/{record_id}", {"country": "IT"}),
        await ann("PATCH", f"{path}?id={record_id}", {"country": "IT"}),
        await ann("POST", f"{path}?on_conflict=update&key=id", {"id": record_id, "country": "IT"}),
    ):
        assert faults(answer) == [("country", "unknown_reference")]
        assert f"the table '{country}' has no record with the code 'IT'" in answer.text
    many = await ann("POST", path, [{"country": "DE"}, {"country": "X"}, {}, {"country": "Y"}])
    assert faults(many) == [
        ("[1].country", "unknown_reference"),
        ("[3].country", "unknown_reference"),
    ]
    assert len((await ann("GET", path)).json()["items"]) == 1


@pytest.mark.parametrize(
    ("on_delete", "status", "left"),
    [("restrict", 409, ["NO"]), ("cascade", 204, []), ("set_null", 204, [None])],
)
async def test_what_becomes_of_references_to_what_is_deleted(
    service: Service, on_delete: str, status: int, left: list[str | None]
) -> None:
    ann = service.ann
    country = await countries(ann)
    city = await cities(ann, country, on_delete=on_delete)
    await ann.insert(city, {"name": "Oslo", "country": "NO"})
    deleted = await ann("DELETE", f"/api/tables/{country}/records/3")
    assert deleted.status_code == status
    rows = (await ann("GET", f"/api/tables/{city}/records")).json()["items"]
    assert [each["country"] for each in rows] == left
    if status == 409:
        assert deleted.json()["code"] == "still_referenced"
        assert city in deleted.json()["detail"]
        by_filter = await ann("DELETE", f"/api/tables/{country}/records?code=NO")
        renamed = await ann("PATCH", f"/api/tables/{country}/records/3", {"code": "NW"})
        for answer in (by_filter, renamed):
            assert (answer.status_code, answer.json()["code"]) == (409, "still_referenced")
        unreferenced = await ann("DELETE", f"/api/tables/{country}/records?code=FR")
        assert unreferenced.json() == {"deleted": 1}


async def test_drops_name_what_references_them(service: Service) -> None:
    ann, bob = service.ann, service.bob
    country = await countries(ann)
    where = f"/api/tables/{country}"
    city = await cities(ann, country)
    await ann("PUT", f"{where}/grants/bob@example.com", {"level": "viewer"})
    hidden = await cities(bob, country)
    changes = (
        {"drop": ["code"]},
        {"alter": [{"name": "code", "unique": False}]},
    )
    answers = [await ann("DELETE", where)]
    answers += [await ann("PATCH", where, change) for change in changes]
    answers.append(await ann("DELETE", "/api/delete-table", {"table_name": country}))
    for answer in answers:
        assert (answer.status_code, answer.json()["code"]) == (409, "referenced"), answer.text
        assert f"{city!r} and 1 that you may not see" in answer.json()["detail"]
        assert hidden not in answer.text
    assert (await ann("PATCH", where, {"drop": ["name"]})).status_code == 200
    assert (await ann("DELETE", f"/api/tables/{city}")).status_code == 204
    assert (await bob("DELETE", f"/api/tables/{hidden}")).status_code == 204
    assert (await ann("DELETE", where)).status_code == 204


async def test_a_table_may_reference_itself(service: Service) -> None:
    ann, table = service.ann, new_name()
    boss = {"name": "boss", "type": "TEXT", "rules": to(table, "code")}
    await ann.table(table, {"name": "code", "type": "TEXT", "unique": True}, boss)
    ids = await ann.insert(table, {"code": "a", "boss": "b"}, {"code": "b", "boss": "b"})
    assert len(ids) == 2
    unknown = await ann("POST", f"/api/tables/{table}/records", {"code": "c", "boss": "d"})
    assert faults(unknown) == [("boss", "unknown_reference")]
    assert (await ann("DELETE", f"/api/tables/{table}")).status_code == 204


async def test_references_follow_a_rename(service: Service) -> None:
    ann = service.ann
    country = await countries(ann)
    city = await cities(ann, country)
    other = new_name("Land")
    change = {"rename": other, "alter": [{"name": "code", "rename": "iso"}]}
    assert (await ann("PATCH", f"/api/tables/{country}", change)).status_code == 200
    rules = (await ann("GET", f"/api/tables/{city}")).json()["columns"][1]["rules"]
    assert rules == to(other, "iso", on_delete="restrict")
    unknown = await ann("POST", f"/api/tables/{city}/records", {"country": "IT"})
    assert f"the table '{other}' has no record with the iso 'IT'" in unknown.text


async def test_references_that_cannot_be(service: Service) -> None:
    ann, bob = service.ann, service.bob
    country = await countries(ann)
    for kind, rules, field in (
        ("TEXT", to("Nowhere", "code"), "references.table"),
        ("TEXT", to(country, "name"), "references.column"),
        ("TEXT", to(country, "nope"), "references.column"),
        ("TEXT", to(country), "references.column"),
        ("JSON", to(country), "references"),
    ):
        columns = [{"name": "a", "type": kind, "rules": rules}]
        answer = await ann("POST", "/api/tables", {"name": new_name(), "columns": columns})
        assert faults(answer)[0][0] == f"columns.0.rules.{field}"
    emptied = to(country, "code", on_delete="set_null")
    required: dict[str, Any] = {"name": "a", "type": "TEXT", "nullable": False, "rules": emptied}
    columns = [required]
    not_null = await ann("POST", "/api/tables", {"name": new_name(), "columns": columns})
    field = "rules.references.on_delete"
    assert faults(not_null) == [(f"columns.0.{field}", "rule_does_not_fit")]
    city = await cities(ann, country, on_delete="set_null")
    strict = {"alter": [{"name": "country", "nullable": False}]}
    assert faults(await ann("PATCH", f"/api/tables/{city}", strict))[0][0] == f"alter.0.{field}"
    for table, column in ((country, "code"), (city, "country")):
        await ann("DELETE", f"/api/tables/{table}/records?id__gte=0")
        change = {"alter": [{"name": column, "type": "INTEGER"}]}
        other = await ann("PATCH", f"/api/tables/{table}", change)
        assert other.status_code == 409, other.text
    columns = [{"name": "a", "type": "TEXT", "rules": to(country, "code")}]
    not_seen = await bob("POST", "/api/tables", {"name": new_name(), "columns": columns})
    assert faults(not_seen) == [("columns.0.rules.references.table", "table_not_found")]


async def test_a_reference_that_is_added_looks_at_the_rows(service: Service) -> None:
    ann = service.ann
    country = await countries(ann)
    city = new_name("City")
    await ann.table(city, "name TEXT", "country TEXT", "nr INT")
    await ann.insert(city, *({"country": code} for code in ("DE", "X", "FR", "Y", None)))
    change = {"alter": [{"name": "country", "rules": to(country, "code")}]}
    where = f"/api/tables/{city}"
    refused = await ann("PATCH", where, change)
    assert [field for field, _ in faults(refused, 409)] == ["alter.0.rules.references"] * 2
    assert "X" in refused.text
    await ann("DELETE", f"{where}/records?country__in=X,Y")
    assert (await ann("PATCH", where, change)).status_code == 200
    added = {"add": [{"name": "home", "type": "BIGINT", "rules": to(country)}]}
    assert (await ann("PATCH", where, added)).status_code == 200
    unknown = await ann("POST", f"{where}/records", {"home": 99})
    assert faults(unknown) == [("home", "unknown_reference")]
    schema = (await ann("GET", f"{where}/schema")).json()
    assert schema["properties"]["home"]["x-references"]["table"] == country
    copy = await ann("POST", "/api/tables", {"name": new_name("City"), "json_schema": schema})
    assert copy.json()["columns"][1]["rules"] == to(country, "code", on_delete="restrict")
    gone = await ann("PATCH", where, {"alter": [{"name": "country", "rules": None}]})
    assert gone.status_code == 200
    assert (await ann("POST", f"{where}/records", {"country": "IT"})).status_code == 201


async def test_postgresql_holds_references_whoever_writes(service: Service) -> None:
    ann = service.ann
    city = await cities(ann, await countries(ann))
    connection = await asyncpg.connect(service.database.url("ingest"))
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        await connection.execute(f"INSERT INTO data.\"{city}\" (country) VALUES ('IT')")
    await connection.close()
