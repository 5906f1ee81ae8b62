"""What answers 204 sends neither a body nor a media type, in every service."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import httpx2

from tests.support.stack import RunningStack

Call = tuple[str, Mapping[str, Any] | None]
"""A path with its query, and a JSON body."""

PIECE = {
    "Tus-Resumable": "1.0.0",
    "Upload-Offset": "0",
    "Content-Type": "application/offset+octet-stream",
}
"""Headers of the one call that wants some."""


def peer_token(stack: RunningStack) -> str:
    """An access token as the services have them."""
    secrets = json.loads((stack.state / "secrets.json").read_text())["client_secrets"]
    form = {
        "grant_type": "client_credentials",
        "client_id": "ingest",
        "client_secret": secrets["ingest"],
    }
    answer = httpx2.post(f"{stack.facts['services']['auth']}/api/auth/token", data=form)
    assert answer.status_code == 200, answer.text
    token: str = answer.json()["access_token"]
    return token


def made(http: httpx2.Client, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
    answer = http.post(path, json=dict(body))
    assert answer.status_code in (200, 201), answer.text
    answered: dict[str, Any] = answer.json()
    return answered


def gone_after(http: httpx2.Client, stack: RunningStack) -> dict[tuple[str, str], Call]:
    """For each operation of the public face that answers 204, a call that succeeds once."""
    column = {"name": "note", "type": "TEXT"}
    for table in ("Gone1", "Gone2", "Kept204"):
        made(http, "/api/tables", {"name": table, "columns": [column]})
    first, second = (
        made(http, "/api/tables/Kept204/records", {"note": note})["id"] for note in "ab"
    )
    client = made(http, "/api/auth/clients", {"name": "short", "scopes": ["tables:read"]})["id"]
    key = made(http, "/api/auth/api-keys", {"name": "short", "scopes": ["tables:read"]})["id"]
    grant = f"/api/tables/Kept204/grants/{client}"
    assert http.put(grant, json={"level": "viewer"}).status_code == 200
    made(http, "/api/catalog/etls", {"name": "nightly"})
    edge = "/api/catalog/etls/nightly/tables/public/orders"
    assert http.put(edge).is_success
    alias = "/api/catalog/namespaces/postgres:%2F%2Fgone:5432%2Fshop"
    assert http.put(alias, json={"same_as": "postgres://kept:5432/shop"}).is_success
    source = made(http, "/api/sources", source_of(stack))["id"]
    hook = {"url": "http://127.0.0.1:9/", "events": ["import.failed"]}
    webhook = made(http, "/api/webhooks", hook)["id"]
    made(http, "/api/feeds", {"name": "short", "table": "Kept204", "from": {"kind": "push"}})
    refresh = made(http, "/api/token", stack.admin)["refresh"]
    begun = http.post("/api/uploads", headers={"Tus-Resumable": "1.0.0", "Upload-Length": "2"})
    upload = begun.headers["Location"]
    second_record = {"table_name": "Kept204", "id": second}
    return {
        ("post", "/api/auth/revoke"): ("/api/auth/revoke", {"refresh": refresh}),
        ("delete", "/api/tables/{table}/grants/{identifier}"): (grant, None),
        ("delete", "/api/auth/clients/{id}"): (f"/api/auth/clients/{client}", None),
        ("delete", "/api/auth/api-keys/{id}"): (f"/api/auth/api-keys/{key}", None),
        ("delete", "/api/catalog/etls/{etl}/tables/{schema}/{table}"): (edge, None),
        ("delete", "/api/catalog/namespaces/{alias}"): (alias, None),
        ("delete", "/api/tables/{table}/records/{id}"): (
            f"/api/tables/Kept204/records/{first}",
            None,
        ),
        ("delete", "/api/delete-record"): ("/api/delete-record", second_record),
        ("delete", "/api/tables/{table}"): ("/api/tables/Gone1", None),
        ("delete", "/api/delete-table"): ("/api/delete-table", {"table_name": "Gone2"}),
        ("delete", "/api/sources/{id}"): (f"/api/sources/{source}", None),
        ("delete", "/api/webhooks/{id}"): (f"/api/webhooks/{webhook}", None),
        ("delete", "/api/feeds/{name}"): ("/api/feeds/short", None),
        ("options", "/api/uploads"): ("/api/uploads", None),
        ("patch", "/api/uploads/{id}"): (upload, {}),
        ("delete", "/api/uploads/{id}"): (upload, None),
    }


def source_of(stack: RunningStack) -> dict[str, Any]:
    database = httpx2.URL(stack.facts["owner_url"])
    return {
        "name": "short",
        "kind": "postgresql",
        "host": database.host,
        "port": database.port,
        "database": "elsewhere",
        "user": "nobody",
        "password": "none",
    }


def between_services() -> dict[tuple[str, str], Call]:
    """The same for the paths that only services call."""
    now = datetime.now(UTC).isoformat()
    event = {
        "kind": "created",
        "schema_name": "data",
        "table_name": "Kept204",
        "occurred_at": now,
    }
    edge = {
        "etl_name": "nightly",
        "schema_name": "public",
        "table_name": "orders",
        "import_id": 1,
        "seen_at": now,
    }
    return {
        ("post", "/internal/catalog/table-events"): ("/internal/catalog/table-events", event),
        ("post", "/internal/catalog/edges"): ("/internal/catalog/edges", edge),
        ("post", "/internal/catalog/edges/all"): ("/internal/catalog/edges/all", {"edges": [edge]}),
        ("post", "/internal/catalog/edges/undone"): (
            "/internal/catalog/edges/undone",
            {name: value for name, value in edge.items() if name != "seen_at"} | {"undone_at": now},
        ),
        ("delete", "/internal/tables/{table}"): ("/internal/tables/Kept204?oid=1", None),
    }


def test_every_204_comes_without_a_body_and_a_media_type(stack: RunningStack) -> None:
    token = peer_token(stack)
    with stack.signed_in() as person:
        known = gone_after(person, stack) | between_services()
        for url in stack.facts["services"].values():
            document = httpx2.get(f"{url}/internal/openapi.json", trust_env=False).json()
            for path, operations in document["paths"].items():
                for method, operation in operations.items():
                    if "204" not in operation["responses"]:
                        continue
                    where = f"{method} {path}"
                    assert "content" not in operation["responses"]["204"], where
                    target, body = known.pop((method, path))
                    headers = {"X-Request-ID": "no-content"}
                    if method == "patch":
                        headers |= PIECE
                    if path.startswith("/internal/"):
                        headers["Authorization"] = f"Bearer {token}"
                        target = f"{url}{target}"
                    answer = person.request(method, target, json=body, headers=headers)
                    assert answer.status_code == 204, f"{where}: {answer.text}"
                    assert answer.content == b"", where
                    assert "content-type" not in answer.headers, where
                    assert answer.headers["x-request-id"] == "no-content", where
    assert known == {}
