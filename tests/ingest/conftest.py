"""A running import service with its own database, storage, peers and mailbox; or a loader alone."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from redis.asyncio import Redis

from deploy.local.valkey import Valkey
from tests.ingest.driving import PEOPLE, Ingest, running_ingest
from tests.ingest.load.loading import Loader, loader
from tests.support.databases import Database
from tests.support.issuer import Issuer


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def module_ingest(
    module_database: Database,
    issuer: Issuer,
    valkey_server: Valkey,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Ingest]:
    """An API without workers, shared by one module's tests."""
    storage = tmp_path_factory.mktemp("ingest") / "storage"
    async with running_ingest(
        module_database, issuer=issuer, redis_url=valkey_server.url, storage=storage
    ) as running:
        yield running


@pytest_asyncio.fixture
async def ingest(module_ingest: Ingest, valkey_server: Valkey) -> Ingest:
    """An API without workers, nothing in it but the empty table `people`."""
    async with Redis.from_url(valkey_server.url) as redis:
        await redis.flushall()
    await module_ingest.emptied()
    await module_ingest.peers.make_table("people", PEOPLE)
    return module_ingest


@pytest_asyncio.fixture
async def working(ingest: Ingest) -> AsyncIterator[Ingest]:
    """The same, with a worker."""
    async with ingest.working():
        yield ingest


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def module_loader(module_database: Database) -> AsyncIterator[Loader]:
    """One database and one pair of pools for a module."""
    async with loader(module_database) as ready:
        yield ready


@pytest_asyncio.fixture
async def load(module_loader: Loader) -> AsyncIterator[Loader]:
    """A loader without tables."""
    yield Loader(pool=module_loader.pool, owner=module_loader.owner)
    await module_loader.drop_tables()
