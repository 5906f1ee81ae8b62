"""How every service's section runs: as the owner, in one transaction, in its own schema."""

import asyncio
import os

import asyncpg
from alembic import context
from alembic.util import CommandError
from sqlalchemy import Connection, MetaData
from sqlalchemy.exc import DBAPIError

from migrations.bootstrap import NoConnectionError
from shared.process.connection_string import ConnectionStringError, connection_string
from shared.store.engine import database_engine

NO_SCHEMA = "3F000"
"""PostgreSQL's code for a schema that is not there."""


def run(metadata: MetaData) -> None:
    """Migrate (or compare) one service's schema; `DATABASE_URL` names the owner's log-in.

    Raises CommandError, which Alembic prints as one line.
    """
    connection: Connection | None = context.config.attributes.get("connection")
    if connection is not None:
        _migrate(connection, metadata)
        return
    if context.is_offline_mode():
        raise CommandError("revisions look at the database, so there is no --sql")
    try:
        asyncio.run(_connect_and_migrate(metadata, _owner_url()))
    except (OSError, asyncpg.PostgresError, TimeoutError) as exc:
        raise CommandError(f"DATABASE_URL: {NoConnectionError(exc)}") from exc
    except DBAPIError as exc:
        if getattr(exc.orig, "sqlstate", None) != NO_SCHEMA:
            raise
        raise CommandError(
            f"the schema {metadata.schema} is not there: run `python -m migrations bootstrap` first"
        ) from exc


def _owner_url() -> str:
    url = os.environ.get("DATABASE_URL")
    if not url:
        raise CommandError("set DATABASE_URL to the owner's log-in, postgresql://owner:…@host/name")
    try:
        return connection_string(url)
    except ConnectionStringError as exc:
        raise CommandError(f"DATABASE_URL: {exc}") from exc


async def _connect_and_migrate(metadata: MetaData, url: str) -> None:
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
