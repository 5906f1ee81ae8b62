"""Refresh tokens rotate; a copy ends the session; what ends stays ended."""

import asyncio

import pytest

from services.auth.service.housekeeping import Housekeeping
from shared.store.engine import database_engine
from tests.auth.driving import PASSWORD, Auth, bearer, some_address

BACKDATE = "UPDATE auth.refresh_tokens SET used_at = used_at - interval '31 s'"


async def test_the_refresh_token_rotates(auth: Auth) -> None:
    user = await auth.add_user()
    pair = await auth.sign_in(user["username"])
    answer = await auth.post("/api/token/refresh", {"refresh": pair["refresh"]})
    assert answer.status_code == 200
    assert set(answer.json()) == {"access", "refresh"}
    assert answer.json()["refresh"] != pair["refresh"]
    assert (await auth.me(answer.json()["access"])).json()["sub"] == user["sub"]


async def test_within_the_grace_an_old_token_gives_a_fresh_pair_of_the_same_session(
    auth: Auth,
) -> None:
    user = await auth.add_user()
    first = (await auth.sign_in(user["username"]))["refresh"]
    answers = await asyncio.gather(
        *(auth.post("/api/token/refresh", {"refresh": first}) for _ in range(8))
    )
    assert [answer.status_code for answer in answers] == [200] * 8
    assert len({answer.json()["refresh"] for answer in answers}) == 8
    families = await auth.sql(
        "SELECT count(*) FROM auth.refresh_families WHERE user_id = $1::uuid", user["id"]
    )
    assert families == 1
    for answer in answers:
        again = await auth.post("/api/token/refresh", {"refresh": answer.json()["refresh"]})
        assert again.status_code == 200


async def test_a_later_reuse_ends_the_family_and_is_audited(auth: Auth) -> None:
    user = await auth.add_user()
    other = (await auth.sign_in(user["username"]))["refresh"]
    stolen = (await auth.sign_in(user["username"]))["refresh"]
    newer = (await auth.post("/api/token/refresh", {"refresh": stolen})).json()["refresh"]
    await auth.sql(BACKDATE)
    address = some_address()
    reuse = await auth.post("/api/token/refresh", {"refresh": stolen}, headers=address)
    assert reuse.status_code == 401
    assert reuse.json()["code"] == "invalid_refresh_token"
    ended = await auth.post("/api/token/refresh", {"refresh": newer})
    assert ended.status_code == 401
    untouched = await auth.post("/api/token/refresh", {"refresh": other})
    assert untouched.status_code == 200
    events = await auth.events(subject=user["sub"], action="auth.refresh_reused")
    assert [(event["result"], event["address"]) for event in events] == [
        ("failed", address["X-Forwarded-For"])
    ]


@pytest.mark.parametrize("refresh", ["", "tbr_", "nobody's", "x" * 400])
async def test_an_unknown_refresh_token_is_refused(auth: Auth, refresh: str) -> None:
    answer = await auth.post("/api/token/refresh", {"refresh": refresh})
    assert answer.status_code == 401


async def test_revoke_ends_the_family_and_tells_nothing(auth: Auth) -> None:
    user = await auth.add_user()
    pair = await auth.sign_in(user["username"])
    newer = (await auth.post("/api/token/refresh", {"refresh": pair["refresh"]})).json()
    for refresh in (newer["refresh"], newer["refresh"], "nobody's"):
        answer = await auth.post("/api/auth/revoke", {"refresh": refresh})
        assert answer.status_code == 204
        assert answer.content == b""
    refused = await auth.post("/api/token/refresh", {"refresh": newer["refresh"]})
    assert refused.status_code == 401
    assert len(await auth.events(subject=user["sub"], action="auth.sign_out")) == 1


@pytest.mark.parametrize("table", ["refresh_tokens", "refresh_families"])
async def test_an_expired_token_or_session_is_refused(auth: Auth, table: str) -> None:
    user = await auth.add_user()
    refresh = (await auth.sign_in(user["username"]))["refresh"]
    await auth.sql(f"UPDATE auth.{table} SET expires_at = now() - interval '1 s'")
    assert (await auth.post("/api/token/refresh", {"refresh": refresh})).status_code == 401


async def test_a_refresh_token_never_outlives_its_session(auth: Auth) -> None:
    user = await auth.add_user()
    refresh = (await auth.sign_in(user["username"]))["refresh"]
    await auth.sql("UPDATE auth.refresh_families SET expires_at = now() + interval '1 hour'")
    await auth.post("/api/token/refresh", {"refresh": refresh})
    beyond = await auth.sql(
        "SELECT count(*) FROM auth.refresh_tokens t JOIN auth.refresh_families f"
        " ON f.id = t.family_id WHERE f.user_id = $1::uuid AND t.used_at IS NULL"
        " AND t.expires_at > f.expires_at",
        user["id"],
    )
    assert beyond == 0


async def test_a_disabled_person_gets_no_more_tokens(auth: Auth) -> None:
    user = await auth.add_user()
    pair = await auth.sign_in(user["username"])
    path = f"/api/auth/users/{user['id']}"
    disabled = await auth.http.patch(path, json={"disabled": True}, headers=await auth.admin())
    assert disabled.json()["disabled"] is True
    assert (await auth.post("/api/token/refresh", {"refresh": pair["refresh"]})).status_code == 401
    sign_in = await auth.post("/api/token", {"username": user["email"], "password": PASSWORD})
    assert sign_in.status_code == 401
    # The access token is still good elsewhere for its 15 minutes; here it is not.
    assert (await auth.me(pair["access"])).status_code == 401
    await auth.http.patch(path, json={"disabled": False}, headers=await auth.admin())
    # Enabled again: the old session stays ended, a new one begins.
    assert (await auth.post("/api/token/refresh", {"refresh": pair["refresh"]})).status_code == 401
    assert (await auth.me((await auth.sign_in(user["username"]))["access"])).status_code == 200


async def test_tokens_and_secrets_are_not_in_the_database(auth: Auth) -> None:
    user = await auth.add_user()
    refresh = (await auth.sign_in(user["username"]))["refresh"]
    client = await auth.add_client("tables:read")
    for secret in (refresh, client["secret"], PASSWORD):
        for table in ("refresh_tokens", "refresh_families", "clients", "users"):
            found = await auth.sql(
                f"SELECT count(*) FROM auth.{table} t WHERE t::text LIKE '%' || $1 || '%'", secret
            )
            assert found == 0
    kept = await auth.sql("SELECT password_hash FROM auth.users WHERE id = $1::uuid", user["id"])
    assert kept.startswith("$argon2id$")


async def test_tidying_keeps_what_is_open(auth: Auth) -> None:
    user = await auth.add_user()
    open_one = (await auth.sign_in(user["username"]))["refresh"]
    ended = (await auth.sign_in(user["username"]))["refresh"]
    await auth.post("/api/auth/revoke", {"refresh": ended})
    await auth.sql(
        "UPDATE auth.refresh_families SET ended_at = now() - interval '8 days'"
        " WHERE user_id = $1::uuid AND ended_at IS NOT NULL",
        user["id"],
    )
    async with database_engine(auth.database.url("auth"), application_name="test") as engine:
        await Housekeeping(engine).tidy()
    left = await auth.sql(
        "SELECT count(*) FROM auth.refresh_families WHERE user_id = $1::uuid", user["id"]
    )
    assert left == 1
    assert (await auth.post("/api/token/refresh", {"refresh": open_one})).status_code == 200


async def test_a_change_of_password_ends_the_other_sessions(auth: Auth) -> None:
    user = await auth.add_user()
    here = await auth.sign_in(user["username"])
    there = await auth.sign_in(user["username"])
    body = {"password": "another good passphrase", "current_password": PASSWORD}
    answer = await auth.http.patch("/api/auth/me", json=body, headers=bearer(here["access"]))
    assert answer.status_code == 200
    elsewhere = await auth.post("/api/token/refresh", {"refresh": there["refresh"]})
    assert elsewhere.status_code == 401
    assert (await auth.post("/api/token/refresh", {"refresh": here["refresh"]})).status_code == 200
    await auth.sign_in(user["username"], "another good passphrase")
    old = await auth.post("/api/token", {"username": user["username"], "password": PASSWORD})
    assert old.status_code == 401
    event = (await auth.events(subject=user["sub"], action="user.change_own"))[0]
    assert event["detail"] == {"changed": ["password"], "ended_sessions": 1}
