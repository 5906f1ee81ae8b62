"""A gateway in front of one hand-written service that plays all four."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from redis.asyncio import Redis

from deploy.local.processes import free_port
from deploy.local.valkey import Valkey
from gateway.settings import GatewaySettings
from tests.gateway.peers import (
    ISSUER,
    FakeService,
    RunningGateway,
    running_gateway,
    running_service,
)
from tests.support.issuer import Issuer

SettingsMaker = Callable[..., GatewaySettings]


@pytest.fixture
def issuer() -> Issuer:
    """Whose tokens the gateways take."""
    return ISSUER


@pytest_asyncio.fixture(autouse=True)
async def no_requests_counted(valkey_server: Valkey) -> None:
    """Rate limits begin anew: an earlier test of this process may have used them up."""
    async with Redis.from_url(valkey_server.url) as redis:
        await redis.flushall()


@pytest.fixture
def settings(valkey_server: Valkey) -> SettingsMaker:
    """Settings with every service at one URL; keys are overridden by keyword."""

    def make(url: str, **changes: Any) -> GatewaySettings:
        values = {
            "redis_url": valkey_server.url,
            "auth_url": url,
            "catalog_url": url,
            "records_url": url,
            "ingest_url": url,
            "port": free_port(),
            **changes,
        }
        return GatewaySettings(**values)

    return make


@pytest_asyncio.fixture
async def service() -> AsyncIterator[FakeService]:
    async with running_service() as running:
        yield running


@pytest_asyncio.fixture
async def gateway(service: FakeService, settings: SettingsMaker) -> AsyncIterator[RunningGateway]:
    async with running_gateway(settings(service.url)) as running:
        yield running


@pytest_asyncio.fixture
async def http(gateway: RunningGateway) -> AsyncIterator[aiohttp.ClientSession]:
    """A client that follows no redirect and undoes no compression."""
    async with gateway.client(auto_decompress=False) as session:
        yield session
