"""Guessing: how many tries get through, and whom the slowing-down meets.

Bounded runs on loopback against this service alone, without the gateway's limits before it.
"""

import asyncio
import re
from collections import Counter
from typing import Any

import httpx2

from services.auth.domain import ADDRESS_BACK_OFF, BackOff
from services.auth.repository import limits
from shared.store.engine import database_engine
from tests.auth.driving import PASSWORD, Auth, running_auth, some_address
from tests.support.databases import Database
from tests.support.mailbox import Mailbox
from tests.support.profile import only_in_full

AT_ONCE = 40


async def test_of_200_parallel_guesses_at_a_code_five_get_through(auth: Auth) -> None:
    email = "guessed@example.com"
    challenge = (await auth.post("/api/auth/otp", {"email": email})).json()["challenge_id"]
    code = int(str((await auth.mailbox.wait_for_one_to(email))["Subject"])[:6])
    bodies = [
        {"challenge_id": challenge, "code": f"{(code + offset) % 1_000_000:06d}"}
        for offset in range(1, 201)
    ]
    places = asyncio.Semaphore(AT_ONCE)  # more would wait for a connection, on a slow machine long

    async def guess(body: dict[str, Any]) -> httpx2.Response:
        async with places:
            return await auth.post("/api/auth/otp/verify", body)

    answers = await asyncio.gather(*(guess(body) for body in bodies))
    assert {answer.status_code for answer in answers} == {401}
    # Nobody can tell a try that was compared from one that was not.
    assert len({answer.json()["detail"] for answer in answers}) == 1
    tries = await auth.sql("SELECT tries FROM auth.otp_challenges WHERE id = $1", challenge)
    assert tries == 5
    right = {"challenge_id": challenge, "code": f"{code:06d}"}
    assert (await auth.post("/api/auth/otp/verify", right)).status_code == 401


async def test_an_address_gets_five_codes_and_so_25_guesses_an_hour(auth: Auth) -> None:
    email = "hour@example.com"
    challenges = []
    for _ in range(12):
        answer = await auth.post("/api/auth/otp", {"email": email})
        if answer.status_code == 202:
            challenges.append(answer.json()["challenge_id"])
    assert len(challenges) == 5
    for challenge in challenges:
        for guess in range(10):
            body = {"challenge_id": challenge, "code": f"{guess:06d}"}
            await auth.post("/api/auth/otp/verify", body)
    tries = await auth.sql("SELECT sum(tries) FROM auth.otp_challenges WHERE email = $1", email)
    assert tries <= 25


@only_in_full
async def test_of_200_parallel_guesses_at_a_password_few_get_through(auth: Auth) -> None:
    user = await auth.add_user()
    guesser = some_address()

    async def guess(number: int) -> int:
        body = {"username": user["username"], "password": f"wrong guess {number}"}
        return (await auth.post("/api/token", body, headers=guesser)).status_code

    statuses: Counter[int] = Counter()
    for start in range(0, 200, AT_ONCE):
        statuses.update(await asyncio.gather(*(guess(start + n) for n in range(AT_ONCE))))
    # Five, and one more for each second, then two, then four … that the run itself lasts.
    assert statuses[401] + statuses[429] == 200
    compared = len(await auth.events(subject=user["sub"], action="auth.sign_in"))
    assert 5 <= compared == statuses[401] <= 5 + 4
    # While the wait lasts, not even the right password is looked at.
    await auth.sql("UPDATE auth.attempts SET blocked_until = now() + interval '50 s'")
    refused = await auth.post(
        "/api/token", {"username": user["username"], "password": PASSWORD}, headers=guesser
    )
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_attempts")
    assert re.fullmatch("[0-9]+", refused.headers["Retry-After"])
    # The account is not locked: its owner signs in from anywhere else.
    await auth.sign_in(user["username"])


async def test_unknown_names_are_slowed_down_alike(auth: Auth) -> None:
    user = await auth.add_user()
    for login in (user["username"], "nobody-of-that-name"):
        guesser = some_address()
        statuses = [
            (
                await auth.post(
                    "/api/token", {"username": login, "password": "wrong"}, headers=guesser
                )
            ).status_code
            for _ in range(6)
        ]
        assert statuses == [401] * 5 + [429]


async def test_one_address_trying_many_names_is_slowed_down(auth: Auth) -> None:
    guesser = some_address()
    statuses = Counter(
        [
            (
                await auth.post(
                    "/api/token", {"username": f"name{n}", "password": "wrong"}, headers=guesser
                )
            ).status_code
            for n in range(ADDRESS_BACK_OFF.free + 1)
        ]
    )
    assert statuses == {401: ADDRESS_BACK_OFF.free, 429: 1}


async def test_a_right_password_starts_the_count_over(auth: Auth) -> None:
    user = await auth.add_user()
    address = some_address()
    wrong = {"username": user["username"], "password": "wrong"}
    for _ in range(3):
        for _ in range(4):
            answer = await auth.post("/api/token", wrong, headers=address)
            assert answer.status_code == 401
        right = wrong | {"password": PASSWORD}
        assert (await auth.post("/api/token", right, headers=address)).status_code == 200


async def test_a_network_of_ipv6_addresses_is_one(auth: Auth) -> None:
    user = await auth.add_user()
    statuses = [
        (
            await auth.post(
                "/api/token",
                {"username": user["username"], "password": "wrong"},
                headers={"X-Forwarded-For": f"2001:db8:0:1::{n:x}"},
            )
        ).status_code
        for n in range(1, 8)
    ]
    assert statuses == [401] * 5 + [429] * 2


async def test_only_the_last_hop_is_believed(auth: Auth) -> None:
    """What a caller wrote into the header stands before what the gateway put there."""
    user = await auth.add_user()
    real = some_address()["X-Forwarded-For"]
    wrong = {"username": user["username"], "password": "wrong"}
    statuses = [
        (
            await auth.post(
                "/api/token", wrong, headers={"X-Forwarded-For": f"192.0.2.{n}, {real}"}
            )
        ).status_code
        for n in range(6)
    ]
    assert statuses == [401] * 5 + [429]
    junk = await auth.post("/api/token", wrong, headers={"X-Forwarded-For": "not an address"})
    assert junk.status_code == 401
    addresses = {event["address"] for event in await auth.events(subject=user["sub"])}
    assert real in addresses
    assert not any(str(address).startswith("192.0.2.") for address in addresses)


async def test_the_wait_doubles_up_to_its_longest(module_database: Database) -> None:
    back_off = BackOff(free=3, first_s=10, longest_s=60, forget_after_s=3600)
    waits = []
    async with database_engine(module_database.url("auth"), application_name="test") as engine:
        for _ in range(7):
            async with engine.begin() as connection:
                assert await limits.take_attempt(connection, "k", back_off) is None
                wait_s = await connection.exec_driver_sql(
                    # Two readings of the clock in one statement: microseconds apart.
                    "SELECT round(extract(epoch FROM blocked_until - last_at)) FROM auth.attempts"
                    " WHERE key = 'k'"
                )
                waits.append(wait_s.scalar_one())
                # Let the wait pass.
                await connection.exec_driver_sql(
                    "UPDATE auth.attempts SET blocked_until = now() WHERE key = 'k'"
                )
        assert waits == [0, 0, 10, 20, 40, 60, 60]
        async with engine.begin() as connection:
            await connection.exec_driver_sql(
                "UPDATE auth.attempts SET last_at = now() - interval '2 h' WHERE key = 'k'"
            )
            # Forgotten: three tries are free again.
            for _ in range(3):
                assert await limits.take_attempt(connection, "k", back_off) is None
            assert await limits.take_attempt(connection, "k", back_off) == 10


async def test_a_clock_that_was_set_back_holds_nobody_up(module_database: Database) -> None:
    back_off = BackOff(free=0, first_s=10, longest_s=60, forget_after_s=3600)
    async with (
        database_engine(module_database.url("auth"), application_name="test") as engine,
        engine.begin() as connection,
    ):
        assert await limits.take_attempt(connection, "back", back_off) is None
        assert await limits.take_attempt(connection, "back", back_off) is None
        assert await limits.take_attempt(connection, "back", back_off) is not None
        for _ in range(2):
            assert await limits.take_request(connection, "back", limit=2, window_s=60) is None
        assert await limits.take_request(connection, "back", limit=2, window_s=60) is not None
        # What was set a minute ago lies an hour ahead.
        await connection.exec_driver_sql(
            "UPDATE auth.attempts SET last_at = last_at + interval '1 h',"
            " blocked_until = blocked_until + interval '1 h' WHERE key = 'back'"
        )
        await connection.exec_driver_sql(
            "UPDATE auth.request_limits SET arrives_at = arrives_at + interval '1 h'"
            " WHERE key = 'back'"
        )
        assert await limits.take_attempt(connection, "back", back_off) is None
        assert await limits.take_attempt(connection, "back", back_off) is not None
        for _ in range(2):
            assert await limits.take_request(connection, "back", limit=2, window_s=60) is None
        assert await limits.take_request(connection, "back", limit=2, window_s=60) is not None


async def test_too_many_sign_ins_at_once_are_told_to_come_back(
    database: Database, mailbox: Mailbox
) -> None:
    async with running_auth(database, mailbox, hashing_threads=1, hashing_queue=1) as auth:
        bodies = [{"username": f"name{n}", "password": "wrong"} for n in range(12)]
        answers = await asyncio.gather(*(auth.post("/api/token", body) for body in bodies))
        statuses = Counter(answer.status_code for answer in answers)
        assert set(statuses) == {401, 503}
        busy = next(answer for answer in answers if answer.status_code == 503)
        assert (busy.json()["code"], busy.headers["Retry-After"]) == ("sign_in_busy", "2")
        # Those that were not tried are not counted against anybody.
        counted = await auth.sql("SELECT coalesce(sum(failures), 0) FROM auth.attempts")
        assert counted == 2 * statuses[401]
