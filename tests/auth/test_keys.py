"""Signing keys take turns without refusing one token, and are sealed at rest."""

import asyncio
import base64
import datetime as dt
import time
from collections.abc import AsyncIterator

import asyncpg
import httpx2
import pytest
import pytest_asyncio
from jose import jwt

from services.auth.errors import SigningKeysLockedError
from services.auth.process import opened
from services.auth.rotate_keys import turn
from services.auth.service.housekeeping import Housekeeping
from services.auth.settings import AuthSettings
from services.auth.tokens import new_key, open_key, seal
from shared.errors import UnauthenticatedError
from shared.security.tokens import JwksOverHttp, Verifier
from shared.store.engine import database_engine
from tests.auth.driving import ADMIN, ADMIN_PASSWORD, Auth, auth_settings, bearer, running_auth
from tests.support.databases import Database
from tests.support.mailbox import Mailbox
from tests.support.profile import only_in_full
from tests.support.waiting import until

SECRET = bytes(32)


@pytest_asyncio.fixture(loop_scope="session")
async def own(database: Database, mailbox: Mailbox) -> AsyncIterator[Auth]:
    """An auth whose keys no other test turns."""
    async with running_auth(database, mailbox) as running:
        yield running


async def published(auth: Auth) -> list[str]:
    keys = (await auth.http.get("/.well-known/jwks.json")).json()["keys"]
    return [key["kid"] for key in keys]


async def signing_kid(auth: Auth) -> str:
    token = (await auth.sign_in(ADMIN, ADMIN_PASSWORD))["access"]
    kid: str = jwt.get_unverified_header(token)["kid"]
    return kid


async def rotate(auth: Auth) -> dict[str, str]:
    answer = await auth.post("/api/auth/keys/rotate", {}, headers=await auth.admin())
    assert answer.status_code == 200, answer.text
    rotation: dict[str, str] = answer.json()
    return rotation


async def let_time_pass(auth: Auth, interval: str) -> None:
    """Move the keys into the past, and have the running process look again."""
    moments = ("published_at", "usable_from", "signs_from", "signs_until")
    shifts = ", ".join(f"{name} = {name} - interval '{interval}'" for name in moments)
    await auth.sql(f"UPDATE auth.signing_keys SET {shifts}")
    await auth.restart()


async def test_the_first_rotation_after_the_first_start_is_at_once(own: Auth) -> None:
    current, following = await published(own)
    assert await signing_kid(own) == current
    rotation = await rotate(own)
    assert rotation["kid"] == following
    assert dt.datetime.fromisoformat(rotation["signs_from"]) <= dt.datetime.now(dt.UTC)
    assert await published(own) == [current, following, rotation["next_kid"]]
    assert await signing_kid(own) == following


async def test_a_key_signs_only_after_every_verifier_can_know_it(own: Auth) -> None:
    first = await rotate(own)
    second = await rotate(own)
    assert second["kid"] == first["next_kid"]
    wait = dt.datetime.fromisoformat(second["signs_from"]) - dt.datetime.now(dt.UTC)
    assert dt.timedelta(minutes=9) < wait <= dt.timedelta(minutes=10)
    assert await signing_kid(own) == first["kid"]
    assert await rotate(own) == second  # ordered already
    await let_time_pass(own, "11 minutes")
    assert await signing_kid(own) == second["kid"]


async def test_rotations_refuse_not_one_token(own: Auth) -> None:
    """A verifier that asks for the keys only as often as services do takes every token."""
    async with httpx2.AsyncClient(trust_env=False) as http:
        settings = auth_settings(own.database, own.mailbox, auth_url=own.url)
        verifier = Verifier(JwksOverHttp(http, settings), settings)
        old = (await own.sign_in(ADMIN, ADMIN_PASSWORD))["access"]
        await verifier.verify(old)
        done = False

        async def sign_and_verify() -> int:
            count = 0
            while not done:
                token = (await own.sign_in(ADMIN, ADMIN_PASSWORD))["access"]
                await verifier.verify(token)
                assert (await own.me(token)).status_code == 200
                count += 1
            return count

        async with asyncio.TaskGroup() as group:
            busy = [group.create_task(sign_and_verify()) for _ in range(4)]
            for _ in range(3):
                await rotate(own)
            done = True
        assert all(task.result() > 0 for task in busy)
        await verifier.verify(old)


async def test_an_old_key_stays_until_its_tokens_are_gone(own: Auth) -> None:
    current, *_ = await published(own)
    token = (await own.sign_in(ADMIN, ADMIN_PASSWORD))["access"]
    await rotate(own)
    await let_time_pass(own, "16 minutes")
    assert current in await published(own)
    assert (await own.me(token)).status_code == 200
    await let_time_pass(own, "2 minutes")
    assert current not in await published(own)


async def test_a_retired_private_key_is_destroyed_before_the_public_one(own: Auth) -> None:
    current, *_ = await published(own)
    await rotate(own)
    await let_time_pass(own, "3 minutes")
    async with database_engine(own.database.url("auth"), application_name="test") as engine:
        await Housekeeping(engine).tidy()
    private = "SELECT private_key IS NOT NULL FROM auth.signing_keys WHERE kid = $1"
    assert await own.sql(private, current) is False
    assert current in await published(own)
    await let_time_pass(own, "20 minutes")
    async with database_engine(own.database.url("auth"), application_name="test") as engine:
        await Housekeeping(engine).tidy()
    assert await own.sql(private, current) is None


@only_in_full
async def test_a_clock_that_was_set_back_stops_no_signing(own: Auth) -> None:
    current, following = await published(own)
    await let_time_pass(own, "-1 hour")
    assert await signing_kid(own) == current
    rotation = await rotate(own)
    assert rotation["kid"] == following
    assert await signing_kid(own) == current  # until every verifier can know the next one
    await let_time_pass(own, "11 minutes")
    assert await signing_kid(own) == following
    await own.sql("UPDATE auth.signing_keys SET private_key = NULL WHERE kid = $1", current)
    await let_time_pass(own, "-1 hour")
    # The turn of a key that is retired lies ahead again; the one after it signs.
    assert await signing_kid(own) == following
    assert (await rotate(own))["kid"] == rotation["next_kid"]


async def test_a_ring_that_is_long_in_reading_leaves_the_clock_right(own: Auth) -> None:
    """A token issued in the past would be under a revocation that came before its sign-in."""
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND database = (SELECT oid FROM"
    waiting += " pg_database WHERE datname = current_database())"
    async with opened(auth_settings(own.database, own.mailbox)) as process:
        process.keys.forget()
        owner = await asyncpg.connect(own.database.url())
        looking = await asyncpg.connect(own.database.url())
        held = owner.transaction()
        await held.start()
        await owner.execute("LOCK TABLE auth.signing_keys")
        began = time.time()
        reading = asyncio.create_task(process.keys.signing_key())
        await until("the ring is being read", lambda: looking.fetchval(waiting))
        waits = time.time()
        # Twice as long as it takes to ask for the time, however slow the machine is.
        await until("it took long", lambda: time.time() > 2 * waits - began)
        await held.rollback()
        await reading
        assert process.keys.clock() >= waits
        await owner.close()
        await looking.close()


async def test_the_command_turns_and_replaces(own: Auth) -> None:
    current, following = await published(own)
    settings = auth_settings(own.database, own.mailbox)
    turned = await turn(settings, everything=False)
    assert turned["kid"] == following
    await own.restart()
    old = await own.sign_in(ADMIN, ADMIN_PASSWORD)
    replaced = await turn(settings, everything=True)
    assert replaced["kid"] not in (current, following)
    await own.restart()
    assert await published(own) == [replaced["kid"], replaced["next_kid"]]
    assert (await own.me(old["access"])).status_code == 401
    # The session goes on.
    answer = await own.post("/api/token/refresh", {"refresh": old["refresh"]})
    assert (await own.me(answer.json()["access"])).status_code == 200
    actions = {event["action"] for event in await own.events(subject="operator")}
    assert actions == {"auth.rotate_keys", "auth.replace_keys"}


async def test_only_admins_rotate(own: Auth) -> None:
    user = await own.add_user()
    headers = bearer((await own.sign_in(user["username"]))["access"])
    answer = await own.post("/api/auth/keys/rotate", {}, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


async def test_processes_that_start_together_make_one_pair(
    database: Database, mailbox: Mailbox
) -> None:
    async with (
        running_auth(database, mailbox) as one,
        running_auth(database, mailbox) as two,
    ):
        assert await published(one) == await published(two)
        assert len(await published(one)) == 2
        token = (await one.sign_in(ADMIN, ADMIN_PASSWORD))["access"]
        assert (await two.me(token)).status_code == 200


async def test_another_secret_is_refused_at_start(database: Database, mailbox: Mailbox) -> None:
    async with running_auth(database, mailbox):
        pass
    other = base64.urlsafe_b64encode(bytes(32)).decode()
    settings = auth_settings(database, mailbox, signing_key_secret=other)
    with pytest.raises(SigningKeysLockedError, match="SIGNING_KEY_SECRET"):
        await turn_on(settings)


async def turn_on(settings: AuthSettings) -> None:
    async with opened(settings):
        pass


async def test_a_sealed_key_opens_only_under_its_own_kid() -> None:
    key, other = new_key(), new_key()
    sealed = seal(key.private_pem, kid=key.kid, secret=SECRET)
    assert key.private_pem not in sealed
    assert open_key(sealed, kid=key.kid, secret=SECRET).kid == key.kid
    with pytest.raises(SigningKeysLockedError):
        open_key(sealed, kid=other.kid, secret=SECRET)
    with pytest.raises(SigningKeysLockedError):
        open_key(sealed[:-1] + bytes([sealed[-1] ^ 1]), kid=key.kid, secret=SECRET)


async def test_the_private_key_is_not_readable_at_rest(own: Auth) -> None:
    kept: bytes = await own.sql("SELECT string_agg(private_key, '') FROM auth.signing_keys")
    assert len(kept) > 200
    assert b"PRIVATE" not in kept
    rows: str = await own.sql("SELECT string_agg(public_jwk::text, '') FROM auth.signing_keys")
    assert '"d"' not in rows


async def test_a_verifier_refuses_what_a_replaced_key_signs(own: Auth) -> None:
    token = (await own.sign_in(ADMIN, ADMIN_PASSWORD))["access"]
    await turn(auth_settings(own.database, own.mailbox), everything=True)
    await own.restart()
    async with httpx2.AsyncClient(trust_env=False) as http:
        settings = auth_settings(own.database, own.mailbox, auth_url=own.url)
        verifier = Verifier(JwksOverHttp(http, settings), settings)
        with pytest.raises(UnauthenticatedError):
            await verifier.verify(token)
