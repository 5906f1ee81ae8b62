"""A database with one loader per test."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.ingest.pipeline.loading import Loader, loader
from tests.support.databases import Database


@pytest_asyncio.fixture
async def load(database: Database) -> AsyncIterator[Loader]:
    async with loader(database) as ready:
        yield ready
