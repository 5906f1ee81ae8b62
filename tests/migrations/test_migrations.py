"""Migrations and metadata agree, and bootstrapping again changes nothing."""

import asyncio

import asyncpg
import pytest
from alembic import command
from alembic.config import Config

from migrations.__main__ import ROOT
from migrations.bootstrap import SERVICES, bootstrap
from tests.support.databases import OWNER, PASSWORD, Database


@pytest.mark.parametrize("service", SERVICES)
def test_the_migrated_schema_is_what_the_tables_say(
    template: Database, service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", template.url())
    # Raises when autogenerate would find anything to do.
    command.check(Config(str(ROOT / "alembic.ini"), ini_section=service))


@pytest.mark.parametrize("service", SERVICES)
def test_each_service_has_a_version_table_of_its_own(template: Database, service: str) -> None:
    async def version() -> str | None:
        connection = await asyncpg.connect(template.url())
        try:
            found: str | None = await connection.fetchval(
                f"SELECT version_num FROM {service}.alembic_version"
            )
            return found
        finally:
            await connection.close()

    assert asyncio.run(version())


async def test_bootstrapping_again_keeps_what_is_there(database: Database) -> None:
    connection = await asyncpg.connect(database.url("records"))
    await connection.execute("CREATE TABLE data.kept (id bigint)")
    await bootstrap(database.url(), dict.fromkeys(SERVICES, PASSWORD))
    assert await connection.fetchval("SELECT count(*) FROM data.kept") == 0
    await connection.close()


async def test_the_owner_is_no_superuser(database: Database) -> None:
    connection = await asyncpg.connect(database.url())
    assert await connection.fetchval(
        "SELECT NOT rolsuper AND rolcreaterole FROM pg_roles WHERE rolname = $1", OWNER
    )
    await connection.close()
