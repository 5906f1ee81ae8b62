"""Databases for tests: one migrated template, a copy for each who asks."""

import asyncio
import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg

from deploy.local.postgresql import Cluster
from migrations.__main__ import upgrade
from migrations.bootstrap import SERVICES, bootstrap
from tests.support.pooler import Pooler

OWNER = "tabularium"
PASSWORD = "only-for-tests"


@dataclass(frozen=True)
class Database:
    """One copy of the migrated template."""

    cluster: Cluster
    name: str
    pooler: Pooler | None = None

    def url(self, role: str = OWNER) -> str:
        """A log-in: `tabularium` (the owner), `auth`, `catalog`, `records` or `ingest`.

        By way of the pooler, if there is one.
        """
        direct = self.direct_url(role)
        return direct if self.pooler is None else self.pooler.before(direct)

    def direct_url(self, role: str = OWNER) -> str:
        """The same log-in to PostgreSQL itself, whose sessions are one's own."""
        return self.cluster.url(user=role, password=PASSWORD, database=self.name)

    @property
    def superuser_url(self) -> str:
        return self.cluster.url(database=self.name)


async def make_owner(cluster: Cluster) -> None:
    """An owner as the local stack gives it: CREATEROLE, no superuser."""
    connection = await asyncpg.connect(cluster.url())
    await connection.execute(f"CREATE ROLE {OWNER} LOGIN CREATEROLE PASSWORD '{PASSWORD}'")
    await connection.execute(
        f"GRANT SET ON PARAMETER session_replication_role TO {OWNER} WITH GRANT OPTION"
    )
    await connection.close()


async def make_database(
    cluster: Cluster, name: str, *, template: str = "template1", pooler: Pooler | None = None
) -> Database:
    connection = await asyncpg.connect(cluster.url())
    # By files: half the work of the other strategy, which logs every block of the copy.
    await connection.execute(
        f"CREATE DATABASE {name} OWNER {OWNER} TEMPLATE {template} STRATEGY file_copy"
    )
    await connection.close()
    return Database(cluster=cluster, name=name, pooler=pooler)


async def drop_database(database: Database) -> None:
    connection = await asyncpg.connect(database.cluster.url())
    await connection.execute(f"DROP DATABASE IF EXISTS {database.name} WITH (FORCE)")
    await connection.close()


def migrate(database: Database, *services: str) -> None:
    """Bootstrap and upgrade; Alembic runs its own event loop, so never call this inside one."""
    asyncio.run(bootstrap(database.url(), dict.fromkeys(SERVICES, PASSWORD)))
    before = os.environ.get("DATABASE_URL")
    os.environ["DATABASE_URL"] = database.url()
    try:
        for service in services or SERVICES:
            upgrade(service)
    finally:
        if before is None:
            del os.environ["DATABASE_URL"]
        else:
            os.environ["DATABASE_URL"] = before


def emptying(schema: str, *, first: str = "") -> str:
    """The statement that empties a service's tables and the audit trail, one table `first`.

    Rows are deleted: TRUNCATE makes new files for each table and each index, which takes twenty
    times as long for the few rows of a test.
    """
    return f"""
DO $$
DECLARE name text;
BEGIN
    SET LOCAL session_replication_role = replica;  -- no foreign keys, no other triggers
    FOR name IN SELECT format('%I.%I', schemaname, tablename) FROM pg_tables
                WHERE schemaname = '{schema}' AND tablename <> 'alembic_version'
                   OR schemaname = 'audit' AND tablename = 'events'
                ORDER BY tablename <> '{first}', tablename LOOP
        EXECUTE 'DELETE FROM ' || name;
    END LOOP;
    PERFORM setval(s.seqrelid, s.seqstart, false)
    FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid
    WHERE c.relnamespace IN ('{schema}'::regnamespace, 'audit'::regnamespace);
END $$
"""


@asynccontextmanager
async def copy_of(template: Database) -> AsyncIterator[Database]:
    name = f"copy_{secrets.token_hex(6)}"
    database = await make_database(
        template.cluster, name, template=template.name, pooler=template.pooler
    )
    try:
        yield database
    finally:
        await drop_database(database)
