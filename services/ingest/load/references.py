"""What references the table being loaded: nothing that is referenced may go."""

import asyncpg

from services.ingest.errors import StillReferencedError
from shared.contracts.records import DATA_SCHEMA, TableContract
from shared.store.engine import RawConnection
from shared.store.identifiers import quoted

REFERRERS = """
SELECT c.relname AS table, a.attname AS column
FROM pg_constraint k
JOIN pg_class c ON c.oid = k.conrelid AND c.relnamespace = $2::text::regnamespace
JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1]
WHERE k.contype = 'f' AND k.confrelid = $1::oid AND k.conrelid <> k.confrelid
ORDER BY c.relname, a.attname"""


REFERENCES = """
SELECT c.relname AS table, a.attname AS column, b.attname AS key,
    k.conrelid = k.confrelid AS is_own
FROM pg_constraint k
JOIN pg_class c ON c.oid = k.conrelid AND c.relnamespace = $2::text::regnamespace
JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1]
JOIN pg_attribute b ON b.attrelid = k.confrelid AND b.attnum = k.confkey[1]
WHERE k.contype = 'f' AND k.confrelid = $1::oid
ORDER BY c.relname, a.attname"""


async def require_rows_unreferenced(
    connection: RawConnection, contract: TableContract, import_id: int, *, doomed: str
) -> None:
    """Raise StillReferencedError where a record that stays references one that is to go.

    `doomed` is the condition on a row `t` of the table, of this import, that is to go. Writers of
    the referencing tables wait until the transaction ends.
    """
    target = f"{quoted(DATA_SCHEMA)}.{quoted(contract.table)}"
    for row in await connection.fetch(REFERENCES, contract.oid, DATA_SCHEMA):
        table = f"{quoted(DATA_SCHEMA)}.{quoted(row['table'])}"
        if not row["is_own"]:
            await connection.execute(f"LOCK TABLE ONLY {table} IN SHARE MODE")
        # What the import itself has put in goes with what it references.
        stays = f" AND r._import IS DISTINCT FROM {int(import_id)}" if row["is_own"] else ""
        key = await connection.fetchval(
            f"SELECT t.{quoted(row['key'])}::text FROM {table} r JOIN ONLY {target} t"  # noqa: S608 - quoted
            f" ON t.{quoted(row['key'])} = r.{quoted(row['column'])} WHERE {doomed}{stays} LIMIT 1"
        )
        if key is not None:
            raise StillReferencedError(
                f"{row['column']} of {row['table']} references a record that would go:"
                f" {row['key']} {key}; remove such references first"
            )


async def require_unreferenced(connection: RawConnection, contract: TableContract) -> None:
    """Raise StillReferencedError where records of other tables reference any row of the table.

    Their writers wait until the transaction ends: a reference that came later would go with the
    row, or lose its value, where its rule says so.
    """
    for row in await connection.fetch(REFERRERS, contract.oid, DATA_SCHEMA):
        table = f"{quoted(DATA_SCHEMA)}.{quoted(row['table'])}"
        await connection.execute(f"LOCK TABLE ONLY {table} IN SHARE MODE")
        column = quoted(row["column"])
        references = await connection.fetchval(
            f"SELECT EXISTS (SELECT 1 FROM {table} WHERE {column} IS NOT NULL)"  # noqa: S608 - quoted
        )
        if references:
            raise StillReferencedError(
                f"records of another table reference rows of {contract.table}, which a replace"
                " deletes; use `mode=upsert`, or remove these references first"
            )


def is_still_referenced(error: asyncpg.PostgresError, contract: TableContract) -> bool:
    """Whether other tables' references, not the table's own, refuse a change of its rows."""
    if isinstance(error, asyncpg.RestrictViolationError):
        return True
    # PostgreSQL names the referencing table, whichever side was written to.
    return (
        isinstance(error, asyncpg.ForeignKeyViolationError) and error.table_name != contract.table
    )
