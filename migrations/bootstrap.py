"""Roles, schemas and default privileges, made by an owner that need not be a superuser.

What each role may do (`docs/decisions.md` says why):
- the owner makes the schemas and runs the migrations;
- `auth`, `catalog`, `records`, `ingest` log in with DML on their own schema;
- `records` owns the schema `data` and alone has DDL there; `ingest` has DML on its tables;
- everyone may INSERT into `audit.events` (granted where that table is made).
"""

from collections.abc import Mapping

import asyncpg

from migrations.verifiers import scram_verifier
from shared.store.identifiers import quoted

ROLE_SETTINGS = {
    # How values are read and written: times in UTC, everything in ISO 8601.
    "records": {
        "timezone": "UTC",
        "datestyle": "ISO, YMD",
        "intervalstyle": "iso_8601",
        # Statements are short, and compiling them takes longer than running them.
        "jit": "off",
    },
    # A process that is stopped between two statements must not hold a run's row for ever.
    "ingest": {"idle_in_transaction_session_timeout": "15s"},
}
"""What holds in every session of a role: a pooler passes on no settings of its clients, and Citus
opens sessions on its workers itself."""
STATEMENT_TIMEOUT_S = 55.0
"""For reading and writing records; less than the gateway waits for an answer."""

LOCK = "SELECT pg_advisory_xact_lock(hashtext('tabularium.bootstrap'))"
SERVICES = ("auth", "catalog", "records", "ingest")


class NoConnectionError(Exception):
    """The database cannot be reached, or takes no such log-in."""

    def __init__(self, reason: Exception) -> None:
        super().__init__(f"no connection ({reason or type(reason).__name__})")


async def bootstrap(
    owner_url: str,
    passwords: Mapping[str, str],
    *,
    statement_timeout_s: float = STATEMENT_TIMEOUT_S,
) -> None:
    """Make or repair roles and schemas; running it again changes nothing but the passwords.

    The owner needs CREATEROLE and CREATE on the database, as managed PostgreSQL gives.
    `statement_timeout_s` holds for the sessions of `records` that begin from then on. Raises
    NoConnectionError.
    """
    timeout = {"statement_timeout": f"{statement_timeout_s * 1000:.0f}ms"}
    try:
        connection = await asyncpg.connect(owner_url, timeout=10)
    except (
        OSError,
        asyncpg.PostgresError,
        asyncpg.InterfaceError,
        asyncpg.InternalClientError,
    ) as exc:
        raise NoConnectionError(exc) from exc
    try:
        async with connection.transaction():
            # Two bootstraps at once would race for the same roles.
            await connection.execute(LOCK)
            for role in SERVICES:
                await login_role(connection, role, passwords[role])
            for role, settings in ROLE_SETTINGS.items():
                await _settings(connection, role, settings)
            await _settings(connection, "records", timeout)
            await _own_schemas(connection)
            await _data_schema(connection)
            await _bulk_references(connection)
    finally:
        await connection.close()


async def login_role(
    connection: asyncpg.Connection, role: str, password: str, *, may: str = ""
) -> None:
    """Make a role that logs in, or give it the password; `may` is an option such as CREATEROLE."""
    exists = await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", role)
    verb = "ALTER" if exists else "CREATE"
    # Role statements take no bind parameters; a verifier's alphabet needs no quoting.
    verifier = scram_verifier(password)
    await connection.execute(f"{verb} ROLE {quoted(role)} LOGIN {may} PASSWORD '{verifier}'")


async def _settings(connection: asyncpg.Connection, role: str, settings: Mapping[str, str]) -> None:
    has = await connection.fetchval("SELECT rolconfig FROM pg_roles WHERE rolname = $1", role)
    for name, value in settings.items():
        if f"{name}={value}" not in {_lowered(each) for each in has or ()}:
            await connection.execute(f"ALTER ROLE {quoted(role)} SET {name} = '{value}'")


def _lowered(setting: str) -> str:
    # PostgreSQL keeps a name as it spells it itself: `TimeZone`, `DateStyle`.
    name, _, value = setting.partition("=")
    return f"{name.lower()}={value}"


async def _own_schemas(connection: asyncpg.Connection) -> None:
    await connection.execute("CREATE SCHEMA IF NOT EXISTS audit")
    for role in SERVICES:
        name = quoted(role)
        await connection.execute(f"CREATE SCHEMA IF NOT EXISTS {name}")
        await connection.execute(f"GRANT USAGE ON SCHEMA {name} TO {name}")
        await connection.execute(f"GRANT USAGE ON SCHEMA audit TO {name}")
        await connection.execute(
            f"ALTER DEFAULT PRIVILEGES IN SCHEMA {name}"
            f" GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {name}"
        )
        await connection.execute(
            f"ALTER DEFAULT PRIVILEGES IN SCHEMA {name} GRANT USAGE ON SEQUENCES TO {name}"
        )


async def _bulk_references(connection: asyncpg.Connection) -> None:
    """Let `records` look at the references of a bulk load as a set, where the owner may say so.

    It gives the role nothing new over the users' tables, which it owns. Without it each row is
    looked at by itself, which takes three times as long.
    """
    if await connection.fetchval(
        "SELECT has_parameter_privilege('session_replication_role', 'SET WITH GRANT OPTION')"
    ):
        await connection.execute("GRANT SET ON PARAMETER session_replication_role TO records")


async def _data_schema(connection: asyncpg.Connection) -> None:
    # An owner that is no superuser must be a member of `records` before it can act for it.
    owner = quoted(await connection.fetchval("SELECT current_user"))
    await connection.execute(f"GRANT records TO {owner}")
    database = quoted(await connection.fetchval("SELECT current_database()"))
    await connection.execute(f"GRANT TEMPORARY ON DATABASE {database} TO ingest, catalog")
    await connection.execute("CREATE SCHEMA IF NOT EXISTS data AUTHORIZATION records")
    await connection.execute("GRANT USAGE ON SCHEMA data TO ingest")
    await connection.execute(
        "ALTER DEFAULT PRIVILEGES FOR ROLE records IN SCHEMA data"
        " GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO ingest"
    )
    # Trusted since PostgreSQL 13; without it only `searchable` columns are refused. Not sent when
    # it is there: on the workers of Citus it belongs to whoever added them.
    if await connection.fetchval(
        "SELECT 1 FROM pg_available_extensions WHERE name = 'pg_trgm' AND installed_version IS NULL"
    ):
        await connection.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm SCHEMA public")
