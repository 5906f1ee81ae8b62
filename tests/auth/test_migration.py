"""The section's revisions go back as they came."""

import asyncio
import os
from collections.abc import Iterator

import asyncpg
import pytest
from alembic import command
from alembic.config import Config

from deploy.local.postgresql import Cluster
from migrations.__main__ import ROOT
from tests.support.databases import Database, drop_database, make_database, migrate

TABLES = (
    "SELECT count(*) FROM information_schema.tables WHERE table_schema IN ('auth', 'audit')"
    " AND table_name <> 'alembic_version'"
)


@pytest.fixture
def own(cluster: Cluster, template: Database) -> Iterator[Database]:
    """A database of its own; the template's making has made the roles."""
    database = asyncio.run(make_database(cluster, f"{template.name}_down"))
    yield database
    asyncio.run(drop_database(database))


async def tables(database: Database) -> int:
    connection = await asyncpg.connect(database.url())
    try:
        return int(await connection.fetchval(TABLES))
    finally:
        await connection.close()


def test_down_and_up_again(own: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    migrate(own, "auth")
    there = asyncio.run(tables(own))
    monkeypatch.setitem(os.environ, "DATABASE_URL", own.url())
    config = Config(str(ROOT / "alembic.ini"), ini_section="auth")
    command.downgrade(config, "base")
    assert asyncio.run(tables(own)) == 0
    command.upgrade(config, "head")
    assert asyncio.run(tables(own)) == there
