"""Which tables a database holds, with columns, types and row estimates, for the catalog."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

import oracledb

from services.ingest.connections.oracle.session import OracleSession
from services.ingest.connections.postgresql.session import Connection, translated
from shared.contracts.catalog import NAME_LIMIT, ScannedColumn, ScannedTable

TABLES_AT_ONCE = 500
ROWS_AT_ONCE = 2_000

# information_schema shows what this user may see; reltuples is -1 before the first ANALYZE.
POSTGRESQL_TABLES = """
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

# Without what Oracle made for itself, and without the recycle bin.
ORACLE_COLUMNS = """
SELECT t.owner, t.table_name, t.num_rows, c.column_name, c.data_type, c.data_length,
       c.data_precision, c.data_scale, c.char_length, c.nullable
FROM all_tables t
LEFT JOIN all_tab_columns c ON c.owner = t.owner AND c.table_name = t.table_name
WHERE t.owner NOT IN (SELECT u.username FROM all_users u WHERE u.oracle_maintained = 'Y')
  AND t.dropped = 'NO' AND t.nested = 'NO'
ORDER BY t.owner, t.table_name, c.column_id
"""


async def scan_postgresql(
    connection: Connection, *, answer_s: float
) -> AsyncIterator[ScannedTable]:
    """Base tables in order; raises SourceUnusableError, SourceAwayError."""
    with translated():
        cursor = await connection.cursor(POSTGRESQL_TABLES)
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


async def scan_oracle(session: OracleSession) -> AsyncIterator[ScannedTable]:
    """Tables in order; raises SourceUnusableError, SourceAwayError."""

    async def start(connection: oracledb.AsyncConnection) -> oracledb.AsyncCursor:
        cursor = connection.cursor()
        cursor.arraysize = cursor.prefetchrows = ROWS_AT_ONCE
        await cursor.execute(ORACLE_COLUMNS)
        return cursor

    async def fetch(_connection: oracledb.AsyncConnection) -> list[Mapping[str, Any]]:
        names = [info.name.lower() for info in cursor.description or ()]
        rows = await cursor.fetchmany(ROWS_AT_ONCE)
        return [dict(zip(names, row, strict=True)) for row in rows]

    cursor = await session.run(start)
    current: list[Mapping[str, Any]] = []
    while rows := await session.run(fetch):
        for row in rows:
            if current and _key(current[0]) != _key(row):
                yield _oracle_table(current)
                current = []
            current.append(row)
    if current:
        yield _oracle_table(current)


def _key(row: Mapping[str, Any]) -> tuple[str, str]:
    return row["owner"], row["table_name"]


def _oracle_table(rows: list[Mapping[str, Any]]) -> ScannedTable:
    first = rows[0]
    return ScannedTable(
        schema_name=first["owner"],
        table_name=first["table_name"],
        columns=tuple(
            ScannedColumn(
                name=row["column_name"], type=spelled(row), nullable=row["nullable"] == "Y"
            )
            for row in rows
            if row["column_name"] is not None
        ),
        estimated_rows=first["num_rows"],
    )


def spelled(row: Mapping[str, Any]) -> str:
    """A column's type as CREATE TABLE would have it, from a row of ALL_TAB_COLUMNS."""
    name = str(row["data_type"])
    precision, scale = row["data_precision"], row["data_scale"]
    if name == "NUMBER":
        if precision is None:
            # INTEGER is kept as a NUMBER without precision and with the scale 0.
            return "NUMBER" if scale is None else f"NUMBER(38,{scale})"
        return f"NUMBER({precision},{scale})" if scale else f"NUMBER({precision})"
    if name == "FLOAT":
        return f"FLOAT({precision})"
    if name in ("VARCHAR2", "NVARCHAR2", "CHAR", "NCHAR"):
        return f"{name}({row['char_length']})"
    if name == "RAW":
        return f"RAW({row['data_length']})"
    return name
