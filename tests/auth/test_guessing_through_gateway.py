"""A bounded brute force on loopback, through the real gateway, at a code and at a password."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest_asyncio

from deploy.local.processes import free_port
from deploy.local.valkey import Valkey
from gateway.settings import GatewaySettings
from shared.store.redis import redis_client
from tests.auth.driving import PASSWORD, Auth
from tests.gateway.peers import running_gateway
from tests.support.profile import only_in_full

GUESSES = 300
AT_ONCE = 30

Record = Callable[[str, object], None]
"""pytest's `record_testsuite_property`: the counts stand in the JUnit report (`--junitxml`)."""


@dataclass
class Attacker:
    """One address in front of the gateway; what it writes about its address is not believed."""

    http: httpx2.AsyncClient

    async def guess(self, path: str, body_of: Callable[[int], dict[str, Any]]) -> Counter[int]:
        """Send all guesses, some at once; returns how often each status came."""
        statuses: Counter[int] = Counter()
        for start in range(0, GUESSES, AT_ONCE):
            answers = await asyncio.gather(
                *(
                    self.http.post(
                        path,
                        json=body_of(number),
                        headers={"X-Forwarded-For": f"192.0.2.{number % 250}"},
                    )
                    for number in range(start, start + AT_ONCE)
                )
            )
            statuses.update(answer.status_code for answer in answers)
        return statuses


@pytest_asyncio.fixture(loop_scope="session")
async def attacker(auth: Auth, valkey_server: Valkey) -> AsyncIterator[Attacker]:
    async with redis_client(valkey_server.url) as redis:
        await redis.flushdb()
    settings = GatewaySettings(
        redis_url=valkey_server.url,
        auth_url=auth.url,
        catalog_url=auth.url,
        records_url=auth.url,
        ingest_url=auth.url,
        port=free_port(),
    )
    async with (
        running_gateway(settings) as gateway,
        httpx2.AsyncClient(base_url=gateway.url, trust_env=False) as http,
    ):
        yield Attacker(http)


@only_in_full
async def test_guesses_at_a_code(
    auth: Auth, attacker: Attacker, record_testsuite_property: Record
) -> None:
    email = "target@example.com"
    asked = await attacker.http.post("/api/auth/otp/", json={"email": email})
    challenge = asked.json()["challenge_id"]
    code = int(str((await auth.mailbox.wait_for_one_to(email))["Subject"])[:6])

    def body(number: int) -> dict[str, Any]:
        return {"challenge_id": challenge, "code": f"{(code + 1 + number) % 1_000_000:06d}"}

    statuses = await attacker.guess("/api/auth/otp/verify/", body)
    assert set(statuses) == {401, 429}
    # The gateway's bucket holds 60 and gains one a second; of those, five are compared.
    assert statuses[401] < 100
    tries = await auth.sql("SELECT tries FROM auth.otp_challenges WHERE id = $1", challenge)
    record_testsuite_property("code.guesses", GUESSES)
    record_testsuite_property("code.past_the_gateway", statuses[401])
    record_testsuite_property("code.compared", tries)
    assert tries == 5


@only_in_full
async def test_guesses_at_a_password(
    auth: Auth, attacker: Attacker, record_testsuite_property: Record
) -> None:
    user = await auth.add_user()

    def body(number: int) -> dict[str, Any]:
        return {"username": user["username"], "password": f"wrong guess {number}"}

    statuses = await attacker.guess("/api/token/", body)
    assert set(statuses) == {401, 429}
    events = await auth.events(subject=user["sub"], action="auth.sign_in")
    record_testsuite_property("password.guesses", GUESSES)
    record_testsuite_property("password.compared", len(events))
    assert {event["address"] for event in events} == {"127.0.0.1"}
    assert 5 <= len(events) == statuses[401] < 15
    # The owner, at another address, is not slowed down.
    await auth.sign_in(user["username"], PASSWORD)
