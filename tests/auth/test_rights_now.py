"""What a caller may do now, for services that go on after the caller's token has ended."""

import datetime as dt
from typing import Any

from shared.contracts.auth import GRANTABLE_SCOPES
from tests.auth.driving import Auth, bearer

PATH = "/internal/callers/now"


async def now(auth: Auth, sub: str, *, api_key: str | None = None) -> dict[str, Any] | None:
    """What auth answers; None for 404."""
    answer = await auth.http.post(
        PATH, json={"sub": sub, "api_key": api_key}, headers=bearer(await auth.peer_token())
    )
    if answer.status_code == 404:
        return None
    assert answer.status_code == 200, answer.text
    caller: dict[str, Any] = answer.json()
    return caller


async def test_a_person_may_all_until_disabled(auth: Auth) -> None:
    user = await auth.add_user()
    caller = await now(auth, user["sub"])
    assert caller is not None
    assert (caller["sub"], caller["email"], caller["role"]) == (
        user["sub"], user["email"], "member",
    )  # fmt: skip
    assert set(caller["scopes"]) == {scope.value for scope in GRANTABLE_SCOPES}
    await auth.change_user(user, role="admin")
    caller = await now(auth, user["sub"])
    assert caller is not None
    assert caller["role"] == "admin"
    await auth.change_user(user, disabled=True)
    assert await now(auth, user["sub"]) is None


async def test_a_machine_client_has_its_scopes_until_revoked(auth: Auth) -> None:
    client = await auth.add_client("imports:write", "tables:read")
    caller = await now(auth, client["sub"])
    assert caller is not None
    assert (caller["role"], set(caller["scopes"])) == (None, {"imports:write", "tables:read"})
    answer = await auth.http.delete(f"/api/auth/clients/{client['id']}", headers=await auth.admin())
    assert answer.status_code == 204
    assert await now(auth, client["sub"]) is None


async def test_an_api_key_narrows_its_owner_until_revoked(auth: Auth) -> None:
    user = await auth.add_user()
    token = (await auth.sign_in(user["username"]))["access"]
    body = {
        "name": "nightly",
        "scopes": ["imports:write"],
        "expires_at": (dt.datetime.now(dt.UTC) + dt.timedelta(days=1)).isoformat(),
    }
    made = await auth.post("/api/auth/api-keys", body, headers=bearer(token))
    assert made.status_code == 201, made.text
    key = made.json()["id"]
    caller = await now(auth, user["sub"], api_key=key)
    assert caller is not None
    assert caller["scopes"] == ["imports:write"]
    other = await auth.add_user()
    assert await now(auth, other["sub"], api_key=key) is None
    answer = await auth.http.delete(f"/api/auth/api-keys/{key}", headers=bearer(token))
    assert answer.status_code == 204
    assert await now(auth, user["sub"], api_key=key) is None
    assert await now(auth, user["sub"]) is not None


async def test_nobody_unknown_may_anything(auth: Auth) -> None:
    for sub in ("", "nobody", "client:", "client:nobody", "00000000-0000-0000-0000-000000000000"):
        assert await now(auth, sub) is None
        assert await now(auth, sub, api_key="x") is None


async def test_it_is_for_services_alone(auth: Auth) -> None:
    refused = await auth.http.post(PATH, json={"sub": "x"}, headers=await auth.admin())
    assert (refused.status_code, refused.json()["code"]) == (403, "scope_missing")
