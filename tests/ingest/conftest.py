"""A running import service with its own database, storage, peers and mailbox."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from redis.asyncio import Redis

from deploy.local.valkey import Valkey
from tests.ingest.driving import PEOPLE, Ingest, running_ingest
from tests.support.databases import Database
from tests.support.issuer import Issuer


@pytest_asyncio.fixture
async def ingest(
    database: Database, issuer: Issuer, valkey_server: Valkey, tmp_path: Path
) -> AsyncIterator[Ingest]:
    """An API without workers, and the table `people`."""
    async with Redis.from_url(valkey_server.url) as redis:
        await redis.flushall()
    storage = tmp_path / "storage"
    async with running_ingest(
        database, issuer=issuer, redis_url=valkey_server.url, storage=storage
    ) as running:
        await running.peers.make_table("people", PEOPLE)
        yield running


@pytest_asyncio.fixture
async def working(ingest: Ingest) -> AsyncIterator[Ingest]:
    """The same, with a worker."""
    async with ingest.working():
        yield ingest
