import asyncpg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine

from services.catalog.tables import metadata
from tests.support.databases import Database


async def test_migrated_database_is_what_the_mapped_tables_say(database: Database) -> None:
    url = database.url().replace("postgresql://", "postgresql+asyncpg://")
    engine = create_async_engine(url)

    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(
            connection,
            opts={
                "include_schemas": True,
                "include_name": lambda name, kind, _parents: kind != "schema" or name == "catalog",
                "version_table_schema": "catalog",
                "compare_server_default": True,
            },
        )
        return list(compare_metadata(context, metadata))

    async with engine.connect() as connection:
        assert await connection.run_sync(differences) == []
    await engine.dispose()


@pytest.mark.parametrize("table", ["schemas", "tables", "former_names", "etls", "edges"])
async def test_service_has_rows_but_no_ddl(database: Database, table: str) -> None:
    connection = await asyncpg.connect(database.url("catalog"))
    try:
        assert await connection.fetchval(f"SELECT count(*) FROM catalog.{table}") == 0
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(f"ALTER TABLE catalog.{table} ADD COLUMN more text")
    finally:
        await connection.close()
