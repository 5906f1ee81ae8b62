"""A database with one loader per test."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.ingest.pipeline.loading import Loader, loader
from tests.support.databases import Database


@pytest_asyncio.fixture
async def load(module_database: Database) -> AsyncIterator[Loader]:
    async with loader(module_database) as ready:
        yield ready
