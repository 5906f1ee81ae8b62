"""An import service of real processes with peers, mailbox, storage and Valkey of its own."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx2
import pytest
import pytest_asyncio
from pydantic import SecretStr

from deploy.local import valkey
from deploy.local.valkey import Valkey
from tests.faults.scene import Scene
from tests.ingest.connections.driving import KEY
from tests.ingest.driving import running_ingest
from tests.ingest.processes import api_process
from tests.support.databases import Database
from tests.support.issuer import Issuer

UNIQUE_PEOPLE = {"name": "text NOT NULL UNIQUE", "age": "integer"}


@pytest.fixture
def own_valkey(tmp_path: Path) -> Iterator[Valkey]:
    """A Valkey that a test may stop and start."""
    server = Valkey(server=valkey.find_server(), folder=tmp_path)
    server.start()
    yield server
    server.stop()


@pytest_asyncio.fixture
async def scene(
    database: Database, issuer: Issuer, own_valkey: Valkey, tmp_path: Path
) -> AsyncIterator[Scene]:
    """The API as a process, no worker yet, and the table `people` with unique names."""
    async with running_ingest(
        database,
        issuer=issuer,
        redis_url=own_valkey.url,
        storage=tmp_path / "storage",
        heartbeat_s=0.3,
        silent_s=1.5,
        housekeeping_s=0.5,
        source_keys=SecretStr(KEY),
        source_allowed_networks="127.0.0.0/8",
        # Longer than a first request may take on a busy machine.
        orphan_grace_s=10,
        worker_concurrency=2,
    ) as in_process:
        await in_process.peers.make_table("people", UNIQUE_PEOPLE)
        async with (
            api_process(in_process.settings, tmp_path) as api,
            httpx2.AsyncClient(base_url=api.url, timeout=60, trust_env=False) as http,
        ):
            yield Scene(ingest=in_process.over(http), folder=tmp_path, valkey=own_valkey, api=api)
