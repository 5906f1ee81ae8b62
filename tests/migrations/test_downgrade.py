"""Each section's revisions go back as they came."""

import asyncio
import os
from collections.abc import Iterator

import asyncpg
import pytest
from alembic import command
from alembic.config import Config

from deploy.local.postgresql import Cluster
from migrations.__main__ import ROOT
from migrations.bootstrap import SERVICES
from tests.support.databases import Database, drop_database, make_database, migrate
from tests.support.profile import only_in_full

TABLES = (
    "SELECT count(*) FROM pg_tables WHERE tablename <> 'alembic_version'"
    " AND schemaname NOT IN ('pg_catalog', 'information_schema')"
)


@pytest.fixture
def own(cluster: Cluster, template: Database) -> Iterator[Database]:
    """An empty database; making the template has made the roles."""
    database = asyncio.run(make_database(cluster, f"{template.name}_down"))
    yield database
    asyncio.run(drop_database(database))


async def tables(database: Database) -> int:
    connection = await asyncpg.connect(database.url())
    try:
        return int(await connection.fetchval(TABLES))
    finally:
        await connection.close()


@only_in_full
@pytest.mark.parametrize("service", SERVICES)
def test_down_and_up_again(own: Database, service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    migrate(own, service)
    migrated = asyncio.run(tables(own))
    assert migrated > 0
    monkeypatch.setitem(os.environ, "DATABASE_URL", own.url())
    config = Config(str(ROOT / "alembic.ini"), ini_section=service)
    command.downgrade(config, "base")
    assert asyncio.run(tables(own)) == 0
    command.upgrade(config, "head")
    assert asyncio.run(tables(own)) == migrated
