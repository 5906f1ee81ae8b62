"""API keys: created by people, exchanged by the gateway, and gone within seconds."""

import datetime as dt
import hashlib
from typing import Any

import httpx2
import pytest
from jose import jwt

from shared.contracts.auth import API_KEY_PATH, GRANTABLE_SCOPES
from tests.auth.driving import Auth, bearer

PATH = "/api/auth/api-keys"
SCOPES = ["catalog:write", "records:read"]


def within(**time: float) -> str:
    return (dt.datetime.now(dt.UTC) + dt.timedelta(**time)).isoformat()


async def person(auth: Auth, **fields: Any) -> dict[str, str]:
    """Headers of a new account."""
    user = await auth.add_user(**fields)
    return bearer((await auth.sign_in(user["username"]))["access"])


async def new_key(auth: Auth, headers: dict[str, str], **fields: Any) -> dict[str, Any]:
    body = {"name": "nightly dbt", "scopes": SCOPES} | fields
    answer = await auth.post(PATH, body, headers=headers)
    assert answer.status_code == 201, answer.text
    key: dict[str, Any] = answer.json()
    return key


async def exchange(auth: Auth, key: str) -> httpx2.Response:
    headers = {b"Authorization": f"Bearer {key}".encode()}
    return await auth.http.post(API_KEY_PATH, headers=headers)


async def test_a_key_is_shown_once_and_stored_as_a_digest(auth: Auth) -> None:
    headers = await person(auth)
    key = await new_key(auth, headers, expires_at=within(days=30))

    assert key["key"].startswith("tab_")
    listed = (await auth.http.get(PATH, headers=headers)).json()["items"]
    assert listed == [{name: value for name, value in key.items() if name != "key"}]
    assert (listed[0]["scopes"], listed[0]["last_used_at"]) == (SCOPES, None)
    digest = await auth.sql("SELECT digest FROM auth.api_keys WHERE id = $1", key["id"])
    assert digest == hashlib.sha256(key["key"].encode()).digest()


async def test_a_key_gives_a_short_token_that_names_it(auth: Auth) -> None:
    user = await auth.add_user()
    headers = bearer((await auth.sign_in(user["username"]))["access"])
    key = await new_key(auth, headers)

    answer = (await exchange(auth, key["key"])).json()
    claims = jwt.get_unverified_claims(answer["access_token"])
    assert (claims["sub"], claims["email"], claims["role"]) == (
        user["sub"],
        user["email"],
        "member",
    )
    assert (claims["scope"], claims["api_key"]) == (" ".join(SCOPES), key["id"])
    assert claims["exp"] - claims["iat"] == answer["expires_in"] == 120
    me = (await auth.me(answer["access_token"])).json()
    assert (me["email"], me["scopes"]) == (user["email"], SCOPES)
    [listed] = (await auth.http.get(PATH, headers=headers)).json()["items"]
    assert listed["last_used_at"] is not None


async def test_a_token_ends_with_its_key(auth: Auth) -> None:
    key = await new_key(auth, await person(auth))
    await auth.sql(
        "UPDATE auth.api_keys SET expires_at = now() + interval '20 s' WHERE id = $1", key["id"]
    )
    assert (await exchange(auth, key["key"])).json()["expires_in"] <= 20
    await auth.sql("UPDATE auth.api_keys SET expires_at = now() WHERE id = $1", key["id"])
    assert (await exchange(auth, key["key"])).json()["code"] == "invalid_api_key"


@pytest.mark.parametrize(
    ("fields", "field", "code"),
    [
        ({"scopes": []}, "scopes", "too_short"),
        ({"scopes": ["internal"]}, "scopes", "not_grantable"),
        ({"scopes": ["none:such"]}, "scopes.0", "enum"),
        ({"name": ""}, "name", "too_short"),
        ({"name": "a\0b"}, "name", "nul_byte"),
        ({"expires_at": "2031-01-01T00:00:00"}, "expires_at", "timezone_aware"),
        ({"expires_at": "2001-01-01T00:00:00Z"}, "expires_at", "out_of_range"),
        ({"expires_at": within(days=367)}, "expires_at", "out_of_range"),
        ({"expires_at": "9999-12-31T23:59:59-12:00"}, "expires_at", "out_of_range"),
    ],
)
async def test_what_does_not_fit_is_refused_by_name(
    auth: Auth, fields: dict[str, Any], field: str, code: str
) -> None:
    body = {"name": "k", "scopes": SCOPES} | fields
    answer = await auth.post(PATH, body, headers=await person(auth))
    assert answer.status_code == 422, answer.text
    assert [(error["field"], error["code"]) for error in answer.json()["errors"]] == [(field, code)]


async def test_a_key_opens_no_more_than_the_token_that_made_it(auth: Auth) -> None:
    user = await auth.add_user()
    form = {"grant_type": "password", "username": user["username"], "scope": "records:read"}
    form["password"] = "a password of the tests 42"
    narrow = (await auth.form(form)).json()["access_token"]

    for scopes, status in ((SCOPES, 422), (["records:read"], 201)):
        answer = await auth.post(PATH, {"name": "k", "scopes": scopes}, headers=bearer(narrow))
        assert answer.status_code == status, answer.text


async def test_machine_clients_have_no_keys(auth: Auth) -> None:
    client = await auth.add_client("records:read")
    token = bearer(await auth.client_token(client))
    body = {"name": "k", "scopes": ["records:read"]}
    assert (await auth.post(PATH, body, headers=token)).status_code == 403
    assert (await auth.http.get(PATH, headers=token)).json()["items"] == []


async def test_a_key_opens_no_call_of_accounts_and_keys(auth: Auth) -> None:
    scopes = [scope.value for scope in GRANTABLE_SCOPES]
    headers = await person(auth, role="admin")
    key = await new_key(auth, headers, scopes=scopes)
    token = bearer((await exchange(auth, key["key"])).json()["access_token"])

    calls = (
        ("POST", PATH, {"name": "another", "scopes": scopes}),
        ("DELETE", f"{PATH}/{key['id']}", None),
        ("PATCH", "/api/auth/me", {"username": "somebody-else"}),
        ("GET", "/api/auth/users", None),
        ("POST", "/api/auth/clients", {"scopes": ["records:read"]}),
        ("POST", "/api/auth/keys/rotate", None),
        ("GET", "/api/audit", None),
    )
    for method, path, body in calls:
        answer = await auth.http.request(method, path, json=body, headers=token)
        assert (answer.status_code, answer.json()["code"]) == (403, "api_key_refused"), path


async def test_a_revoked_key_is_refused_and_so_is_its_token(auth: Auth) -> None:
    headers = await person(auth)
    key, other = await new_key(auth, headers), await new_key(auth, headers)
    token = (await exchange(auth, key["key"])).json()["access_token"]
    kept = (await exchange(auth, other["key"])).json()["access_token"]

    assert (await auth.http.delete(f"{PATH}/{key['id']}", headers=headers)).status_code == 204
    assert (await exchange(auth, key["key"])).status_code == 401
    await auth.until_refused(token)
    assert (await auth.me(kept)).status_code == 200
    assert (await auth.http.delete(f"{PATH}/{key['id']}", headers=headers)).status_code == 404
    actions = [event["action"] for event in await auth.events(object=f"api_key:{key['id']}")]
    assert actions == ["api_key.revoke", "api_key.create"]


async def test_keys_are_their_owners_and_the_admins(auth: Auth) -> None:
    key = await new_key(auth, await person(auth))
    stranger = await person(auth)
    path = f"{PATH}/{key['id']}"
    assert (await auth.http.delete(path, headers=stranger)).status_code == 404
    assert (await auth.http.get(PATH, headers=stranger)).json()["items"] == []
    assert (await auth.http.delete(path, headers=await auth.admin())).status_code == 204


async def test_a_key_ends_with_its_owners_account(auth: Auth) -> None:
    user = await auth.add_user()
    headers = bearer((await auth.sign_in(user["username"]))["access"])
    key = await new_key(auth, headers)
    token = (await exchange(auth, key["key"])).json()["access_token"]

    await auth.change_user(user, disabled=True)
    assert (await exchange(auth, key["key"])).status_code == 401
    await auth.until_refused(token)


async def test_a_key_follows_its_owners_role(auth: Auth) -> None:
    user = await auth.add_user(role="admin")
    headers = bearer((await auth.sign_in(user["username"]))["access"])
    key = await new_key(auth, headers)
    before = (await exchange(auth, key["key"])).json()["access_token"]

    await auth.change_user(user, role="member")
    await auth.until_refused(before)
    after = (await exchange(auth, key["key"])).json()["access_token"]
    assert (await auth.me(after)).json()["role"] == "member"


@pytest.mark.parametrize("key", ["tab_", "tab_" + "x" * 43, "tab_ü", "no key"])
async def test_what_is_no_key_is_refused(auth: Auth, key: str) -> None:
    answer = await exchange(auth, key)
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_api_key")


async def test_keys_come_in_pages(auth: Auth) -> None:
    headers = await person(auth)
    made = [(await new_key(auth, headers, name=f"key {number}"))["id"] for number in range(5)]
    listed, path = [], f"{PATH}?limit=2"
    while path:
        body = (await auth.http.get(path, headers=headers)).json()
        listed += [key["id"] for key in body["items"]]
        path = body["next"]
    assert listed == made
    bad = await auth.http.get(PATH, params={"cursor": "none"}, headers=headers)
    assert bad.json()["errors"][0]["field"] == "cursor"


async def test_a_person_has_so_many_keys_at_most(auth: Auth) -> None:
    headers = await person(auth)
    first = await new_key(auth, headers)
    await auth.sql(
        "INSERT INTO auth.api_keys (user_id, name, digest, scopes, expires_at)"
        " SELECT user_id, name, sha256(n::text::bytea), scopes, expires_at"
        " FROM auth.api_keys, generate_series(1, 99) AS n WHERE id = $1",
        first["id"],
    )
    body = {"name": "one more", "scopes": SCOPES}
    answer = await auth.post(PATH, body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (409, "too_many_api_keys")
    await auth.http.delete(f"{PATH}/{first['id']}", headers=headers)
    assert (await auth.post(PATH, body, headers=headers)).status_code == 201


async def test_repeating_the_call_under_one_idempotency_key_makes_one_key(auth: Auth) -> None:
    headers = await person(auth) | {"Idempotency-Key": "once"}
    body = {"name": "k", "scopes": SCOPES}
    assert (await auth.post(PATH, body, headers=headers)).status_code == 201
    again = await auth.post(PATH, body, headers=headers)
    assert (again.status_code, again.json()["code"]) == (409, "idempotency_answer_lost")
    assert len((await auth.http.get(PATH, headers=headers)).json()["items"]) == 1
