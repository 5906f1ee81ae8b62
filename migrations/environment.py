"""How every service's section runs: as the owner, in one transaction, in its own schema."""

import asyncio
import os

from alembic import context
from sqlalchemy import Connection, MetaData

from shared.process.connection_string import connection_string
from shared.store.engine import database_engine


def run(metadata: MetaData) -> None:
    """Migrate (or compare) one service's schema; `DATABASE_URL` names the owner's log-in."""
    connection: Connection | None = context.config.attributes.get("connection")
    if connection is not None:
        _migrate(connection, metadata)
        return
    asyncio.run(_connect_and_migrate(metadata))


async def _connect_and_migrate(metadata: MetaData) -> None:
    url = connection_string(os.environ["DATABASE_URL"])
    name = f"tabularium-{metadata.schema}:migrations"
    async with (
        database_engine(url, application_name=name, pool_size=1) as engine,
        engine.connect() as connection,
    ):
        await connection.run_sync(_migrate, metadata)
        await connection.commit()


def _migrate(connection: Connection, metadata: MetaData) -> None:
    schema = metadata.schema
    context.configure(
        connection=connection,
        target_metadata=metadata,
        version_table_schema=schema,
        include_schemas=True,
        include_name=lambda name, kind, _parents: kind != "schema" or name in _schemas(metadata),
        compare_server_default=True,
    )
    with context.begin_transaction():
        context.run_migrations()


def _schemas(metadata: MetaData) -> set[str]:
    return {table.schema for table in metadata.tables.values() if table.schema} | {
        metadata.schema or ""
    }
