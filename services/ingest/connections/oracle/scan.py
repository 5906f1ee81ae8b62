"""Which tables an Oracle database holds, with columns, types and row estimates."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import oracledb

from services.ingest.connections.oracle.session import OracleSession
from shared.contracts.catalog import ScanLine, ScannedColumn, ScannedSchema, ScannedTable

ROWS_AT_ONCE = 2_000

# Without what Oracle made for itself, and without the recycle bin.
COLUMNS = """
SELECT t.owner, t.table_name, t.num_rows, c.column_name, c.data_type, c.data_length,
       c.data_precision, c.data_scale, c.char_length, c.nullable
FROM all_tables t
LEFT JOIN all_tab_columns c ON c.owner = t.owner AND c.table_name = t.table_name
WHERE t.owner NOT IN (SELECT u.username FROM all_users u WHERE u.oracle_maintained = 'Y')
  AND t.dropped = 'NO' AND t.nested = 'NO'
ORDER BY t.owner, t.table_name, c.column_id
"""


# ALL_TABLES has every table of a schema for its own user, and for who may select any table.
SCHEMAS = """
SELECT u.username,
       CASE WHEN u.username IN (SELECT m.username FROM user_users m)
              OR EXISTS (SELECT 1 FROM session_privs p WHERE p.privilege = 'SELECT ANY TABLE')
            THEN 'Y' ELSE 'N' END AS seen_whole
FROM all_users u
WHERE u.oracle_maintained = 'N'
ORDER BY u.username
"""


async def scan_oracle(session: OracleSession) -> AsyncIterator[ScanLine]:
    """Schemas, then tables, in order; raises SourceUnusableError, SourceAwayError."""
    async for row in _rows(session, SCHEMAS):
        yield ScannedSchema(schema_name=row["username"], whole=row["seen_whole"] == "Y")
    current: list[Mapping[str, Any]] = []
    async for row in _rows(session, COLUMNS):
        if current and _key(current[0]) != _key(row):
            yield _oracle_table(current)
            current = []
        current.append(row)
    if current:
        yield _oracle_table(current)


async def _rows(session: OracleSession, query: str) -> AsyncIterator[Mapping[str, Any]]:
    async def start(connection: oracledb.AsyncConnection) -> oracledb.AsyncCursor:
        cursor = connection.cursor()
        cursor.arraysize = cursor.prefetchrows = ROWS_AT_ONCE
        await cursor.execute(query)
        return cursor

    async def fetch(_connection: oracledb.AsyncConnection) -> list[Mapping[str, Any]]:
        names = [info.name.lower() for info in cursor.description or ()]
        rows = await cursor.fetchmany(ROWS_AT_ONCE)
        return [dict(zip(names, row, strict=True)) for row in rows]

    cursor = await session.run(start)
    while rows := await session.run(fetch):
        for row in rows:
            yield row


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
