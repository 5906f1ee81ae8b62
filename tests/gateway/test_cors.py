from collections.abc import AsyncIterator

import aiohttp
import pytest_asyncio

from tests.gateway.conftest import SettingsMaker
from tests.gateway.peers import FakeService, running_gateway

ORIGIN = "https://app.example"
PREFLIGHT = {
    "Origin": ORIGIN,
    "Access-Control-Request-Method": "PATCH",
    "Access-Control-Request-Headers": "authorization,if-match",
}


@pytest_asyncio.fixture
async def open_to_one(
    service: FakeService, settings: SettingsMaker
) -> AsyncIterator[aiohttp.ClientSession]:
    chosen = settings(service.url, cors_origins=f"{ORIGIN}, https://other.example")
    async with running_gateway(chosen) as gateway, gateway.client() as http:
        yield http


async def test_no_origin_may_call_by_default(http: aiohttp.ClientSession) -> None:
    async with http.get("/api/tables", headers={"Origin": ORIGIN}) as answer:
        assert not [name for name in answer.headers if name.startswith("Access-Control")]


async def test_a_listed_origin_may(
    service: FakeService, open_to_one: aiohttp.ClientSession
) -> None:
    async with open_to_one.options("/api/tables/x", headers=PREFLIGHT) as answer:
        assert answer.status == 200
        assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
        assert "PATCH" in answer.headers["Access-Control-Allow-Methods"]
    assert service.seen == []
    async with open_to_one.get("/api/tables", headers={"Origin": ORIGIN}) as answer:
        assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
        assert "Link" in answer.headers["Access-Control-Expose-Headers"]
        assert "Access-Control-Allow-Credentials" not in answer.headers


async def test_another_origin_may_not(open_to_one: aiohttp.ClientSession) -> None:
    stranger = {"Origin": "https://evil.example"}
    async with open_to_one.get("/api/tables", headers=stranger) as answer:
        assert "Access-Control-Allow-Origin" not in answer.headers
    async with open_to_one.options("/api/tables", headers=PREFLIGHT | stranger) as answer:
        assert answer.status == 400
        assert "Access-Control-Allow-Origin" not in answer.headers
