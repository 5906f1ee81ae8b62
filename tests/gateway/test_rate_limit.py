import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from redis.asyncio import Redis

from deploy.local.processes import free_port
from deploy.local.valkey import Valkey, find_server
from gateway.rate_limit import Limit, LimitsDownError, RateLimiter
from shared.store.redis import redis_client
from tests.gateway.conftest import SettingsMaker
from tests.gateway.peers import FakeService, RunningGateway, running_gateway
from tests.support.issuer import Issuer, person
from tests.support.waiting import until


@pytest_asyncio.fixture
async def redis(valkey_server: Valkey) -> AsyncIterator[Redis]:
    async with redis_client(valkey_server.url) as client:
        await client.flushdb()
        yield client


@pytest.fixture
def key() -> str:
    return f"test:{time.monotonic_ns()}"


HOUR = 3_600_000_000


async def test_a_burst_passes_and_the_next_is_refused(redis: Redis, key: str) -> None:
    limiter = RateLimiter(redis)
    limit = Limit("l", key, interval_us=HOUR // 5, burst=5)
    verdicts = [await limiter.check([limit]) for _ in range(6)]
    assert [verdict.allowed for verdict in verdicts] == [True] * 5 + [False]
    headers = [dict(verdict.headers()) for verdict in verdicts]
    assert [head[b"ratelimit-remaining"] for head in headers] == [
        b"4",
        b"3",
        b"2",
        b"1",
        b"0",
        b"0",
    ]
    assert headers[0][b"ratelimit-limit"] == b"5"
    assert headers[0][b"ratelimit-policy"] == b"5;w=3600"
    assert 715 <= verdicts[5].retry_after_s <= 720
    assert 3590 <= int(headers[4][b"ratelimit-reset"]) <= 3600


async def test_a_refused_request_is_not_counted(redis: Redis, key: str) -> None:
    """Knocking on does not lengthen the wait."""
    limiter = RateLimiter(redis)
    limit = Limit("l", key, interval_us=HOUR, burst=1)
    await limiter.check([limit])
    waits = [(await limiter.check([limit])).wait_us for _ in range(3)]
    assert max(waits) <= HOUR


async def test_time_gives_requests_back(redis: Redis, key: str) -> None:
    limiter = RateLimiter(redis)
    limit = Limit("l", key, interval_us=50_000, burst=1)
    assert (await limiter.check([limit])).allowed
    refused = await limiter.check([limit])
    assert not refused.allowed

    async def is_allowed() -> bool:
        return (await limiter.check([limit])).allowed

    await until("an interval later one more may go on", is_allowed)


async def test_a_request_under_two_limits_is_counted_by_both_or_none(
    redis: Redis, key: str
) -> None:
    limiter = RateLimiter(redis)
    narrow = Limit("narrow", f"{key}:n", interval_us=HOUR, burst=1)
    wide = Limit("wide", f"{key}:w", interval_us=HOUR, burst=3)
    assert (await limiter.check([narrow, wide])).allowed
    for _ in range(5):
        refused = await limiter.check([narrow, wide])
        assert (refused.allowed, refused.limit.name) == (False, "narrow")
    left = [(await limiter.check([wide])).allowed for _ in range(3)]
    assert left == [True, True, False]


async def test_many_at_once_pass_exactly_as_many_as_allowed(redis: Redis, key: str) -> None:
    limiters = [RateLimiter(redis), RateLimiter(redis)]  # two processes
    limit = Limit("l", key, interval_us=HOUR, burst=300)
    other = Limit("o", f"{key}:other", interval_us=HOUR, burst=1000)
    checks = [limiters[n % 2].check([limit if n % 3 else other]) for n in range(1200)]
    verdicts = await asyncio.gather(*checks)
    assert sum(v.allowed for v in verdicts if v.limit is limit) == 300
    assert sum(v.allowed for v in verdicts if v.limit is other) == 400


async def test_far_from_its_limit_a_request_does_not_wait_for_redis(redis: Redis, key: str) -> None:
    limiter = RateLimiter(redis)
    limit = Limit("l", key, interval_us=HOUR, burst=1000)
    await limiter.check([limit])
    before = (await redis.info("commandstats"))["cmdstat_evalsha"]["calls"]
    left = [(await limiter.check([limit])).remaining for _ in range(500)]
    assert left == list(range(998, 498, -1))
    assert (await redis.info("commandstats"))["cmdstat_evalsha"]["calls"] < before + 100

    async def is_counted() -> bool:
        # Another process sees them all: 501 and its own.
        return (await RateLimiter(redis).check([limit])).remaining <= 498

    await until("Redis knows of all requests", is_counted)


async def test_one_by_one_pass_exactly_as_many_as_allowed(redis: Redis, key: str) -> None:
    limiters = [RateLimiter(redis), RateLimiter(redis)]
    limit = Limit("l", key, interval_us=HOUR, burst=300)
    allowed = 0
    for n in range(400):
        allowed += (await limiters[n // 10 % 2].check([limit])).allowed
    assert allowed == 300


async def test_keys_leave_redis_when_they_are_whole_again(redis: Redis, key: str) -> None:
    limit = Limit("l", key, interval_us=1_000_000, burst=10)
    await RateLimiter(redis).check([limit])
    assert 0 < await redis.pttl(key) <= 1001


async def test_redis_away_is_said_at_once_and_tried_again(tmp_path: Path, key: str) -> None:
    server = Valkey(server=find_server(), folder=tmp_path)
    limit = Limit("l", key, interval_us=1000, burst=10)
    async with redis_client(server.url) as client:
        limiter = RateLimiter(client)
        with pytest.raises(LimitsDownError):
            await limiter.check([limit])
        server.start()
        try:
            verdict = await until(
                "Redis is asked again", lambda: limiter.check([limit]), bearing=(LimitsDownError,)
            )
            assert verdict.allowed
        finally:
            server.stop()


@pytest_asyncio.fixture
async def limited(
    service: FakeService, settings: SettingsMaker, issuer: Issuer, redis: Redis
) -> AsyncIterator[aiohttp.ClientSession]:
    """A gateway with small limits, whose keys come from the stand-in for auth."""
    chosen = settings(
        service.url,
        rate_limit_requests_per_s=0.001,
        rate_limit_requests_burst=5,
        rate_limit_sign_in_per_min=3,
        trusted_proxies="127.0.0.1",
    )
    async with running_gateway(chosen) as gateway, aiohttp.ClientSession(gateway.url) as http:
        yield http


def by(address: str) -> dict[str, str]:
    return {"X-Forwarded-For": address}


async def test_beyond_the_limit_is_429(limited: aiohttp.ClientSession) -> None:
    statuses = []
    for _ in range(7):
        async with limited.get("/api/tables", headers=by("198.51.100.1")) as answer:
            statuses.append(answer.status)
            headers, body = answer.headers, await answer.json(content_type=None)
    assert statuses == [401] * 5 + [429] * 2
    assert body["code"] == "too_many_requests"
    assert int(headers["Retry-After"]) > 0
    assert headers["RateLimit-Limit"] == "5"
    assert headers["RateLimit-Remaining"] == "0"
    async with limited.get("/api/tables", headers=by("198.51.100.2")) as answer:
        assert answer.status == 401
        assert answer.headers["RateLimit-Remaining"] == "4"


async def test_signed_in_requests_count_for_their_subject(
    limited: aiohttp.ClientSession, issuer: Issuer
) -> None:
    ann, bob = issuer.bearer(person("ann@example.com")), issuer.bearer(person("bob@example.com"))
    for number in range(6):  # from six addresses, and with another token each time
        headers = issuer.bearer(person("ann@example.com")) | by(f"198.51.100.{number}")
        async with limited.get("/api/tables", headers=headers) as answer:
            assert answer.status == (200 if number < 5 else 429)
    async with limited.get("/api/tables", headers=ann) as answer:
        assert answer.status == 429
    async with limited.get("/api/tables", headers=bob) as answer:
        assert answer.status == 200


async def test_a_forged_token_counts_for_its_address(limited: aiohttp.ClientSession) -> None:
    statuses = []
    for number in range(6):
        headers = {"Authorization": f"Bearer x.y.{number}"} | by("198.51.100.1")
        async with limited.get("/api/tables", headers=headers) as answer:
            statuses.append(answer.status)
    assert statuses == [401] * 5 + [429]


FORM = {"grant_type": "password", "username": "ann", "password": "x"}


async def test_all_ways_to_sign_in_share_one_bucket_per_address(
    limited: aiohttp.ClientSession, service: FakeService
) -> None:
    async def status(path: str, **body: Any) -> int:
        async with limited.post(path, headers=by("198.51.100.1"), **body) as answer:
            return answer.status

    await status("/api/token/", json={"username": "ann", "password": "x"})
    await status("/api/auth/token", data=FORM)
    await status("/api/auth/token", data=FORM | {"grant_type": "client_credentials"})
    assert await status("/api/token", json={}) == 429
    assert await status("/api/auth/token", data=FORM) == 429
    # What looks like a refresh but may be read otherwise is a sign-in.
    twice = "grant_type=refresh_token&grant_type=password"
    urlencoded = {"Content-Type": "application/x-www-form-urlencoded"} | by("198.51.100.1")
    async with limited.post("/api/auth/token", data=twice, headers=urlencoded) as answer:
        assert answer.status == 429
    multipart = aiohttp.FormData({"grant_type": "refresh_token"}, default_to_multipart=True)
    assert await status("/api/auth/token", data=multipart) == 429
    # Refreshing and verifying go on.
    assert await status("/api/auth/token", data={"grant_type": "refresh_token"}) != 429
    assert await status("/api/token/refresh/", json={"refresh": "r"}) != 429
    assert await status("/api/auth/otp/verify", json={}) != 429


async def test_otp_requests_are_few_per_mail_address_and_per_ip(
    limited: aiohttp.ClientSession,
) -> None:
    async def status(email: str, address: str) -> int:
        async with limited.post(
            "/api/auth/otp", json={"email": email}, headers=by(address)
        ) as answer:
            return answer.status

    spellings = ["ann@example.com", "Ann@Example.com", " ann@example.com "]
    one_mail = [await status(spellings[n % 3], f"198.51.100.{n}") for n in range(7)]
    assert one_mail.count(429) == 2
    assert one_mail[5:] == [429, 429]
    one_ip = [await status(f"p{n}@example.com", "203.0.113.5") for n in range(22)]
    assert one_ip[20:] == [429, 429]
    assert 429 not in one_ip[:20]


async def test_a_peeked_body_arrives_whole(
    service: FakeService, http: aiohttp.ClientSession, gateway: RunningGateway
) -> None:
    async with http.post("/api/auth/token", data=FORM) as answer:
        assert answer.status == 200
    assert service.seen[-1].body == b"grant_type=password&username=ann&password=x"
    answer_ = await gateway.raw(
        b"POST /api/auth/token HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
        b"Content-Length: 4\r\nConnection: close\r\n\r\na=bc"
    )
    assert answer_.count(b"HTTP/1.1 100 Continue\r\n") == 1
    assert b"HTTP/1.1 200" in answer_
    assert service.seen[-1].body == b"a=bc"
    async with http.post("/api/auth/otp", data=b"x" * 70_000) as answer:
        assert answer.status == 413
        assert (await answer.json(content_type=None))["limit_bytes"] == 65_536


async def test_without_redis_all_goes_on_but_sign_in(
    service: FakeService, settings: SettingsMaker
) -> None:
    away = settings(service.url, redis_url=f"redis://127.0.0.1:{free_port()}/0")
    async with running_gateway(away) as gateway, gateway.client() as http:
        going_on: dict[str, Any] = {
            "/api/tables": {},
            "/api/token/refresh/": {"json": {"refresh": "r"}},
            "/api/auth/token": {"data": {"grant_type": "refresh_token"}},
        }
        for path, body in going_on.items():
            async with http.post(path, **body) as answer:
                assert answer.status == 200, path
        paused: dict[str, Any] = {
            "/api/token": {"json": {}},
            "/api/auth/token": {"data": FORM},
            "/api/auth/otp": {"json": {"email": "a@example.com"}},
            "/api/auth/otp/verify": {"json": {}},
        }
        for path, body in paused.items():
            async with http.post(path, **body) as answer:
                assert answer.status == 503, path
                assert int(answer.headers["Retry-After"]) > 0
                assert (await answer.json(content_type=None))["code"] == "sign_in_unavailable"
