"""One's own account, and everybody's for admins."""

import asyncio
from typing import Any

import pytest
from argon2 import PasswordHasher

from tests.auth.driving import ADMIN, ADMIN_PASSWORD, PASSWORD, Auth, bearer, some_address
from tests.support.profile import only_in_full

GOOD = "another good passphrase"


async def change_me(auth: Auth, token: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    answer = await auth.http.patch("/api/auth/me", json=body, headers=bearer(token))
    return answer.status_code, answer.json()


async def change(auth: Auth, user: dict[str, Any], body: dict[str, Any]) -> tuple[int, Any]:
    headers = await auth.admin()
    answer = await auth.http.patch(f"/api/auth/users/{user['id']}", json=body, headers=headers)
    return answer.status_code, answer.json()


async def test_the_user_name_changes(auth: Auth) -> None:
    user = await auth.add_user()
    token = (await auth.sign_in(user["username"]))["access"]
    status, me = await change_me(auth, token, {"username": "Élodie.M-1"})
    assert (status, me["username"]) == (200, "Élodie.M-1")
    await auth.sign_in("élodie.m-1")
    taken, problem = await change_me(auth, token, {"username": ADMIN.upper()})
    assert (taken, problem["code"]) == (409, "username_taken")
    assert (await change_me(auth, token, {}))[0] == 200


@pytest.mark.parametrize(
    "name",
    ["a", "a@b", "with space", "x" * 65, "no\0body", "3f0c8a0e-9d2b-4e59-9b3e-0d6e7a1b2c3d", ".x"],
)
async def test_a_name_that_could_be_taken_for_something_else_is_refused(
    auth: Auth, name: str
) -> None:
    user = await auth.add_user()
    token = (await auth.sign_in(user["username"]))["access"]
    status, problem = await change_me(auth, token, {"username": name})
    assert (status, problem["errors"][0]["field"]) == (422, "username")


@pytest.mark.parametrize(
    "password",
    [
        "short",
        "elevenchars",
        "passwordpassword",
        "Password1234!",
        "123456789012",
        "qwertyuiopasdf",
        "abcabcabcabc",
        "aaaaaaaaaaaaaaaa",
        "x" * 257,
    ],
)
async def test_a_password_that_is_guessed_first_is_refused(auth: Auth, password: str) -> None:
    user = await auth.add_user()
    token = (await auth.sign_in(user["username"]))["access"]
    body = {"password": password, "current_password": PASSWORD}
    status, problem = await change_me(auth, token, body)
    assert (status, problem["errors"][0]["field"]) == (422, "password")
    assert problem["errors"][0]["code"] == "weak_password"


async def test_a_password_does_not_hold_ones_name(auth: Auth) -> None:
    user = await auth.add_user(username="marguerite")
    token = (await auth.sign_in("marguerite"))["access"]
    for password in ("Marguerite likes tables", f"{user['email']} and more"):
        body = {"password": password, "current_password": PASSWORD}
        assert (await change_me(auth, token, body))[0] == 422


async def test_a_wrong_current_password_is_refused_and_slowed_down(auth: Auth) -> None:
    user = await auth.add_user()
    token = (await auth.sign_in(user["username"]))["access"]
    body = {"password": GOOD, "current_password": "not the password"}
    answers = [await change_me(auth, token, body) for _ in range(6)]
    assert [problem["code"] for _, problem in answers] == [
        *["wrong_password"] * 5,
        "too_many_attempts",
    ]
    await auth.sign_in(user["username"])


async def test_a_token_alone_sets_no_password(auth: Auth) -> None:
    user = await auth.add_user()
    token = (await auth.sign_in(user["username"]))["access"]
    status, problem = await change_me(auth, token, {"password": GOOD})
    assert (status, problem["code"]) == (403, "confirmation_needed")
    await auth.sign_in(user["username"])


async def code_for(auth: Auth, email: str) -> dict[str, str]:
    """Challenge and code of a mail to an address."""
    challenge = (await auth.post("/api/auth/otp", {"email": email})).json()["challenge_id"]
    subject = str((await auth.mailbox.wait_for_one_to(email))["Subject"])
    return {"challenge_id": challenge, "code": subject[:6]}


async def test_a_fresh_code_sets_a_password_once(auth: Auth) -> None:
    user = await auth.add_user(password=None)
    code = await code_for(auth, user["email"])
    pair = (await auth.post("/api/auth/otp/verify", code)).json()
    auth.mailbox.received.clear()
    # The code that signed in is used up; another one is needed.
    status, problem = await change_me(auth, pair["access"], {"password": GOOD} | code)
    assert (status, problem["code"]) == (403, "wrong_code")
    fresh = await code_for(auth, user["email"])
    status, me = await change_me(auth, pair["access"], {"password": GOOD} | fresh)
    assert (status, me["has_password"]) == (200, True)
    await auth.sign_in(user["username"], GOOD)
    again = {"password": "yet another passphrase"} | fresh
    assert (await change_me(auth, pair["access"], again))[0] == 403


async def test_a_code_of_another_address_sets_no_password(auth: Auth) -> None:
    user, other = await auth.add_user(), await auth.add_user()
    token = (await auth.sign_in(user["username"]))["access"]
    code = await code_for(auth, other["email"])
    status, problem = await change_me(auth, token, {"password": GOOD} | code)
    assert (status, problem["code"]) == (403, "wrong_code")
    await auth.sign_in(user["username"])


async def test_a_code_wants_its_challenge(auth: Auth) -> None:
    user = await auth.add_user()
    token = (await auth.sign_in(user["username"]))["access"]
    assert (await change_me(auth, token, {"password": GOOD, "code": "123456"}))[0] == 422


@pytest.mark.parametrize("disabled", ["yes", "true", 1, 0, "on"])
async def test_a_flag_is_true_or_false(auth: Auth, disabled: object) -> None:
    status, problem = await change(auth, await auth.add_user(), {"disabled": disabled})
    assert (status, problem["errors"][0]["field"]) == (422, "disabled")


@pytest.mark.parametrize("path", ["/api/auth/users", "/api/auth/clients", "/api/auth/api-keys"])
async def test_an_unknown_parameter_is_refused(auth: Auth, path: str) -> None:
    answer = await auth.http.get(path, params={"ofset": "1"}, headers=await auth.admin())
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "ofset")


async def test_the_password_is_one_however_it_is_composed(auth: Auth) -> None:
    user = await auth.add_user(password="crème brûlée à la carte")
    await auth.sign_in(user["username"], "cre\u0300me bru\u0302le\u0301e a\u0300 la carte")


async def test_a_hash_with_other_parameters_is_made_anew(auth: Auth) -> None:
    user = await auth.add_user()
    old = PasswordHasher(time_cost=2, memory_cost=8192, parallelism=2).hash(PASSWORD)
    kept = "SELECT password_hash FROM auth.users WHERE id = $1::uuid"
    await auth.sql("UPDATE auth.users SET password_hash = $2 WHERE id = $1::uuid", user["id"], old)
    await auth.sign_in(user["username"])
    fresh = await auth.sql(kept, user["id"])
    assert "m=8192,t=1,p=1" in fresh
    await auth.sign_in(user["username"])
    assert await auth.sql(kept, user["id"]) == fresh


async def test_a_machine_client_sees_itself_and_changes_nothing(auth: Auth) -> None:
    client = await auth.add_client("tables:read")
    token = await auth.client_token(client)
    me = (await auth.me(token)).json()
    assert (me["id"], me["sub"], me["scopes"]) == (client["id"], client["sub"], ["tables:read"])
    assert (await change_me(auth, token, {"username": "robot"}))[0] == 403


async def test_admins_list_and_follow_next(auth: Auth) -> None:
    for _ in range(3):
        await auth.add_user()
    headers = await auth.admin()
    whole = (await auth.http.get("/api/auth/users", headers=headers)).json()["items"]
    paged, path = [], "/api/auth/users?limit=2"
    while path:
        page = (await auth.http.get(path, headers=headers)).json()
        paged += page["items"]
        path = page["next"]
    assert paged == whole
    assert all("password_hash" not in user for user in whole)
    found = await auth.http.get("/api/auth/users", params={"q": "ROOT@"}, headers=headers)
    assert [user["username"] for user in found.json()["items"]] == [ADMIN]
    plain = await auth.http.get("/api/auth/users", params={"q": "%"}, headers=headers)
    assert plain.json()["items"] == []


async def test_a_taken_address_or_name_is_told(auth: Auth) -> None:
    user = await auth.add_user()
    headers = await auth.admin()
    again = await auth.post("/api/auth/users", {"email": user["email"].upper()}, headers=headers)
    assert (again.status_code, again.json()["code"]) == (409, "email_taken")
    body = {"email": "fresh@example.com", "username": user["username"].upper()}
    name = await auth.post("/api/auth/users", body, headers=headers)
    assert (name.status_code, name.json()["code"]) == (409, "username_taken")
    weak = await auth.post(
        "/api/auth/users", {"email": "weak@example.com", "password": "short"}, headers=headers
    )
    assert weak.status_code == 422


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/auth/users"),
        ("POST", "/api/auth/users"),
        ("PATCH", "/api/auth/users/3f0c8a0e-9d2b-4e59-9b3e-0d6e7a1b2c3d"),
        ("GET", "/api/auth/clients"),
        ("POST", "/api/auth/clients"),
        ("DELETE", "/api/auth/clients/x"),
        ("POST", "/api/auth/keys/rotate"),
        ("GET", "/api/audit"),
    ],
)
async def test_admins_calls_are_for_admins(auth: Auth, method: str, path: str) -> None:
    bodies = {
        "/api/auth/users": {"email": "x@example.com"},
        "/api/auth/clients": {"name": "x", "scopes": ["tables:read"]},
    }
    body = bodies.get(path, {}) if method in ("POST", "PATCH") else None
    user = await auth.add_user()
    client = await auth.add_client("tables:read")
    for token in (
        (await auth.sign_in(user["username"]))["access"],
        await auth.client_token(client),
    ):
        answer = await auth.http.request(method, path, json=body, headers=bearer(token))
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert (await auth.http.request(method, path, json=body)).status_code == 401


async def test_a_role_given_and_taken_counts_at_once(auth: Auth) -> None:
    user = await auth.add_user()
    assert (await change(auth, user, {"role": "admin"}))[1]["role"] == "admin"
    token = (await auth.sign_in(user["username"]))["access"]
    assert (await auth.http.get("/api/audit", headers=bearer(token))).status_code == 200
    assert (await change(auth, user, {"role": "member"}))[1]["role"] == "member"
    # The token still says admin for up to 15 minutes; auth looks at the account itself.
    assert (await auth.http.get("/api/audit", headers=bearer(token))).status_code == 403
    events = await auth.events(object=f"user:{user['id']}", action="user.change")
    assert [event["detail"] for event in events] == [{"role": "member"}, {"role": "admin"}]


async def test_unknown_accounts_and_fields(auth: Auth) -> None:
    nobody = {"id": "3f0c8a0e-9d2b-4e59-9b3e-0d6e7a1b2c3d"}
    assert (await change(auth, nobody, {"role": "admin"}))[0] == 404
    assert (await change(auth, {"id": "x"}, {"role": "admin"}))[0] == 422
    user = await auth.add_user()
    assert (await change(auth, user, {"role": "owner"}))[0] == 422
    assert (await change(auth, user, {"email": "x@example.com"}))[0] == 422
    assert (await change(auth, user, {}))[0] == 200


@pytest.mark.parametrize("body", [{"role": "member"}, {"disabled": True}])
async def test_the_last_admin_stays(auth: Auth, body: dict[str, Any]) -> None:
    me = (await auth.me((await auth.sign_in(ADMIN, ADMIN_PASSWORD))["access"])).json()
    status, problem = await change(auth, me, body)
    assert (status, problem["code"]) == (409, "last_admin")


@only_in_full
async def test_two_admins_cannot_demote_each_other_at_once(auth: Auth) -> None:
    root = (await auth.me((await auth.sign_in(ADMIN, ADMIN_PASSWORD))["access"])).json()
    for _ in range(5):
        other = await auth.add_user(role="admin")
        tokens = [
            (await auth.sign_in(ADMIN, ADMIN_PASSWORD))["access"],
            (await auth.sign_in(other["username"]))["access"],
        ]
        victims = [other, root]
        answers = await asyncio.gather(
            *(
                auth.http.patch(
                    f"/api/auth/users/{victim['id']}",
                    json={"role": "member"},
                    headers=bearer(token) | some_address(),
                )
                for victim, token in zip(victims, tokens, strict=True)
            )
        )
        assert sorted(answer.status_code for answer in answers) in ([200, 403], [200, 409])
        admins = await auth.sql(
            "SELECT count(*) FROM auth.users WHERE role = 'admin' AND NOT disabled"
        )
        assert admins == 1
        await auth.sql("UPDATE auth.users SET role = 'admin' WHERE username = $1", ADMIN)
        await auth.sql("UPDATE auth.users SET role = 'member' WHERE id = $1::uuid", other["id"])


async def test_an_account_is_made_once_under_a_key(auth: Auth) -> None:
    other = await auth.add_user(role="admin")
    token = (await auth.sign_in(other["username"]))["access"]
    headers = bearer(token) | {"Idempotency-Key": "user-1"}
    body = {"email": "once@example.com", "password": PASSWORD}
    first = await auth.post("/api/auth/users", body, headers=headers)
    again = await auth.post("/api/auth/users", body, headers=headers)
    assert (first.status_code, again.status_code, again.json()) == (201, 201, first.json())
    changed = await auth.post(
        "/api/auth/users", body | {"password": "another one"}, headers=headers
    )
    assert (changed.status_code, changed.json()["code"]) == (422, "idempotency_key_reused")
    # Whoever is no admin any more gets no such answer any more either.
    path = f"/api/auth/users/{other['id']}"
    await auth.http.patch(path, json={"role": "member"}, headers=await auth.admin())
    refused = await auth.post("/api/auth/users", body, headers=headers)
    # 401 once the revocation of the token has arrived.
    assert (refused.status_code, refused.json()["code"]) in (
        (403, "forbidden"),
        (401, "unauthenticated"),
    )
