"""Disabling, demoting and revoking: access tokens from before are refused within seconds."""

import asyncio
import time

from services.auth.process import opened
from services.auth.rotate_keys import turn
from shared.contracts.auth import REVOCATIONS_PATH, Mark
from tests.auth.driving import PASSWORD, Auth, bearer
from tests.support.waiting import until


async def test_a_disabled_accounts_token_is_refused(auth: Auth) -> None:
    user = await auth.add_user()
    token = (await auth.sign_in(user["username"]))["access"]
    other = (await auth.sign_in((await auth.add_user())["username"]))["access"]

    await auth.change_user(user, disabled=True)
    await auth.until_refused(token)
    assert (await auth.me(other)).status_code == 200


async def test_a_new_role_ends_older_tokens_and_not_those_of_the_next_sign_in(auth: Auth) -> None:
    user = await auth.add_user(role="admin")
    before = (await auth.sign_in(user["username"]))["access"]

    await auth.change_user(user, role="member")
    after = (await auth.sign_in(user["username"]))["access"]
    await auth.until_refused(before)
    answer = await auth.me(after)
    assert (answer.status_code, answer.json().get("role")) == (200, "member")


async def test_signing_out_ends_the_sessions_own_tokens(auth: Auth) -> None:
    user = await auth.add_user()
    ended, kept = [await auth.sign_in(user["username"]) for _ in range(2)]

    await auth.post("/api/auth/revoke", {"refresh": ended["refresh"]})
    await auth.until_refused(ended["access"])
    assert (await auth.me(kept["access"])).status_code == 200


async def test_a_new_password_ends_the_tokens_of_other_sessions(auth: Auth) -> None:
    user = await auth.add_user()
    other, own = [await auth.sign_in(user["username"]) for _ in range(2)]

    change = {"password": "quite another of the tests", "current_password": PASSWORD}
    answer = await auth.http.patch("/api/auth/me", json=change, headers=bearer(own["access"]))
    assert answer.status_code == 200, answer.text
    await auth.until_refused(other["access"])
    assert (await auth.me(own["access"])).status_code == 200


async def test_a_reused_refresh_token_ends_the_sessions_tokens(auth: Auth) -> None:
    user = await auth.add_user()
    pair = await auth.sign_in(user["username"])
    await auth.post("/api/token/refresh", {"refresh": pair["refresh"]})
    await auth.sql("UPDATE auth.refresh_tokens SET used_at = now() - interval '1 h'")

    await auth.post("/api/token/refresh", {"refresh": pair["refresh"]})
    await auth.until_refused(pair["access"])


async def test_a_revoked_clients_token_is_refused(auth: Auth) -> None:
    client = await auth.add_client("records:read")
    token = await auth.client_token(client)

    await auth.http.delete(f"/api/auth/clients/{client['id']}", headers=await auth.admin())
    await auth.until_refused(token)


async def test_replacing_the_signing_keys_ends_every_token(auth: Auth) -> None:
    user = await auth.add_user()
    token = (await auth.sign_in(user["username"]))["access"]
    await turn(auth.settings, everything=True)
    await auth.until_refused(token)
    fresh = (await auth.sign_in(user["username"]))["access"]
    assert (await auth.me(fresh)).status_code == 200


async def test_the_feed_answers_as_soon_as_there_is_news(auth: Auth) -> None:
    last = (await auth.http.get(REVOCATIONS_PATH)).json()["last"]
    user = await auth.add_user()
    waiting = asyncio.create_task(
        auth.http.get(REVOCATIONS_PATH, params={"after": last, "wait_s": 10}, timeout=30)
    )
    started = time.time()
    await auth.change_user(user, disabled=True)
    news = (await waiting).json()
    assert [item["mark"] for item in news["items"]] == [Mark.SUBJECT.of(user["sub"])]
    assert started - 1 <= news["items"][0]["at"] <= time.time() + 1
    assert news["last"] == news["items"][-1]["id"] > last
    # An id that this database never gave: the asker knew another one, and learns everything.
    everything = (await auth.http.get(REVOCATIONS_PATH, params={"after": 10**12})).json()
    assert (everything["last"], len(everything["items"])) == (news["last"], last + 1)


async def test_every_process_of_auth_hears_of_it(auth: Auth) -> None:
    async with opened(auth.settings) as second:
        user = await auth.add_user()
        token = (await auth.sign_in(user["username"]))["access"]
        assert (await second.verifier.verify(token)).sub == user["sub"]
        await auth.change_user(user, disabled=True)
        mark = Mark.SUBJECT.of(user["sub"])
        await until("the other process knows", lambda: second.revocations.revoked.at(mark) > 0)


async def test_the_feed_names_nobody(auth: Auth) -> None:
    user = await auth.add_user()
    await auth.change_user(user, disabled=True)
    answer = await auth.http.get(REVOCATIONS_PATH)
    assert user["sub"] not in answer.text
    assert user["email"] not in answer.text
