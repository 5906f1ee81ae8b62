"""ETLs and edges that people enter themselves."""

import json

from shared.contracts.auth import Caller, Mark, Role, Scope
from shared.contracts.records import TableName, VisibleTable
from tests.catalog.conftest import Catalog
from tests.support.issuer import machine, person
from tests.support.waiting import until

EDGE = "/api/catalog/etls/nightly%20%2F1/tables/shop%20%25/orders"


async def etl(catalog: Catalog) -> None:
    answer = await catalog.send("POST", "/api/catalog/etls", {"name": "nightly /1"})
    assert answer.status_code == 201, answer.text
    assert answer.headers["Location"] == "/api/catalog/etls/nightly%20%2F1"


async def audited(catalog: Catalog) -> list[tuple[str, str, str]]:
    return [
        (subject, action, object_)
        for subject, action, object_ in await catalog.rows(
            "SELECT subject, action, object FROM audit.events ORDER BY id"
        )
    ]


async def test_the_audit_trail_names_the_api_key(catalog: Catalog) -> None:
    by_key = catalog.reader.model_copy(update={"api_key": "3f0c8a0e"})
    answer = await catalog.send("POST", "/api/catalog/etls", {"name": "dbt"}, caller=by_key)
    assert answer.status_code == 201, answer.text

    [(subject, detail)] = await catalog.rows("SELECT subject, detail FROM audit.events")
    assert (subject, json.loads(detail)) == (catalog.reader.sub, {"api_key": "3f0c8a0e"})


async def test_a_revoked_caller_is_refused(catalog: Catalog) -> None:
    caller = person("revoked@example.com")
    assert (await catalog.get("/api/catalog/etls", caller=caller)).status_code == 200
    token = catalog.issuer.bearer(caller)
    catalog.issuer.revoke(Mark.SUBJECT.of(caller.sub))

    async def refused() -> bool:
        answer = await catalog.http.get("/api/catalog/etls", headers=token)
        return answer.status_code == 401

    await until("the token is refused", refused)


async def test_a_body_over_the_limit_is_refused_before_it_is_read(catalog: Catalog) -> None:
    body = {"name": "big", "description": "x" * (2 << 20)}

    answer = await catalog.send("POST", "/api/catalog/etls", body)
    assert answer.status_code == 413
    assert (answer.json()["code"], answer.json()["limit_bytes"]) == ("too_large", 1 << 20)


async def test_an_etl_is_entered_once(catalog: Catalog) -> None:
    await etl(catalog)

    again = await catalog.send(
        "POST", "/api/catalog/etls", {"name": "nightly /1", "description": "other"}
    )
    assert (again.status_code, again.json()["code"]) == (409, "etl_exists")
    shown = (await catalog.get("/api/catalog/etls/nightly%20%2F1")).json()
    assert (shown["description"], shown["table_count"]) == (None, 0)


async def test_an_edge_by_hand_makes_schema_and_table(catalog: Catalog) -> None:
    await etl(catalog)

    made = await catalog.send("PUT", EDGE)
    assert made.status_code == 200
    body = made.json()
    assert (body["etl"], body["schema"], body["table"]) == ("nightly /1", "shop %", "orders")
    assert (body["first_import"], body["last_import"]) == (None, None)
    assert await catalog.tables_of("nightly /1") == [("shop %", "orders")]


async def test_entering_an_edge_again_changes_nothing(catalog: Catalog) -> None:
    await catalog.see_edge("nightly /1", "shop %", "orders", import_id=4, minute=1)
    before = await catalog.rows("SELECT * FROM catalog.edges")

    answer = await catalog.send("PUT", EDGE)

    assert (answer.status_code, answer.json()["last_import"]) == (200, 4)
    assert await catalog.rows("SELECT * FROM catalog.edges") == before
    assert await audited(catalog) == []


async def test_an_edge_is_taken_out_and_its_ends_stay(catalog: Catalog) -> None:
    await etl(catalog)
    await catalog.send("PUT", EDGE)

    assert (await catalog.send("DELETE", EDGE)).status_code == 204
    again = await catalog.send("DELETE", EDGE)
    assert (again.status_code, again.json()["code"]) == (404, "edge_unknown")
    assert await catalog.tables_of("nightly /1") == []
    assert (await catalog.table("shop %", "orders"))["etl_count"] == 0


async def test_changes_by_hand_are_in_the_audit_trail(catalog: Catalog) -> None:
    await etl(catalog)
    await catalog.send("PUT", EDGE)
    await catalog.send("DELETE", EDGE)

    sub = catalog.reader.sub
    assert await audited(catalog) == [
        (sub, "etl.create", "etl:nightly /1"),
        (sub, "edge.create", "etl:nightly /1"),
        (sub, "edge.delete", "etl:nightly /1"),
    ]


async def test_a_table_of_ours_cannot_be_made_up(catalog: Catalog) -> None:
    await etl(catalog)

    path = "/api/catalog/etls/nightly%20%2F1/tables/data/Customer"
    answer = await catalog.send("PUT", path)
    assert (answer.status_code, answer.json()["code"]) == (404, "table_unknown")
    await catalog.see_table("created", "Customer", minute=0)
    assert (await catalog.send("PUT", path)).status_code == 200


async def test_edges_want_a_known_etl(catalog: Catalog) -> None:
    for method in ("PUT", "DELETE"):
        answer = await catalog.send(method, EDGE)
        assert (answer.status_code, answer.json()["code"]) == (404, "etl_unknown")
    await etl(catalog)
    answer = await catalog.send("DELETE", EDGE)
    assert (answer.status_code, answer.json()["code"]) == (404, "table_unknown")


async def test_writing_wants_its_own_scope(catalog: Catalog) -> None:
    reader = machine("reporter", Scope.CATALOG_READ)
    for method, path in (("POST", "/api/catalog/etls"), ("PUT", EDGE), ("DELETE", EDGE)):
        answer = await catalog.send(method, path, {"name": "x"}, caller=reader)
        assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing")


async def test_a_new_etl_that_does_not_fit_is_refused_by_field(catalog: Catalog) -> None:
    for body, field in (
        ({"name": " "}, "name"),
        ({"name": "x", "owner": "ann"}, "owner"),
        ({"name": "x", "description": "a\0"}, "description"),
        ({"name": "\ud800"}, "name"),
    ):
        answer = await catalog.http.post(
            "/api/catalog/etls",
            content=json.dumps(body).encode(),
            headers={**catalog.issuer.bearer(catalog.reader), "Content-Type": "application/json"},
        )
        assert answer.status_code == 422, answer.text
        assert [error["field"] for error in answer.json()["errors"]] == [field]


async def test_an_etl_is_entered_once_under_its_key(catalog: Catalog) -> None:
    key = {"Idempotency-Key": "nightly-1"}
    body = {"name": "nightly"}
    both = [await catalog.send("POST", "/api/catalog/etls", body, headers=key) for _ in range(2)]
    assert [answer.status_code for answer in both] == [201, 201]
    assert both[0].json() == both[1].json()
    assert both[0].headers["Location"] == both[1].headers["Location"]
    other = await catalog.send("POST", "/api/catalog/etls", {"name": "weekly"}, headers=key)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    without = await catalog.send("POST", "/api/catalog/etls", body)
    assert (without.status_code, without.json()["code"]) == (409, "etl_exists")


async def remove(catalog: Catalog, path: str, *, caller: Caller | None = None) -> tuple[int, str]:
    answer = await catalog.send("DELETE", path, caller=caller)
    return answer.status_code, "" if answer.status_code == 204 else answer.json()["code"]


async def test_an_edge_by_hand_is_removed_by_who_entered_it_and_by_admins(
    catalog: Catalog,
) -> None:
    await etl(catalog)
    bob, admin = person("bob@example.com"), person("root@example.com", role=Role.ADMIN)
    for caller in (catalog.reader, admin):
        assert (await catalog.send("PUT", EDGE)).status_code == 200
        assert await remove(catalog, EDGE, caller=bob) == (403, "edge_not_yours")
        assert await remove(catalog, EDGE, caller=caller) == (204, "")


async def test_what_an_import_saw_is_removed_by_the_tables_owners_and_admins(
    catalog: Catalog,
) -> None:
    path = "/api/catalog/etls/orders.csv/tables/data/Customer"
    owner, viewer = person("owner@example.com"), person("viewer@example.com")
    admin = person("root@example.com", role=Role.ADMIN)
    for caller, level in ((owner, "owner"), (viewer, "viewer")):
        visible = VisibleTable(table=TableName("Customer"), columns=(), level=level)
        catalog.peers.tables["Customer", caller.sub] = visible
    for caller in (owner, admin):
        await catalog.see_edge("orders.csv", "data", "Customer", import_id=7)
        assert await remove(catalog, path) == (403, "edge_not_yours")
        assert await remove(catalog, path, caller=viewer) == (403, "edge_not_yours")
        assert await remove(catalog, path, caller=caller) == (204, "")


async def test_what_a_scan_saw_is_removed_by_admins(catalog: Catalog) -> None:
    await catalog.see_edge("nightly", "shop", "orders", import_id=7)
    path = "/api/catalog/etls/nightly/tables/shop/orders"
    assert await remove(catalog, path) == (403, "edge_not_yours")
    admin = person("root@example.com", role=Role.ADMIN)
    assert await remove(catalog, path, caller=admin) == (204, "")


async def test_an_edge_by_hand_that_an_import_saw_is_the_imports(catalog: Catalog) -> None:
    await etl(catalog)
    await catalog.send("PUT", EDGE)
    await catalog.see_edge("nightly /1", "shop %", "orders", import_id=7)
    assert await remove(catalog, EDGE) == (403, "edge_not_yours")


async def test_a_removed_edge_stays_in_the_history_and_may_come_back(catalog: Catalog) -> None:
    await catalog.see_edge("nightly", "shop", "orders", import_id=7, minute=1)
    admin = person("root@example.com", role=Role.ADMIN)
    path = "/api/catalog/etls/nightly/tables/shop/orders"
    assert await remove(catalog, path, caller=admin) == (204, "")

    for shown in (
        await catalog.table("shop", "orders"),
        (await catalog.get("/api/catalog/etls/nightly")).json(),
    ):
        [edge] = shown["removed"]
        assert (edge["etl"], edge["schema"], edge["table"]) == ("nightly", "shop", "orders")
        assert (edge["first_import"], edge["last_import"]) == (7, 7)
        assert (edge["removed_by"], edge["reason"]) == ("root@example.com", "by_hand")
    assert (await catalog.table("shop", "orders"))["etls"] == []
    await catalog.see_edge("nightly", "shop", "orders", import_id=8, minute=2)
    table = await catalog.table("shop", "orders")
    assert [(edge["first_import"], edge["last_import"]) for edge in table["etls"]] == [(8, 8)]
    assert len(table["removed"]) == 1


async def test_while_records_is_away_nobody_is_taken_for_an_owner(catalog: Catalog) -> None:
    await catalog.see_edge("orders.csv", "data", "Customer", import_id=7)
    catalog.peers.away.add("records")
    path = "/api/catalog/etls/orders.csv/tables/data/Customer"
    assert await remove(catalog, path) == (503, "peer_unavailable")
