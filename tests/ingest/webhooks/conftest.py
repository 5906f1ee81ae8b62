"""A running import service with a worker, and receivers of webhooks."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from pydantic import SecretStr

from deploy.local.valkey import Valkey
from tests.ingest.connections.driving import KEY
from tests.ingest.driving import Ingest, running_ingest
from tests.ingest.webhooks.receiving import Receiver, running_receiver
from tests.support.databases import Database
from tests.support.issuer import Issuer


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def module_ingest(
    module_database: Database,
    issuer: Issuer,
    valkey_server: Valkey,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Ingest]:
    """An API that keeps secrets and may call the loopback."""
    storage = tmp_path_factory.mktemp("ingest") / "storage"
    async with running_ingest(
        module_database,
        issuer=issuer,
        redis_url=valkey_server.url,
        storage=storage,
        source_keys=SecretStr(KEY),
        source_allowed_networks="127.0.0.0/8",
    ) as running:
        yield running


@pytest_asyncio.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with running_receiver() as running:
        yield running
