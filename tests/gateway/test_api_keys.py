"""API keys at the gateway: exchanged once a minute, never passed on, refused in plain words."""

import asyncio
from typing import Any

import aiohttp
import pytest

from gateway.limits import exchanges
from shared.contracts.auth import API_KEY_PATH, Caller
from tests.gateway.peers import (
    ISSUER,
    FakeService,
    RunningGateway,
    answer_json,
    problem,
)
from tests.support.issuer import person

KEY = "tab_" + "k" * 43
OTHER = "tab_" + "o" * 43


class Exchange:
    """Auth's side: each key stands for a caller; every exchange is noted."""

    def __init__(self) -> None:
        self.callers: dict[str, Caller] = {}
        self.asked: list[str] = []

    async def __call__(self, scope: Any, _receive: Any, send: Any) -> None:
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        key = headers["authorization"].removeprefix("Bearer ")
        self.asked.append(key)
        caller = self.callers.get(key)
        if caller is None:
            await problem(401, "invalid_api_key")(scope, _receive, send)
            return
        await answer_json(send, {"access_token": ISSUER.token(caller), "expires_in": 120})


@pytest.fixture
def exchange(service: FakeService) -> Exchange:
    asked = Exchange()
    asked.callers = {KEY: person("ann@example.com"), OTHER: person("bob@example.com")}
    service.answers[API_KEY_PATH] = asked
    return asked


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


async def test_services_see_a_token_and_never_the_key(
    http: aiohttp.ClientSession, service: FakeService, exchange: Exchange
) -> None:
    async with http.get("/api/tables", headers=bearer(KEY)) as answer:
        assert answer.status == 200
    [seen] = service.seen
    authorization = seen.header("authorization") or ""
    assert authorization.startswith("Bearer ey")
    assert KEY not in str(seen.headers)
    assert exchange.asked == [KEY]


async def test_many_requests_share_one_exchange(
    http: aiohttp.ClientSession, exchange: Exchange
) -> None:
    async def call(key: str) -> int:
        async with http.get("/api/tables", headers=bearer(key)) as answer:
            return answer.status

    statuses = await asyncio.gather(*(call(key) for key in [KEY, OTHER] * 20))
    assert set(statuses) == {200}
    assert sorted(exchange.asked) == [KEY, OTHER]


async def test_an_unknown_key_is_refused_before_a_service_is_asked(
    http: aiohttp.ClientSession, service: FakeService, exchange: Exchange
) -> None:
    async with http.get("/api/tables", headers=bearer("tab_none")) as answer:
        assert answer.status == 401
        assert answer.headers["WWW-Authenticate"].startswith('Bearer error="invalid_token"')
        assert (await answer.json(content_type=None))["code"] == "invalid_api_key"
    assert service.seen == []
    assert exchange.asked == ["tab_none"]


@pytest.mark.parametrize("key", ["tab_ü", "tab_a\tb"])
async def test_what_has_not_the_form_of_a_key_never_reaches_auth(
    http: aiohttp.ClientSession, exchange: Exchange, key: str
) -> None:
    async with http.get("/api/tables", headers=bearer(key)) as answer:
        assert answer.status == 401
    assert exchange.asked == []


async def test_public_calls_need_no_key_and_do_not_mind_a_bad_one(
    http: aiohttp.ClientSession, exchange: Exchange
) -> None:
    body = {"username": "ann", "password": "x"}
    async with http.post("/api/token", json=body, headers=bearer("tab_none")) as answer:
        assert answer.status == 200
    assert exchange.asked == ["tab_none"]


async def test_while_auth_is_away_a_new_key_is_503_and_a_kept_one_works(
    http: aiohttp.ClientSession, service: FakeService, exchange: Exchange
) -> None:
    async with http.get("/api/tables", headers=bearer(KEY)) as answer:
        assert answer.status == 200
    service.answers[API_KEY_PATH] = problem(503, "unavailable")
    async with http.get("/api/tables", headers=bearer(KEY)) as answer:
        assert answer.status == 200
    async with http.get("/api/tables", headers=bearer(OTHER)) as answer:
        assert answer.status == 503
        assert int(answer.headers["Retry-After"]) > 0


async def test_rates_are_counted_by_the_keys_owner(
    gateway: RunningGateway, exchange: Exchange
) -> None:
    async with gateway.client() as http:
        async with http.get("/api/tables", headers=bearer(KEY)) as answer:
            left = int(answer.headers["RateLimit-Remaining"])
        token = bearer(ISSUER.token(exchange.callers[KEY]))
        async with http.get("/api/tables", headers=token) as answer:
            assert int(answer.headers["RateLimit-Remaining"]) == left - 1


async def test_guesses_are_counted_by_address(gateway: RunningGateway, exchange: Exchange) -> None:
    limit = exchanges("127.0.0.1")
    limiter = gateway.app.state.limiter
    while (await limiter.check((limit,))).allowed:
        pass

    async with gateway.client() as http:
        keys = [f"tab_guess{number}" for number in range(20)]
        statuses = await asyncio.gather(*(_status(http, key) for key in keys))
    await gateway.app.state.redis.delete(limit.key)
    # The bucket gains a few a second.
    assert set(statuses) <= {401, 429}
    assert statuses.count(401) == len(exchange.asked) < 20


async def _status(http: aiohttp.ClientSession, key: str) -> int:
    async with http.get("/api/tables", headers=bearer(key)) as answer:
        return answer.status
