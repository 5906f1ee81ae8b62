"""Webhooks registered, seen, changed and removed; and what is refused."""

from typing import Any

import pytest

from services.ingest.webhooks.registered import PER_OWNER
from shared.contracts.auth import Role
from tests.ingest.driving import ANN, Ingest
from tests.ingest.webhooks.driving import call, registered
from tests.support.issuer import person

BOB = person("bob@example.com")
ADMIN = person("admin@example.com", role=Role.ADMIN)
URL = "http://127.0.0.1:9/hook"


async def test_one_sees_ones_own_and_an_admin_all(ingest: Ingest) -> None:
    mine = await registered(ingest, URL)
    his = await registered(ingest, URL, caller=BOB)
    del mine["secret"], his["secret"]
    assert (await ingest.get("/api/webhooks")).json() == {"items": [mine], "next": None}
    assert (await ingest.get("/api/webhooks", caller=ADMIN)).json()["items"] == [mine, his]
    first = (await ingest.get("/api/webhooks", caller=ADMIN, limit=1)).json()
    assert (await ingest.get(first["next"], caller=ADMIN)).json()["items"] == [his]
    path = f"/api/webhooks/{his['id']}"
    for method, of in (
        ("GET", path), ("PATCH", path), ("DELETE", path), ("POST", f"{path}/test"),
        ("POST", f"{path}/rotate"), ("GET", f"{path}/deliveries"),
        ("POST", f"{path}/deliveries/1/redeliver"),
    ):  # fmt: skip
        answer = await call(ingest, method, of, {} if method == "PATCH" else None)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), of
    assert (await ingest.get(path, caller=BOB)).json() == his


async def test_what_is_sent_is_changed_and_the_rest_stays(ingest: Ingest) -> None:
    ingest.peers.owners["people"] = ANN.sub
    webhook = await registered(ingest, URL, table="people")
    path = f"/api/webhooks/{webhook['id']}"
    changed = await call(ingest, "PATCH", path, {"events": ["import.failed"]})
    assert changed.json() == {
        **{name: value for name, value in webhook.items() if name != "secret"},
        "events": ["import.failed"],
    }
    assert (await call(ingest, "PATCH", path, {"table": None})).json()["table"] is None
    other = "http://127.0.0.1:9/other"
    assert (await call(ingest, "PATCH", path, {"url": other})).json()["url"] == other
    assert (await call(ingest, "DELETE", path)).status_code == 204
    assert (await ingest.get(path)).status_code == 404
    actions = await ingest.owner.fetch("SELECT action FROM audit.events ORDER BY id")
    assert [row["action"] for row in actions] == [
        "webhook.create", "webhook.change", "webhook.change", "webhook.change", "webhook.delete",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "field", "code"),
    [
        ({"url": "hooks.example.com"}, "url", "invalid_url"),
        ({"url": "ftp://127.0.0.1/"}, "url", "invalid_url"),
        ({"url": "http://ann:secret@127.0.0.1/"}, "url", "invalid_url"),
        ({"url": "http://127.0.0.1/\u0000"}, "url", None),
        ({"url": "http://10.0.0.1/hook"}, "url", "host_not_allowed"),
        ({"url": "http://[::ffff:10.0.0.1]/hook"}, "url", "host_not_allowed"),
        ({"url": "http://169.254.169.254/latest"}, "url", "host_not_allowed"),
        ({"url": "http://no-such-host.invalid/"}, "url", "host_unknown"),
        ({"events": []}, "events", None),
        ({"events": ["import.done"]}, "events.0", None),
        ({"table": "nowhere"}, "table", "no_such_table"),
        ({"secret": "whsec_x"}, "secret", None),
    ],
)
async def test_what_does_not_fit_is_refused_by_field(
    ingest: Ingest, changes: dict[str, Any], field: str, code: str | None
) -> None:
    webhook = await registered(ingest, URL)
    body = {"url": URL, "events": ["import.failed"], **changes}
    for method, path in (("POST", "/api/webhooks"), ("PATCH", f"/api/webhooks/{webhook['id']}")):
        answer = await call(ingest, method, path, body)
        assert answer.status_code == 422, answer.text
        (error,) = answer.json()["errors"]
        assert error["field"] == field
        assert code is None or error["code"] == code
    assert await ingest.owner.fetchval("SELECT count(*) FROM ingest.webhooks") == 1


async def test_our_own_servers_are_not_called(ingest: Ingest) -> None:
    url = f"{ingest.peers.url}/internal/catalog/edges"
    answer = await call(ingest, "POST", "/api/webhooks", {"url": url, "events": ["import.failed"]})
    assert [error["code"] for error in answer.json()["errors"]] == ["own_server"]


@pytest.mark.parametrize("name", ["url", "events", "enabled"])
async def test_a_change_to_null_is_refused(ingest: Ingest, name: str) -> None:
    webhook = await registered(ingest, URL)
    answer = await call(ingest, "PATCH", f"/api/webhooks/{webhook['id']}", {name: None})
    assert [error["field"] for error in answer.json()["errors"]] == [name]


async def test_a_secret_is_answered_once(ingest: Ingest) -> None:
    body = {"url": URL, "events": ["import.failed"]}
    headers = {**ingest.issuer.bearer(ANN), "Idempotency-Key": "one"}
    first = await ingest.http.post("/api/webhooks", json=body, headers=headers)
    assert first.status_code == 201
    again = await ingest.http.post("/api/webhooks", json=body, headers=headers)
    assert (again.status_code, again.json()["code"]) == (409, "idempotency_answer_lost")
    assert await ingest.owner.fetchval("SELECT count(*) FROM ingest.webhooks") == 1


async def test_nobody_has_more_than_some(ingest: Ingest) -> None:
    await registered(ingest, URL)
    await ingest.owner.execute(
        "INSERT INTO ingest.webhooks (owner_sub, owner, url, events, secret)"
        " SELECT owner_sub, owner, url, events, secret"
        " FROM ingest.webhooks, generate_series(2, $1)",
        PER_OWNER,
    )
    body = {"url": URL, "events": ["import.failed"]}
    answer = await call(ingest, "POST", "/api/webhooks", body)
    assert (answer.status_code, answer.json()["code"]) == (409, "too_many_webhooks")
    await registered(ingest, URL, caller=BOB)
