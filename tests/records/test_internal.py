"""What the importer and the catalog ask of records, and what the catalog is told."""

from typing import Any

import httpx2

from services.records.main import create_app
from shared.contracts.auth import Caller
from tests.records.conftest import (
    ADMIN,
    ANN,
    BOB,
    FakeCatalog,
    Service,
    new_name,
    settings_for,
)
from tests.support.databases import Database
from tests.support.issuer import Issuer, machine, peer
from tests.support.serving import serving
from tests.support.waiting import until

INGEST = peer("ingest")


def asked(table: str, caller: Caller) -> dict[str, object]:
    return {"table": table, "caller": caller.model_dump(mode="json")}


async def test_a_contract_tells_all_that_an_import_needs(service: Service) -> None:
    await service.ann.table(
        "Contracted",
        {"name": "email", "type": "VARCHAR(40)", "unique": True, "nullable": False},
        {"name": "amount", "type": "numeric(12, 2)", "default": "1.50"},
    )
    answer = await service.by(INGEST)("POST", "/internal/contracts", asked("Contracted", ANN))
    assert answer.status_code == 200, answer.text
    contract = answer.json()
    assert contract["version"] == 1
    assert [
        (each["name"], each["type"]["name"], each["nullable"], each["has_default"])
        for each in contract["columns"]
    ] == [("email", "VARCHAR", False, False), ("amount", "NUMERIC", True, True)]
    assert sorted(each["columns"] for each in contract["unique_keys"]) == [["email"], ["id"]]


async def test_a_contract_wants_an_editor(service: Service) -> None:
    await service.ann.table("Guarded", "a TEXT")
    ingest = service.by(INGEST)
    stranger = await ingest("POST", "/internal/contracts", asked("Guarded", BOB))
    assert stranger.status_code == 404
    service.issuer.know(BOB)
    await service.ann("PUT", "/api/tables/Guarded/grants/bob@example.com", {"level": "viewer"})
    viewer = await ingest("POST", "/internal/contracts", asked("Guarded", BOB))
    assert (viewer.status_code, viewer.json()["code"]) == (403, "grant_missing")
    await service.ann("PUT", "/api/tables/Guarded/grants/bob@example.com", {"level": "editor"})
    editor = await ingest("POST", "/internal/contracts", asked("Guarded", BOB))
    assert editor.status_code == 200


async def test_internal_calls_are_for_services(service: Service) -> None:
    for caller in (ANN, machine("someone")):
        answer = await service.by(caller)("POST", "/internal/contracts", asked("Guarded", ANN))
        assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing")


async def test_an_import_makes_a_table_and_drops_only_its_own_empty_one(service: Service) -> None:
    ingest = service.by(INGEST)
    wanted = {
        **asked("Imported", ANN),
        "columns": [{"name": "zip", "type": {"name": "TEXT"}, "description": "ZIP code"}],
    }
    made = await ingest("POST", "/internal/tables", wanted)
    assert made.status_code == 201, made.text
    oid = made.json()["oid"]
    table = (await service.ann("GET", "/api/tables/Imported")).json()
    assert table["owner"] == "ann@example.com"
    assert table["columns"][0]["description"] == "ZIP code"
    again = await ingest("POST", "/internal/tables", wanted)
    assert (again.status_code, again.json()["code"]) == (409, "name_taken")
    for other in (oid + 1, oid):
        await service.ann.insert("Imported", {"zip": "00501"})
        kept = await ingest("DELETE", "/internal/tables/Imported", params={"oid": other})
        assert kept.status_code == 204
        assert (await service.ann("GET", "/api/tables/Imported")).status_code == 200
    await service.ann("DELETE", "/api/tables/Imported/records", params={"zip": "00501"})
    for _ in range(2):
        gone = await ingest("DELETE", "/internal/tables/Imported", params={"oid": oid})
        assert gone.status_code == 204
        assert (await service.ann("GET", "/api/tables/Imported")).status_code == 404


async def test_columns_remember_the_file_they_were_made_for(service: Service) -> None:
    table, ingest = new_name(), service.by(INGEST)
    columns = [
        {"name": "a", "type": {"name": "TEXT"}, "source": "A b"},
        {"name": "n", "type": {"name": "INTEGER"}, "null_values": ["NA", "N/A"]},
        {"name": "c", "type": {"name": "TEXT"}, "source": "#3"},
        {"name": "d", "type": {"name": "TEXT"}},
    ]
    made = await ingest("POST", "/internal/tables", {**asked(table, ANN), "columns": columns})
    assert memories(made.json()) == {"a": ("A b", []), "n": ("n", ["NA", "N/A"]), "c": ("#3", [])}
    swapped = {
        "alter": [{"name": "a", "rename": "n"}, {"name": "n", "rename": "a"}],
        "drop": ["c"],
        "add": [{"name": "c", "type": "TEXT"}],
    }
    changed = await service.ann("PATCH", f"/api/tables/{table}", swapped)
    assert changed.status_code == 200, changed.text
    contract = await ingest("POST", "/internal/contracts", asked(table, ANN))
    assert memories(contract.json()) == {"n": ("A b", []), "a": ("n", ["NA", "N/A"])}
    await service.ann("DELETE", f"/api/tables/{table}")
    again = await ingest("POST", "/internal/tables", {**asked(table, ANN), "columns": columns[3:]})
    assert memories(again.json()) == {}


async def test_an_import_adds_columns_for_an_owner(service: Service) -> None:
    table, ingest = new_name(), service.by(INGEST)
    await service.ann.table(table, "a TEXT")
    columns = [
        {"name": "a", "type": {"name": "TEXT"}},
        {"name": "b", "type": {"name": "INTEGER"}, "source": "B b", "null_values": ["NA"]},
    ]
    path, wanted = f"/internal/tables/{table}/columns", {"columns": columns}
    for _ in range(2):
        added = await ingest("POST", path, {**wanted, "caller": ANN.model_dump(mode="json")})
        assert added.status_code == 200, added.text
        assert memories(added.json()) == {"b": ("B b", ["NA"])}
        assert (added.json()["version"], len(added.json()["columns"])) == (2, 2)
    service.issuer.know(BOB)
    await service.ann("PUT", f"/api/tables/{table}/grants/bob@example.com", {"level": "editor"})
    refused = await ingest("POST", path, {**wanted, "caller": BOB.model_dump(mode="json")})
    assert (refused.status_code, refused.json()["code"]) == (403, "grant_missing")
    renamed = {"alter": [{"name": "b", "rename": "c"}]}
    await service.ann("PATCH", f"/api/tables/{table}", renamed)
    contract = await ingest("POST", "/internal/contracts", asked(table, ANN))
    assert memories(contract.json()) == {"c": ("B b", ["NA"])}


def memories(contract: dict[str, Any]) -> dict[str, tuple[str, list[str]]]:
    """Of each column that remembers something: its name in the file, and words for NULL."""
    return {
        column["name"]: (column["source"], column["null_values"])
        for column in contract["columns"]
        if column["source"] is not None
    }


async def test_a_description_is_for_those_who_may_see(service: Service) -> None:
    await service.ann.table("Described", {"name": "a", "type": "INT", "description": "An A"})
    ingest = service.by(INGEST)
    seen = await ingest("POST", "/internal/tables/describe", asked("Described", ANN))
    assert seen.status_code == 200
    assert seen.json()["columns"][0]["description"] == "An A"
    assert seen.json()["level"] == "owner"
    hidden = await ingest("POST", "/internal/tables/describe", asked("Described", BOB))
    assert hidden.status_code == 404


async def test_of_many_tables_those_are_named_that_the_caller_may_see(service: Service) -> None:
    for name in ("Own", "Granted", "Private"):
        await service.ann.table(name, "a TEXT")
    await service.bob.table("Bobs", "a TEXT")
    await service.ann("PUT", "/api/tables/Granted/grants/bob@example.com", {"level": "viewer"})
    ingest = service.by(INGEST)
    names = ["Private", "Granted", "Bobs", "none such", "Own"]
    for caller, visible in (
        (BOB, ["Bobs", "Granted"]),
        (ANN, ["Granted", "Own", "Private"]),
        (ADMIN, ["Bobs", "Granted", "Own", "Private"]),
    ):
        body = {"tables": names, "caller": caller.model_dump(mode="json")}
        answer = await ingest("POST", "/internal/tables/visible", body)
        assert answer.json() == {"tables": visible}


async def test_columns_are_found_in_the_tables_that_the_caller_may_see(service: Service) -> None:
    columns = [
        {"name": "Searched_Zip", "type": "TEXT", "description": "Where it goes: 100%"},
        {"name": "searched_city", "type": "TEXT"},
    ]
    body = {"name": "Searched", "columns": columns}
    assert (await service.ann("POST", "/api/tables", body)).status_code == 201
    ingest = service.by(INGEST)
    for caller, words, names in (
        (ANN, ["searched"], ["Searched_Zip", "searched_city"]),
        (ANN, ["SEARCHED", "goes"], ["Searched_Zip"]),
        (ANN, ["searched", "100%"], ["Searched_Zip"]),
        (ANN, ["searched", "100_"], []),
        (ANN, ["_import"], []),
        (ADMIN, ["searched_city"], ["searched_city"]),
        (BOB, ["searched"], []),
    ):
        asked = {"words": words, "caller": caller.model_dump(mode="json")}
        items = (await ingest("POST", "/internal/columns", asked)).json()["items"]
        assert [item["name"] for item in items] == names, words
        assert {item["table"] for item in items} <= {"Searched"}


async def test_the_catalog_hears_of_every_table_in_order(
    database: Database, issuer: Issuer, catalog: FakeCatalog
) -> None:
    catalog.down = True
    app = create_app(settings_for(database, issuer, catalog_url=catalog.url))
    async with serving(app) as url, httpx2.AsyncClient(base_url=url, trust_env=False) as http:
        ann = Service(url=url, issuer=issuer, database=database, http=http).ann
        await ann.table("First", "a TEXT", description="The first")
        await ann("PATCH", "/api/tables/First", {"rename": "Second"})
        await ann("DELETE", "/api/tables/Second")
        catalog.down = False
        await until("three events", lambda: len(catalog.events) >= 3)
    told = sorted(catalog.events, key=lambda event: str(event["occurred_at"]))
    assert [(each["kind"], each["table_name"], each["new_name"]) for each in told] == [
        ("created", "First", None),
        ("renamed", "First", "Second"),
        ("dropped", "Second", None),
    ]
    assert told[0]["description"] == "The first"
    assert {each["schema_name"] for each in told} == {"data"}
