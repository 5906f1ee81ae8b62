"""Signing in by password: both faces, and every refusal alike."""

import base64

import pytest

from tests.auth.driving import (
    ADMIN,
    ADMIN_EMAIL,
    ADMIN_PASSWORD,
    PASSWORD,
    Auth,
    bearer,
    some_address,
)


@pytest.mark.parametrize("login", [ADMIN, ADMIN.upper(), ADMIN_EMAIL, ADMIN_EMAIL.upper()])
async def test_user_name_and_address_sign_in(auth: Auth, login: str) -> None:
    pair = await auth.sign_in(login, ADMIN_PASSWORD)
    me = (await auth.me(pair["access"])).json()
    assert (me["username"], me["email"], me["role"]) == (ADMIN, ADMIN_EMAIL, "admin")
    assert me["has_password"] is True


async def test_every_refusal_reads_the_same(auth: Auth) -> None:
    disabled = await auth.add_user()
    path = f"/api/auth/users/{disabled['id']}"
    await auth.http.patch(path, json={"disabled": True}, headers=await auth.admin())
    without = await auth.add_user(password=None)
    bodies = set()
    for login in (ADMIN, "nobody", "nobody@example.com", "@", disabled["email"]):
        body = {"username": login, "password": "not the password"}
        answer = await auth.post("/api/token", body)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        bodies.add((answer.json()["code"], answer.json()["detail"]))
    for login in (disabled["username"], without["username"]):
        answer = await auth.post("/api/token", {"username": login, "password": PASSWORD})
        assert answer.status_code == 401
        bodies.add((answer.json()["code"], answer.json()["detail"]))
    assert bodies == {("invalid_credentials", "user name or password are not right")}


async def test_answers_with_tokens_are_not_cached(auth: Auth) -> None:
    body = {"username": ADMIN, "password": ADMIN_PASSWORD}
    answer = await auth.post("/api/token", body)
    assert answer.headers["Cache-Control"] == "no-store"


async def test_unknown_fields_are_refused_in_json(auth: Auth) -> None:
    body = {"username": ADMIN, "password": ADMIN_PASSWORD, "otp": "1"}
    answer = await auth.post("/api/token", body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "otp"


async def test_nul_is_refused_and_breaks_nothing(auth: Auth) -> None:
    answer = await auth.post("/api/token", {"username": "no\0body", "password": "x"})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "username"
    assert (
        await auth.form({"grant_type": "client_credentials", "client_id": "\0"})
    ).is_client_error
    basic = {"Authorization": f"Basic {base64.b64encode(b'%00a:b').decode()}"}
    refused = await auth.form({"grant_type": "client_credentials"}, headers=basic)
    assert refused.status_code == 401
    path = "/api/auth/clients/%00"
    assert (await auth.http.delete(path, headers=await auth.admin())).status_code == 422


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/api/token", r'{"username": "a\ud800", "password": "x"}', "username"),
        ("/api/token", r'{"username": "a", "password": "x\ud800"}', "password"),
        ("/api/token", r'{"username": "a", "password": "x\u0000"}', "password"),
        ("/api/token/refresh", r'{"refresh": "\udfff"}', "refresh"),
        ("/api/auth/revoke", r'{"refresh": "\udfff"}', "refresh"),
        ("/api/auth/otp", r'{"email": "a\ud800@example.com"}', "email"),
        ("/api/auth/otp/verify", r'{"challenge_id": "\ud800", "code": "123456"}', "challenge_id"),
    ],
)
async def test_half_a_surrogate_pair_is_refused(
    auth: Auth, path: str, body: str, field: str
) -> None:
    headers = some_address() | {"Content-Type": "application/json"}
    answer = await auth.http.post(path, content=body, headers=headers)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]


async def test_a_body_that_is_no_json_is_told_where(auth: Auth) -> None:
    headers = some_address() | {"Content-Type": "application/json"}
    answer = await auth.http.post("/api/token", content='{"username": ', headers=headers)
    assert answer.status_code == 422
    assert answer.json()["errors"] == [
        {
            "field": "body",
            "code": "json_invalid",
            "message": "this is no JSON: Expecting value at character 13",
        }
    ]


async def test_what_is_wrong_is_said_in_our_words(auth: Auth) -> None:
    answer = await auth.post("/api/auth/otp/verify", {"challenge_id": "x", "code": "12345"})
    assert answer.json()["detail"] == "code: a code is 6 digits, as they stand in the mail"
    answer = await auth.post("/api/auth/otp", {"email": "nobody"})
    assert answer.json()["detail"] == "email: An email address must have an @-sign."


async def test_the_form_gives_the_answer_of_the_rfc(auth: Auth) -> None:
    form = {"grant_type": "password", "username": ADMIN, "password": ADMIN_PASSWORD, "x": "y"}
    answer = await auth.form(form)
    assert answer.status_code == 200
    body = answer.json()
    assert body["token_type"] == "Bearer"
    assert body["expires_in"] == 900
    assert "tables:write" in body["scope"].split()
    assert (await auth.me(body["access_token"])).status_code == 200
    refreshed = await auth.form(
        {"grant_type": "refresh_token", "refresh_token": body["refresh_token"]}
    )
    assert refreshed.status_code == 200


async def test_swagger_ui_signs_in_with_an_empty_client(auth: Auth) -> None:
    form = {"grant_type": "password", "username": ADMIN, "password": ADMIN_PASSWORD, "scope": ""}
    answer = await auth.form(form, headers={"Authorization": "Basic Og=="})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("form", "status", "code"),
    [
        ({}, 400, "invalid_request"),
        ({"grant_type": "authorization_code"}, 400, "unsupported_grant_type"),
        ({"grant_type": "password", "username": ADMIN}, 400, "invalid_request"),
        (
            {"grant_type": "password", "username": ADMIN, "password": "wrong"},
            400,
            "invalid_grant",
        ),
        ({"grant_type": "refresh_token", "refresh_token": "tbr_nobody"}, 400, "invalid_grant"),
        ({"grant_type": "client_credentials"}, 401, "invalid_client"),
        (
            {"grant_type": "client_credentials", "client_id": "x", "client_secret": "y"},
            401,
            "invalid_client",
        ),
        (
            {"grant_type": "client_credentials", "client_id": "catalog", "client_secret": "y"},
            401,
            "invalid_client",
        ),
        (
            {
                "grant_type": "password",
                "username": ADMIN,
                "password": ADMIN_PASSWORD,
                "scope": "internal",
            },
            400,
            "invalid_scope",
        ),
        (
            {
                "grant_type": "password",
                "username": ADMIN,
                "password": ADMIN_PASSWORD,
                "scope": "everything",
            },
            400,
            "invalid_scope",
        ),
    ],
)
async def test_the_form_refuses_as_the_rfc_says(
    auth: Auth, form: dict[str, str], status: int, code: str
) -> None:
    answer = await auth.form(form)
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert (problem["code"], problem["error"]) == (code, code)


async def test_a_narrowed_sign_in_stays_narrow(auth: Auth) -> None:
    form = {
        "grant_type": "password",
        "username": ADMIN,
        "password": ADMIN_PASSWORD,
        "scope": "tables:read",
    }
    first = (await auth.form(form)).json()
    assert first["scope"] == "tables:read"
    again = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]}
    second = (await auth.form(again)).json()
    assert second["scope"] == "tables:read"
    refused = await auth.http.get("/api/auth/users", headers=bearer(second["access_token"]))
    assert refused.status_code == 403
    assert refused.json()["code"] == "scope_missing"
    wider = {"grant_type": "refresh_token", "refresh_token": second["refresh_token"]}
    assert (await auth.form(wider | {"scope": "tables:write"})).json()["code"] == "invalid_scope"


async def test_a_sign_in_and_a_failure_are_in_the_trail(auth: Auth) -> None:
    user = await auth.add_user()
    address = some_address()
    wrong = {"username": user["username"], "password": "not the password"}
    await auth.post("/api/token", wrong, headers=address)
    await auth.post("/api/token", wrong | {"password": PASSWORD}, headers=address)
    events = await auth.events(subject=user["sub"], action="auth.sign_in")
    assert [event["result"] for event in events] == ["ok", "failed"]
    assert {event["address"] for event in events} == {address["X-Forwarded-For"]}
    assert all(event["request_id"] for event in events)


async def test_a_body_too_large_is_refused(auth: Auth) -> None:
    answer = await auth.post("/api/token", {"username": "x" * 70_000, "password": "y"})
    assert answer.status_code == 413
