"""The calls that users of the older system know, with their exact paths and bodies."""

from tests.records.conftest import Service


async def test_a_table_lives_through_the_verb_face(service: Service) -> None:
    ann = service.ann
    fields = {"name": "TEXT", "email": "TEXT UNIQUE", "created_at": "DATE"}
    made = await ann("POST", "/api/create-table", {"table_name": "Customer", "fields": fields})
    assert made.status_code == 201, made.text
    assert made.json()["name"] == "Customer"
    assert [column["name"] for column in made.json()["columns"]] == ["name", "email", "created_at"]
    added = await ann(
        "POST",
        "/api/add-column",
        {"table_name": "Customer", "column_name": "age", "column_type": "int NOT NULL DEFAULT 18"},
    )
    assert added.status_code == 200, added.text
    age = added.json()["columns"][-1]
    assert (age["type"], age["nullable"], age["default"]) == ("INTEGER", False, 18)
    for name in ("Ann", "Bob", "Çelik"):
        data = {"name": name, "email": f"{name}@example.com", "created_at": "2026-01-31"}
        inserted = await ann("POST", "/api/insert-record", {"table_name": "Customer", "data": data})
        assert inserted.status_code == 201, inserted.text
        assert inserted.json() == {"id": inserted.json()["id"], **data, "age": 18}
    page = await ann(
        "GET",
        "/api/get-records",
        params={
            "table_name": "Customer",
            "page": 1,
            "limit": 2,
            "order_by": "name",
            "order_direction": "DESC",
        },
    )
    assert page.status_code == 200, page.text
    assert [each["name"] for each in page.json()["items"]] == ["Çelik", "Bob"]
    assert (page.json()["page"], page.json()["limit"], page.json()["total"]) == (1, 2, 3)
    found = await ann(
        "GET", "/api/get-records", params={"table_name": "Customer", "search": "çELIK"}
    )
    assert [each["name"] for each in found.json()["items"]] == ["Çelik"]
    record = found.json()["items"][0]
    changed = await ann(
        "PUT",
        "/api/update-record",
        {"table_name": "Customer", "id": record["id"], "data": {"age": 40}},
    )
    assert changed.json() == {**record, "age": 40}
    gone = await ann("DELETE", "/api/delete-record", {"table_name": "Customer", "id": record["id"]})
    assert gone.status_code == 204
    filtered = await ann("GET", "/api/get-records", params={"table_name": "Customer", "age": "40"})
    assert filtered.json()["total"] == 0
    dropped = await ann("DELETE", "/api/delete-table", {"table_name": "Customer"})
    assert dropped.status_code == 204
    assert (await ann("GET", "/api/tables/Customer")).status_code == 404


async def test_a_wrong_type_names_its_field(service: Service) -> None:
    fields = {"good": "TEXT", "bad": "STRING"}
    answer = await service.ann("POST", "/api/create-table", {"table_name": "T", "fields": fields})
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["fields.bad"]
