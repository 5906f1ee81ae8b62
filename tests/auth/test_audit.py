"""The audit trail: nobody changes it, admins read it."""

import contextlib
import datetime as dt
import json

import asyncpg
import pytest

from migrations.bootstrap import SERVICES
from shared.process.request_id import current_request_id
from shared.store.audit import record_event
from tests.auth.driving import ADMIN, ADMIN_PASSWORD, Auth, bearer
from tests.support.databases import Database

CHANGES = {
    "update": "UPDATE audit.events SET result = 'ok'",
    "delete": "DELETE FROM audit.events",
    "truncate": "TRUNCATE audit.events",
    "backdate": "INSERT INTO audit.events (at, action, result) VALUES ('2020-01-01', 'x', 'ok')",
    "choose the id": "INSERT INTO audit.events (id, action, result)"
    " OVERRIDING SYSTEM VALUE VALUES (1, 'x', 'ok')",
    "drop": "DROP TABLE audit.events",
    "alter": "ALTER TABLE audit.events DISABLE TRIGGER ALL",
    "merge": "MERGE INTO audit.events e USING (SELECT 1) s ON true WHEN MATCHED THEN DELETE",
    "overwrite": "INSERT INTO audit.events (action, result) VALUES ('x', 'ok')"
    " ON CONFLICT (id) DO UPDATE SET result = 'ok'",
    "own": "ALTER TABLE audit.events OWNER TO CURRENT_USER",
}
# To a role that may read, PostgreSQL says only in a warning that nothing was granted.
GRANT = "GRANT ALL ON audit.events TO CURRENT_USER"


@pytest.mark.parametrize("role", SERVICES)
async def test_every_service_may_write_and_none_may_change(
    module_database: Database, role: str
) -> None:
    owner = await asyncpg.connect(module_database.url())
    before = await owner.fetch("SELECT * FROM audit.events ORDER BY id")
    token = current_request_id.set("request-1")
    connection = await asyncpg.connect(module_database.url(role))
    try:
        await record_event(
            connection,
            subject="somebody",
            action="test.write",
            object_=f"role:{role}",
            detail={"n": 1},
        )
        for change in CHANGES.values():
            with contextlib.suppress(asyncpg.InsufficientPrivilegeError):
                await connection.execute(GRANT)
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(change)
    finally:
        await connection.close()
    current_request_id.reset(token)
    after = await owner.fetch("SELECT * FROM audit.events ORDER BY id")
    await owner.close()
    assert after[:-1] == before
    written = after[-1]
    assert (written["object"], written["request_id"]) == (f"role:{role}", "request-1")
    assert json.loads(written["detail"]) == {"n": 1}


@pytest.mark.parametrize("role", [role for role in SERVICES if role != "auth"])
async def test_only_auth_reads(module_database: Database, role: str) -> None:
    connection = await asyncpg.connect(module_database.url(role))
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.fetch("SELECT count(*) FROM audit.events")
    finally:
        await connection.close()


async def test_filters_and_pages(auth: Auth) -> None:
    user = await auth.add_user()
    await auth.sign_in(user["username"])
    client = await auth.add_client("tables:read")
    await auth.client_token(client)
    headers = await auth.admin()

    async def found(**filters: object) -> list[str]:
        answer = await auth.http.get(
            "/api/audit", params={k: str(v) for k, v in filters.items()}, headers=headers
        )
        assert answer.status_code == 200, answer.text
        return [event["action"] for event in answer.json()["items"]]

    for subject in (user["sub"], user["email"], user["email"].upper()):
        assert await found(subject=subject) == ["auth.sign_in"]
    for subject in (client["id"], client["sub"]):
        assert await found(subject=subject) == ["auth.client_token"]
    assert await found(object=client["sub"], action="client.create") == ["client.create"]
    assert await found(subject="nobody@example.com") == []
    future = dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
    assert await found(since=future.isoformat()) == []
    assert await found(until=(future - dt.timedelta(days=1)).isoformat()) == []
    assert await found(since=(future - dt.timedelta(days=1)).isoformat(), limit=3)


async def test_next_can_be_followed_to_the_end(auth: Auth) -> None:
    headers = await auth.admin()
    ids, path = [], "/api/audit?limit=2&action=auth.sign_in&since=2020-01-01T00:00:00%2B02:00"
    while path:
        page = (await auth.http.get(path, headers=headers)).json()
        ids += [event["id"] for event in page["items"]]
        path = page["next"]
    assert ids == sorted(set(ids), reverse=True)
    total = await auth.sql("SELECT count(*) FROM audit.events WHERE action = 'auth.sign_in'")
    assert len(ids) == total


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("since", "yesterday"),
        ("since", "2026-01-01T00:00:00"),
        ("limit", "0"),
        ("limit", "1001"),
        ("actor", "x"),
        ("subject", "a\0b"),
        ("before", "x"),
        ("before", str(2**70)),
    ],
)
async def test_a_filter_that_does_not_fit_is_named(auth: Auth, parameter: str, value: str) -> None:
    answer = await auth.http.get(
        "/api/audit", params={parameter: value}, headers=await auth.admin()
    )
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == parameter


async def test_nothing_secret_stands_in_the_trail(auth: Auth) -> None:
    pair = await auth.sign_in(ADMIN, ADMIN_PASSWORD)
    client = await auth.add_client("tables:read")
    typed = "my password, typed into the wrong field"
    await auth.post("/api/token", {"username": typed, "password": "x"})
    await auth.http.patch(
        "/api/auth/me", json={"password": "short"}, headers=bearer(pair["access"])
    )
    whole = await auth.sql("SELECT string_agg(e::text, ' ') FROM audit.events e")
    for secret in (ADMIN_PASSWORD, typed, client["secret"], pair["refresh"], pair["access"]):
        assert secret not in whole
