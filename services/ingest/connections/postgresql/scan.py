"""Which tables a PostgreSQL database holds, with columns, types and row estimates."""

import asyncio
from collections.abc import AsyncIterator

from services.ingest.connections.postgresql.session import translated
from shared.contracts.catalog import (
    NAME_LIMIT,
    ScanLine,
    ScannedColumn,
    ScannedSchema,
    ScannedTable,
)
from shared.store.engine import RawConnection

TABLES_AT_ONCE = 500

# information_schema shows what this user may see; reltuples is -1 before the first ANALYZE.
TABLES = """
SELECT t.table_schema::text AS schema, t.table_name::text AS name,
       nullif(greatest(c.reltuples, -1), -1)::bigint AS estimate,
       array_agg(a.attname::text ORDER BY a.attnum) AS columns,
       array_agg(format_type(a.atttypid, a.atttypmod) ORDER BY a.attnum) AS types,
       array_agg(NOT a.attnotnull ORDER BY a.attnum) AS nullable
FROM information_schema.tables t
JOIN pg_namespace n ON n.nspname = t.table_schema
JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = t.table_name
LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE t.table_type = 'BASE TABLE'
  AND t.table_schema NOT IN ('pg_catalog', 'information_schema')
GROUP BY t.table_schema, t.table_name, c.reltuples
ORDER BY t.table_schema, t.table_name
"""


# Who may not see a table still sees its name in pg_class: so it is known what was left out.
SCHEMAS = """
SELECT n.nspname::text AS schema, NOT EXISTS (
         SELECT FROM pg_class c WHERE c.relnamespace = n.oid AND c.relkind IN ('r', 'p')
         AND NOT EXISTS (SELECT FROM information_schema.tables t
                         WHERE t.table_schema = n.nspname AND t.table_name = c.relname)
       ) AS whole
FROM pg_namespace n
WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'
ORDER BY n.nspname
"""


async def scan_postgresql(connection: RawConnection, *, answer_s: float) -> AsyncIterator[ScanLine]:
    """Schemas, then base tables, in order; raises SourceUnusableError, SourceAwayError."""
    with translated():
        async with asyncio.timeout(answer_s):
            schemas = await connection.fetch(SCHEMAS)
    for row in schemas:
        yield ScannedSchema(schema_name=row["schema"], whole=row["whole"])
    with translated():
        cursor = await connection.cursor(TABLES)
    while True:
        with translated():
            async with asyncio.timeout(answer_s):
                rows = await cursor.fetch(TABLES_AT_ONCE)
        for row in rows:
            columns = zip(row["columns"], row["types"], row["nullable"], strict=True)
            yield ScannedTable(
                schema_name=row["schema"],
                table_name=row["name"],
                columns=tuple(
                    ScannedColumn(name=name, type=type_[:NAME_LIMIT], nullable=nullable)
                    for name, type_, nullable in columns
                    if name is not None
                ),
                estimated_rows=row["estimate"],
            )
        if len(rows) < TABLES_AT_ONCE:
            return
