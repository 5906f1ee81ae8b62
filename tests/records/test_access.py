"""Who may do what: every route by every kind of caller."""

import uuid
from collections.abc import Sequence
from typing import Any

import pytest
from fastapi.routing import APIRoute

from services.records.routes import routers
from shared.contracts.auth import Caller
from tests.records.conftest import ADMIN, ANN, BOB, CAROL, Service, new_name
from tests.support.issuer import machine, peer, person
from tests.support.profile import only_in_full

STRANGER = person("stranger@example.com")
CO_OWNER = person("co@example.com")
BARE_CLIENT = machine("bare")

CALLERS: dict[str, Caller | None] = {
    "nobody": None,
    "bare client": BARE_CLIENT,
    "stranger": STRANGER,
    "viewer": BOB,
    "editor": CAROL,
    "co-owner": CO_OWNER,
    "owner": ANN,
    "admin": ADMIN,
}
# What each caller is answered, in the order of CALLERS; 2 stands for any success.
READ = (401, 403, 404, 2, 2, 2, 2, 2)
WRITE = (401, 403, 404, 403, 2, 2, 2, 2)
OWN = (401, 403, 404, 403, 403, 2, 2, 2)
SIGNED_IN = (401, 403, 2, 2, 2, 2, 2, 2)
SERVICES_ALONE = (401, 403, 403, 403, 403, 403, 403, 403)

TABLE = "/api/tables/{table}"
RECORDS = "/api/tables/{table}/records"
NEW = {"name": "{new}", "columns": []}
FIELDS = {"table_name": "{new}", "fields": {"a": "TEXT"}}
COLUMN = {"table_name": "{table}", "column_name": "{new}", "column_type": "TEXT"}
RECORD = {"table_name": "{table}", "id": 1}
ROUTES: Sequence[tuple[str, str, Any, tuple[int, ...]]] = [
    ("POST", "/api/create-table", FIELDS, SIGNED_IN),
    ("POST", "/api/add-column", COLUMN, OWN),
    ("POST", "/api/insert-record", {"table_name": "{table}", "data": {}}, WRITE),
    ("GET", "/api/get-records?table_name={table}", None, READ),
    ("PUT", "/api/update-record", {**RECORD, "data": {"a": "x"}}, WRITE),
    ("DELETE", "/api/delete-record", RECORD, WRITE),
    ("DELETE", "/api/delete-table", {"table_name": "{table}"}, OWN),
    ("POST", "/api/tables", NEW, SIGNED_IN),
    ("GET", "/api/tables", None, SIGNED_IN),
    ("GET", TABLE, None, READ),
    ("PATCH", TABLE, {"description": "x"}, OWN),
    ("DELETE", TABLE, None, OWN),
    ("GET", TABLE + "/schema", None, READ),
    ("GET", TABLE + "/openapi.json", None, READ),
    ("GET", TABLE + "/grants", None, OWN),
    ("PUT", TABLE + "/grants/{identifier}", {"level": "viewer"}, OWN),
    ("DELETE", TABLE + "/grants/{identifier}", None, OWN),
    ("GET", RECORDS, None, READ),
    ("POST", RECORDS, {}, WRITE),
    ("POST", RECORDS, [{}], WRITE),
    ("POST", TABLE + "/query", {}, READ),
    ("PATCH", RECORDS + "?id=1", {"a": "x"}, WRITE),
    ("DELETE", RECORDS + "?id=1", None, WRITE),
    ("GET", RECORDS + "/{id}", None, READ),
    ("PATCH", RECORDS + "/{id}", {"a": "x"}, WRITE),
    ("PUT", RECORDS + "/{id}", {"a": "x"}, WRITE),
    ("DELETE", RECORDS + "/{id}", None, WRITE),
    ("GET", TABLE + "/export", None, READ),
    ("GET", TABLE + "/summary", None, READ),
    ("POST", "/internal/columns", {}, SERVICES_ALONE),
    ("POST", "/internal/contracts", {}, SERVICES_ALONE),
    ("POST", "/internal/tables", {}, SERVICES_ALONE),
    ("POST", "/internal/tables/describe", {}, SERVICES_ALONE),
    ("POST", "/internal/tables/{table}/columns", {}, SERVICES_ALONE),
    ("POST", "/internal/tables/visible", {}, SERVICES_ALONE),
    ("DELETE", "/internal/tables/{table}?oid=1", None, SERVICES_ALONE),
]


def filled(given: Any, names: dict[str, str]) -> Any:
    """The same with `{table}` and the like filled in."""
    if isinstance(given, str):
        for name, value in names.items():
            given = given.replace("{" + name + "}", value)
        return given
    if isinstance(given, dict):
        return {name: filled(value, names) for name, value in given.items()}
    return given


@only_in_full
@pytest.mark.parametrize(("method", "path", "body", "expected"), ROUTES)
async def test_every_route_by_every_caller(
    service: Service, method: str, path: str, body: Any, expected: tuple[int, ...]
) -> None:
    answered = {}
    for (kind, caller), wanted in zip(CALLERS.items(), expected, strict=True):
        table = new_name("Access")
        await service.ann.table(table, "a TEXT")
        await service.ann.insert(table, {"a": "1"})
        for subject, level in (
            (BOB, "viewer"),
            (CAROL, "editor"),
            (CO_OWNER, "owner"),
            (BARE_CLIENT, "owner"),
        ):
            service.issuer.know(subject)
            given = await service.ann(
                "PUT", f"/api/tables/{table}/grants/{subject.label}", {"level": level}
            )
            assert given.status_code == 200, given.text
        names = {"table": table, "new": new_name("New"), "id": "1", "identifier": BOB.label}
        answer = await service.by(caller)(method, filled(path, names), filled(body, names))
        status = 2 if answer.is_success else answer.status_code
        answered[kind] = (status, wanted)
        if status == 401:
            assert answer.headers["WWW-Authenticate"] == "Bearer"
        if status == 404:
            assert answer.json()["code"] == "table_not_found"
        if status == 403:
            assert answer.json()["code"] == (
                "scope_missing" if kind == "bare client" or "/internal" in path else "grant_missing"
            )
    assert {kind: got for kind, (got, _) in answered.items()} == {
        kind: wanted for kind, (_, wanted) in answered.items()
    }


def test_no_route_is_left_out() -> None:
    tried = {(method, path.partition("?")[0].replace(":", "")) for method, path, _, _ in ROUTES}
    there = {
        (method, route.path.replace(":segment", "").replace(":int", ""))
        for router in routers
        for route in router.routes
        if isinstance(route, APIRoute)
        for method in route.methods or ()
    }
    assert there == tried


async def test_the_list_shows_what_one_may_see(service: Service) -> None:
    dora, emil = person("dora@example.com"), person("emil@example.com")
    mine, shared, hidden = new_name("Mine"), new_name("Shared"), new_name("Hidden")
    await service.by(dora).table(mine, "a TEXT")
    await service.by(emil).table(shared, "a TEXT")
    await service.by(emil).table(hidden, "a TEXT")
    service.issuer.know(dora)
    await service.by(emil)(
        "PUT", f"/api/tables/{shared}/grants/dora@example.com", {"level": "viewer"}
    )
    items = (await service.by(dora)("GET", "/api/tables")).json()["items"]
    assert {(each["name"], each["level"]) for each in items} == {
        (mine, "owner"),
        (shared, "viewer"),
    }
    everything = (await service.admin("GET", "/api/tables?limit=1000")).json()["items"]
    assert {mine, shared, hidden} <= {each["name"] for each in everything}


async def test_grants_are_told_changed_and_taken(service: Service) -> None:
    table = new_name()
    await service.ann.table(table, "a TEXT")
    client = machine("loader", *ANN.scopes)
    service.issuer.know(BOB)
    service.issuer.know(client)
    service.issuer.subjects["loader"] = service.issuer.subjects[client.sub]
    path = f"/api/tables/{table}/grants"
    await service.ann("PUT", f"{path}/bob@example.com", {"level": "viewer"})
    put = await service.ann("PUT", f"{path}/loader", {"level": "editor"})
    assert put.json()["subject"] == client.sub
    await service.ann("PUT", f"{path}/bob@example.com", {"level": "owner"})
    told = (await service.ann("GET", path)).json()["items"]
    assert [(each["identifier"], each["level"]) for each in told] == [
        ("bob@example.com", "owner"),
        ("loader", "editor"),
    ]
    assert (await service.by(client)("POST", f"/api/tables/{table}/records", {})).is_success
    taken = await service.ann("DELETE", f"{path}/loader")
    assert taken.status_code == 204
    gone = await service.by(client)("GET", f"/api/tables/{table}/records")
    assert gone.status_code == 404
    again = await service.ann("DELETE", f"{path}/loader")
    assert (again.status_code, again.json()["code"]) == (404, "grant_not_found")
    unknown = await service.ann("PUT", f"{path}/no-such-client", {"level": "viewer"})
    assert (unknown.status_code, unknown.json()["code"]) == (422, "unknown_subject")


async def test_a_grant_tells_nobody_whether_an_address_has_an_account(service: Service) -> None:
    table = new_name()
    await service.ann.table(table, "a TEXT")
    path = f"/api/tables/{table}/grants"
    shapes = []
    for email in ("bob@example.com", "no-one@example.com"):
        answer = await service.ann("PUT", f"{path}/{email}", {"level": "viewer"})
        body = answer.json()
        shapes.append(
            (answer.status_code, sorted(body), body["level"], body["identifier"] == email)
        )
        assert uuid.UUID(body["subject"])
    assert shapes[0] == shapes[1]


async def test_a_peer_token_opens_nothing_of_the_public_face(service: Service) -> None:
    answer = await service.by(peer("ingest"))("GET", "/api/tables")
    assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing")


@pytest.mark.parametrize(
    ("claims", "code"),
    [({"exp": 1_000_000_000}, "token_expired"), ({"aud": "another"}, "unauthenticated")],
)
async def test_a_token_that_does_not_hold_is_said_to_be_one(
    service: Service, claims: dict[str, Any], code: str
) -> None:
    token = service.issuer.token(ANN, **claims)
    for method, body in (("GET", None), ("POST", {"name": "T"})):
        headers = {"Authorization": f"Bearer {token}"}
        answer = await service.ann(method, "/api/tables", body, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (401, code)
        assert answer.headers["WWW-Authenticate"].startswith('Bearer error="invalid_token"')
