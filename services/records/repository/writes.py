"""Writing records. Values stay in the JSON that was sent; PostgreSQL reads it, column by column.

Every statement writes only if the table's versions are still those it was made for, else it
raises StaleTableError and nothing was done.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from services.records.ddl import table_name
from services.records.domain import Column, Record, Sent, Table
from services.records.errors import RecordNotFoundError, StaleETagError, StaleTableError
from services.records.query import statement
from services.records.query.plan import Selection
from services.records.repository.driver import Driver, reading, writing
from services.records.repository.rows import document, record_of
from shared.contracts.auth import Caller
from shared.contracts.records import IMPORT_COLUMN, VERSION_COLUMN
from shared.process.request_id import current_request_id
from shared.store.identifiers import quoted
from shared.values.names import unlimited_name

ROW = statement.ROW
NEW = "_v"
RAISED = f"{VERSION_COLUMN} = {ROW}.{VERSION_COLUMN} + 1"
"""In the SET of every UPDATE: the ETag of the row, and the mark of one edited since its import."""


OK = "(SELECT ok FROM _ok)"

AUDIT_VALUES = 4
"""How many parameters a line of audit takes."""
STATEMENTS_KEPT = 100
"""So many of a table; there are as many sets of columns as callers name."""


async def insert_one(
    driver: Driver, table: Table, sent: Sent, columns: Sequence[Column], *, by: Caller
) -> Record:
    """Insert one record; columns that are not named get their defaults."""
    # Written once a table and set of columns: this is the statement that is sent most.
    key = (sent.member or "", *[column.name for column in columns])
    sql = table.inserts.get(key)
    if sql is None:
        if len(table.inserts) >= STATEMENTS_KEPT:
            table.inserts.clear()
        sql = table.inserts[key] = _insert_one(table, sent, columns)
    more = (by.label,) if table.calls_user else ()
    with writing(table, draws_ids=True):
        row = await driver.fetchrow(
            sql, sent.text, *versions(table), *_audit_values(table, columns, by), *more
        )
    if row is None:
        raise StaleTableError(table.name)
    return record_of(table, row)


def _insert_one(table: Table, sent: Sent, columns: Sequence[Column]) -> str:
    as_user = _as_user(5 + AUDIT_VALUES) if table.calls_user else ""
    return (
        f"WITH _n AS (INSERT INTO {table_name(table.name)} AS {ROW} ({targets(columns)})"  # noqa: S608
        f" SELECT {values(columns)} FROM json_to_record({given(sent)})"
        f" AS {NEW} ({record_type(columns)}) WHERE {guard(2)}{as_user} RETURNING {_result(table)}),"
        f" {_audit('record.create', 5)} SELECT json, row_version FROM _n"
    )


async def update_one(
    driver: Driver,
    table: Table,
    record_id: int,
    sent: Sent,
    columns: Sequence[Column],
    *,
    by: Caller,
    reset: Sequence[Column] = (),
    allowed: Sequence[int] | None = None,
) -> Record:
    """Change the named columns, and set those of `reset` to their defaults.

    With `allowed`, only while its `_version` is one of these. Raises
    RecordNotFoundError, StaleETagError.
    """
    sets = [
        *(f"{quoted(column.name)} = {NEW}.{quoted(column.name)}" for column in columns),
        *(f"{quoted(column.name)} = DEFAULT" for column in reset),
        RAISED,
    ]
    more: list[object] = []
    condition = ""
    if allowed is not None:
        more.append(list(allowed))
        condition = f" AND {ROW}.{VERSION_COLUMN} = ANY (${6 + AUDIT_VALUES}::bigint[])"
    if reset and table.calls_user:
        more.append(by.label)
        condition += _as_user(5 + AUDIT_VALUES + len(more))
    sql = (
        f"WITH {_ok(2)}, {_new(sent, columns)},"  # noqa: S608
        f" _n AS (UPDATE {table_name(table.name)} AS {ROW} SET {', '.join(sets)} FROM {NEW}"
        f" WHERE {ROW}.id = $5::bigint AND {OK}{condition} RETURNING {_result(table)}),"
        f" {_audit('record.update', 6)} SELECT json, row_version FROM _n"
    )
    audit = _audit_values(table, (*columns, *reset), by)
    with writing(table):
        row = await driver.fetchrow(sql, sent.text, *versions(table), record_id, *audit, *more)
    if row is None:
        raise await _why_not(driver, table, record_id)
    return record_of(table, row)


async def delete_one(
    driver: Driver,
    table: Table,
    record_id: int,
    *,
    by: Caller,
    allowed: Sequence[int] | None = None,
) -> None:
    """Delete one record; raises as `update_one`."""
    more: list[object] = []
    condition = ""
    if allowed is not None:
        more.append(list(allowed))
        condition = f" AND {ROW}.{VERSION_COLUMN} = ANY (${5 + AUDIT_VALUES}::bigint[])"
    sql = (
        f"WITH {_ok(1)}, _n AS (DELETE FROM {table_name(table.name)} AS {ROW}"  # noqa: S608
        f" WHERE {ROW}.id = $4::bigint AND {OK}{condition} RETURNING {ROW}.id AS _id),"
        f" {_audit('record.delete', 5)} SELECT 1 FROM _n"
    )
    audit = _audit_values(table, None, by)
    with writing(table):
        done = await driver.fetchval(sql, *versions(table), record_id, *audit, *more)
    if done is None:
        raise await _why_not(driver, table, record_id)


async def update_many(
    driver: Driver, table: Table, selection: Selection, sent: Sent, columns: Sequence[Column]
) -> int:
    """Change the named columns of every selected row; how many there were."""
    binds = statement.Binds([sent.text, *versions(table)])
    condition = statement.where(selection, table, binds, OK)
    sets = [f"{quoted(column.name)} = {NEW}.{quoted(column.name)}" for column in columns]
    sql = (
        f"WITH {_ok(2)}, {_new(sent, columns)},"  # noqa: S608
        f" _n AS (UPDATE {table_name(table.name)} AS {ROW} SET {', '.join([*sets, RAISED])}"
        f" FROM {NEW}{condition} RETURNING 1) SELECT {OK} AS ok, (SELECT count(*) FROM _n) AS n"
    )
    with writing(table):
        return _counted(table, await driver.fetchrow(sql, *binds.values))


async def delete_many(driver: Driver, table: Table, selection: Selection) -> int:
    """Delete every selected row; how many there were."""
    binds = statement.Binds([*versions(table)])
    condition = statement.where(selection, table, binds, OK)
    sql = (
        f"WITH {_ok(1)}, _n AS (DELETE FROM {table_name(table.name)} AS {ROW}{condition}"  # noqa: S608
        f" RETURNING 1) SELECT {OK} AS ok, (SELECT count(*) FROM _n) AS n"
    )
    with writing(table):
        return _counted(table, await driver.fetchrow(sql, *binds.values))


def _counted(table: Table, row: Mapping[str, Any]) -> int:
    if not row["ok"]:
        raise StaleTableError(table.name)
    return int(row["n"])


def _ok(first: int) -> str:
    """The guard in a CTE of its own: Citus plans no other table beside a distributed one."""
    return f"_ok AS MATERIALIZED (SELECT {guard(first)} AS ok)"


def _new(sent: Sent, columns: Sequence[Column]) -> str:
    """The values that were sent, likewise: Citus knows no row type of a function in an UPDATE."""
    return (
        f"{NEW} AS MATERIALIZED"  # noqa: S608 - our own words
        f" (SELECT * FROM json_to_record({given(sent)}) AS {NEW} ({record_type(columns)}))"
    )


def _result(table: Table) -> str:
    return (
        f"{document(table.shown)} AS json, {ROW}.{VERSION_COLUMN} AS row_version, {ROW}.id AS _id"
    )


def _audit(action: str, first: int) -> str:
    """A line of audit for the row of `_n`, in the same statement: another would cost a trip."""
    subject, object_, request_id, detail = range(first, first + AUDIT_VALUES)
    return (
        "_a AS (INSERT INTO audit.events"  # noqa: S608 - our own words
        " (subject, action, object, result, request_id, detail)"
        f" SELECT ${subject}::text, '{action}', ${object_}::text, 'ok', ${request_id}::text,"
        f" (${detail}::text || _id || '}}')::jsonb FROM _n)"
    )


def _audit_values(
    table: Table, columns: Sequence[Column] | None, by: Caller
) -> tuple[str, str, str | None, str]:
    """The parameters of `_audit`, the detail as JSON text that lacks only its record's id.

    Building it in PostgreSQL would take a tenth of the time of an insert.
    """
    detail = "{"
    if columns is not None:
        # Names hold nothing that JSON would escape.
        names = ",".join([f'"{column.name}"' for column in columns])
        detail += f'"fields":[{names}],'
    if by.api_key is not None:
        detail += f'"api_key":{json.dumps(by.api_key)},'
    return by.sub, table.name, current_request_id.get(), f'{detail}"id":'


def _as_user(number: int) -> str:
    """Say who writes, for defaults that ask; a filter is evaluated before the row is formed."""
    return f" AND set_config('tabularium.user', ${number}::text, true) IS NOT NULL"


async def _why_not(driver: Driver, table: Table, record_id: int) -> Exception:
    with reading(table):
        row = await driver.fetchrow(
            "SELECT (SELECT (version, grants_version) = ($2::bigint, $3::bigint)"  # noqa: S608
            " FROM records.tables WHERE id = $1) AS current,"
            f" EXISTS (SELECT 1 FROM {table_name(table.name)} WHERE id = $4) AS there",
            *versions(table),
            record_id,
        )
    if not row["current"]:
        return StaleTableError(table.name)
    if row["there"]:
        return StaleETagError("the record has changed since you read it; read it again")
    return RecordNotFoundError.of_id(table.name, record_id)


def given(sent: Sent) -> str:
    """The values that were sent, as a json expression on the parameter `$1`."""
    return "$1::json" if sent.member is None else f"($1::json -> '{sent.member}')"


async def name_user(driver: Driver, by: Caller) -> None:
    """Say who writes in this transaction, for defaults that ask."""
    await driver.execute("SELECT set_config('tabularium.user', $1, true)", by.label)


def guard(first: int) -> str:
    """Whether the versions are still those of the parameters from `$first` on."""
    return (
        f"EXISTS (SELECT 1 FROM records.tables WHERE id = ${first}"  # noqa: S608 - our own words
        f" AND version = ${first + 1} AND grants_version = ${first + 2})"
    )


def versions(table: Table) -> tuple[int, int, int]:
    """The parameters of `guard`."""
    return table.id, table.version, table.grants_version


def record_type(columns: Sequence[Column]) -> str:
    """The columns as the row type of `json_to_record`."""
    # A record type has at least one column; no body names one that begins with an underscore.
    listed = [f"{quoted(column.name)} {unlimited_name(column.type)}" for column in columns]
    return ", ".join(listed) or "_nothing text"


def targets(columns: Sequence[Column]) -> str:
    """The columns of an INSERT; there must be one."""
    return ", ".join(quoted(column.name) for column in columns) or quoted(IMPORT_COLUMN)


def values(columns: Sequence[Column]) -> str:
    """What goes into `targets`."""
    return ", ".join(f"{NEW}.{quoted(column.name)}" for column in columns) or "NULL::bigint"
