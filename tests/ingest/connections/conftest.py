"""What tests of other people's databases need."""

import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from redis.asyncio import Redis

from deploy.local.postgresql import Cluster
from deploy.local.valkey import Valkey
from tests.ingest.connections.driving import Elsewhere, running_elsewhere
from tests.support.certificates import self_signed, server_context
from tests.support.databases import Database
from tests.support.issuer import Issuer


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for 127.0.0.1 with its key, in one PEM file."""
    return self_signed(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def tls_server(certificate: Path) -> ssl.SSLContext:
    return server_context(certificate)


@pytest.fixture
def tls_client(certificate: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(certificate))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def module_elsewhere(
    module_database: Database,
    other_cluster: Cluster,
    issuer: Issuer,
    valkey_server: Valkey,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Elsewhere]:
    """An API beside a PostgreSQL and an Oracle that are not ours, shared by one module's tests."""
    storage = tmp_path_factory.mktemp("ingest") / "storage"
    async with running_elsewhere(
        module_database,
        issuer=issuer,
        redis_url=valkey_server.url,
        storage=storage,
        cluster=other_cluster,
    ) as running:
        yield running


@pytest_asyncio.fixture
async def elsewhere(module_elsewhere: Elsewhere, valkey_server: Valkey) -> Elsewhere:
    """An API without workers, beside a PostgreSQL and an Oracle that are not ours, all empty."""
    async with Redis.from_url(valkey_server.url) as redis:
        await redis.flushall()
    await module_elsewhere.emptied()
    return module_elsewhere
