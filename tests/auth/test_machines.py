"""Machine clients: secrets shown once, scopes that hold, ids that are never given twice."""

import base64
from typing import Any

import pytest

from tests.auth.driving import INTERNAL_SECRETS, Auth, bearer


async def token_form(client_id: str, secret: str, **more: str) -> dict[str, str]:
    form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret}
    return form | more


async def test_the_secret_is_shown_once(auth: Auth) -> None:
    client = await auth.add_client("tables:read", id="nightly-loader", name="The nightly loader")
    assert client["id"] == "nightly-loader"
    assert client["secret"].startswith("tbs_")
    assert len(client["secret"]) > 40
    listed = (await auth.http.get("/api/auth/clients", headers=await auth.admin())).json()
    mine = next(item for item in listed["items"] if item["id"] == "nightly-loader")
    assert "secret" not in mine
    assert (mine["name"], mine["scopes"]) == ("The nightly loader", ["tables:read"])


async def test_the_list_has_pages(auth: Auth) -> None:
    ids = {(await auth.add_client("tables:read"))["id"] for _ in range(3)}
    headers = await auth.admin()
    seen, path = [], "/api/auth/clients?limit=1"
    while path:
        page = (await auth.http.get(path, headers=headers)).json()
        seen += [item["id"] for item in page["items"]]
        path = page["next"]
    assert ids <= set(seen)
    assert len(seen) == len(set(seen))


async def test_secret_in_the_form_or_by_basic(auth: Auth) -> None:
    client = await auth.add_client("catalog:read")
    assert await auth.client_token(client)
    basic = base64.b64encode(f"{client['id']}:{client['secret']}".encode()).decode()
    answer = await auth.form(
        {"grant_type": "client_credentials"}, headers={"Authorization": f"Basic {basic}"}
    )
    assert answer.json()["scope"] == "catalog:read"
    for header in ("Basic !!!", "Basic /w==", "Basic"):
        refused = await auth.form(
            {"grant_type": "client_credentials"}, headers={"Authorization": header}
        )
        assert (refused.status_code, refused.json()["code"]) == (401, "invalid_client")
        assert "Basic" in refused.headers["WWW-Authenticate"]


async def test_scopes_may_be_narrowed_and_never_widened(auth: Auth) -> None:
    client = await auth.add_client("tables:read", "records:read")
    form = await token_form(client["id"], client["secret"], scope="records:read")
    assert (await auth.form(form)).json()["scope"] == "records:read"
    for scope in ("tables:write", "records:read internal"):
        refused = await auth.form(form | {"scope": scope})
        assert (refused.status_code, refused.json()["code"]) == (400, "invalid_scope")


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"scopes": ["internal"]}, "scopes"),
        ({"scopes": ["tables:read", "internal"]}, "scopes"),
        ({"scopes": []}, "scopes"),
        ({"scopes": ["everything"]}, "scopes.0"),
        ({"id": "Ann@example.com", "scopes": ["tables:read"]}, "id"),
        ({"id": "3f0c8a0e-9d2b-4e59-9b3e-0d6e7a1b2c3d", "scopes": ["tables:read"]}, "id"),
        ({"id": "client:x", "scopes": ["tables:read"]}, "id"),
        ({"name": "no\0name", "scopes": ["tables:read"]}, "name"),
    ],
)
async def test_what_cannot_be_granted_is_refused(
    auth: Auth, fields: dict[str, object], field: str
) -> None:
    answer = await auth.post("/api/auth/clients", fields, headers=await auth.admin())
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == field


async def test_an_id_is_never_given_twice(auth: Auth) -> None:
    client = await auth.add_client("tables:read", id="once-only")
    headers = await auth.admin()
    body = {"id": "once-only", "scopes": ["tables:read"]}
    taken = await auth.post("/api/auth/clients", body, headers=headers)
    assert (taken.status_code, taken.json()["code"]) == (409, "client_exists")
    assert (
        await auth.http.delete("/api/auth/clients/once-only", headers=headers)
    ).status_code == 204
    again = await auth.post("/api/auth/clients", body, headers=headers)
    assert again.json()["code"] == "client_exists"
    ours = await auth.post("/api/auth/clients", body | {"id": "catalog"}, headers=headers)
    assert ours.json()["code"] == "client_exists"
    assert client["secret"] not in again.text


async def test_a_revoked_client_gets_no_more_tokens(auth: Auth) -> None:
    client = await auth.add_client("tables:read")
    headers = await auth.admin()
    path = f"/api/auth/clients/{client['id']}"
    assert (await auth.http.delete(path, headers=headers)).status_code == 204
    refused = await auth.form(await token_form(client["id"], client["secret"]))
    assert (refused.status_code, refused.json()["code"]) == (401, "invalid_client")
    assert (await auth.http.delete(path, headers=headers)).status_code == 404
    listed = (await auth.http.get("/api/auth/clients", headers=headers)).json()["items"]
    assert client["id"] not in {item["id"] for item in listed}
    events = await auth.events(object=client["sub"])
    assert [event["action"] for event in events] == ["client.revoke", "client.create"]


async def test_our_services_get_the_internal_scope_and_no_other(auth: Auth) -> None:
    form = await token_form("catalog", INTERNAL_SECRETS["catalog"])
    answer = (await auth.form(form)).json()
    assert answer["scope"] == "internal"
    found = await auth.http.get(
        "/internal/subjects",
        params={"identifier": "root@example.com"},
        headers=bearer(answer["access_token"]),
    )
    assert found.json()["name"] == "root"
    assert (await auth.form(form | {"scope": "tables:read"})).json()["code"] == "invalid_scope"
    crossed = await token_form("catalog", INTERNAL_SECRETS["records"])
    assert (await auth.form(crossed)).status_code == 401


async def test_subjects_are_found_by_address_id_and_sub(auth: Auth) -> None:
    user = await auth.add_user()
    client = await auth.add_client("tables:read", name="Loader")
    headers = bearer(await auth.peer_token())

    async def find(identifier: str) -> tuple[int, dict[str, object]]:
        answer = await auth.http.get(
            "/internal/subjects", params={"identifier": identifier}, headers=headers
        )
        return answer.status_code, answer.json()

    person = {
        "sub": user["sub"],
        "email": user["email"],
        "name": user["username"],
        "role": "member",
        "disabled": False,
    }
    for identifier in (user["email"], user["email"].upper(), user["sub"], user["sub"].upper()):
        assert await find(identifier) == (200, person)
    for identifier in (client["id"], client["sub"]):
        status, answer = await find(identifier)
        assert (status, answer["sub"], answer["name"]) == (200, client["sub"], "Loader")
    for identifier in ("nobody", "nobody@example.com", user["username"], "client:", "", "@", "é@"):
        assert (await find(identifier))[0] == 404


async def subject_of(auth: Auth, identifier: str) -> dict[str, Any]:
    answer = await auth.post(
        "/internal/subjects", {"identifier": identifier}, headers=bearer(await auth.peer_token())
    )
    assert answer.status_code == 200, answer.text
    subject: dict[str, Any] = answer.json()
    return subject


async def test_an_address_has_its_subject_before_it_has_an_account(auth: Auth) -> None:
    before = await subject_of(auth, "Later@Example.com")
    assert before == {
        "sub": before["sub"],
        "email": "later@example.com",
        "name": None,
        "role": None,
        "disabled": False,
    }
    assert await subject_of(auth, "later@example.com") == before
    user = await auth.add_user(email="later@example.com")
    assert user["sub"] == before["sub"]
    assert await subject_of(auth, "later@example.com") == before


async def test_an_account_that_is_there_answers_like_one_that_is_not(auth: Auth) -> None:
    user = await auth.add_user(role="admin")
    there, absent = [await subject_of(auth, email) for email in (user["email"], "no@example.com")]
    assert there["sub"] == user["sub"]
    assert {**there, "sub": "", "email": ""} == {**absent, "sub": "", "email": ""}


async def test_a_grant_names_a_client_that_is_there(auth: Auth) -> None:
    client = await auth.add_client("tables:read")
    assert (await subject_of(auth, client["id"]))["sub"] == client["sub"]
    headers = bearer(await auth.peer_token())
    for identifier, status in (("no-client", 404), ("a@b@c", 422), ("@", 422)):
        answer = await auth.post("/internal/subjects", {"identifier": identifier}, headers=headers)
        assert answer.status_code == status, answer.text


async def test_subjects_are_for_services_alone(auth: Auth) -> None:
    params = {"identifier": "root@example.com"}
    for headers in (
        await auth.admin(),
        bearer(await auth.client_token(await auth.add_client("tables:read"))),
    ):
        answer = await auth.http.get("/internal/subjects", params=params, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing")
    assert (await auth.http.get("/internal/subjects", params=params)).status_code == 401


async def test_a_secret_is_answered_once_under_a_key(auth: Auth) -> None:
    headers = await auth.admin() | {"Idempotency-Key": "client-1"}
    body = {"id": "made-once", "name": "a program", "scopes": ["tables:read"]}
    first = await auth.post("/api/auth/clients", body, headers=headers)
    assert first.status_code == 201
    again = await auth.post("/api/auth/clients", body, headers=headers)
    assert (again.status_code, again.json()["code"]) == (409, "idempotency_answer_lost")
    kept = await auth.sql("SELECT * FROM auth.idempotency")
    assert kept
    assert first.json()["secret"] not in repr(kept)
    listed = (await auth.http.get("/api/auth/clients", headers=headers)).json()["items"]
    assert [item["id"] for item in listed].count("made-once") == 1
