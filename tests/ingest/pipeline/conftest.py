"""One database and one pair of pools per module; each test begins without tables."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.ingest.pipeline.loading import Loader, loader
from tests.support.databases import Database


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def module_loader(module_database: Database) -> AsyncIterator[Loader]:
    async with loader(module_database) as ready:
        yield ready


@pytest_asyncio.fixture
async def load(module_loader: Loader) -> AsyncIterator[Loader]:
    yield Loader(pool=module_loader.pool, owner=module_loader.owner)
    await module_loader.drop_tables()
