"""One database for a module, with a loader and no tables for each test."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.ingest.pipeline.loading import Loader, loader
from tests.support.databases import Database

TABLES = "SELECT format('data.%I', tablename) FROM pg_tables WHERE schemaname = 'data'"


@pytest_asyncio.fixture
async def load(module_database: Database) -> AsyncIterator[Loader]:
    async with loader(module_database) as ready:
        yield ready
        for table in await ready.owner.fetch(TABLES):
            await ready.owner.execute(f"DROP TABLE {table[0]}")
