"""Writing records. Values stay in the JSON that was sent; PostgreSQL reads it, column by column.

Every statement writes only if the table's versions are still those it was made for, else it
raises StaleTableError and nothing was done.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from services.records.ddl import table_name
from services.records.domain import Column, Constraint, Record, Sent, Table, Written
from services.records.errors import RecordNotFoundError, StaleETagError, StaleTableError
from services.records.query import statement
from services.records.query.plan import Selection
from services.records.repository.driver import Driver, reading, writing
from services.records.repository.rows import document, record_of
from shared.contracts.records import ID_COLUMN, IMPORT_COLUMN, VERSION_COLUMN
from shared.store.identifiers import quoted
from shared.values.names import unlimited_name

ROW = statement.ROW
NEW = "_v"
RAISED = f"{VERSION_COLUMN} = {ROW}.{VERSION_COLUMN} + 1"
"""In the SET of every UPDATE: the ETag of the row, and the mark of one edited since its import."""


class OnConflict(StrEnum):
    """What happens to a new record whose key is there already."""

    ERROR = "error"
    IGNORE = "ignore"
    UPDATE = "update"


@dataclass(frozen=True, slots=True)
class Batch:
    """Elements of an array (numbered from 1) that name the same columns."""

    columns: tuple[Column, ...]
    numbers: tuple[int, ...]


async def insert_one(driver: Driver, table: Table, sent: Sent, columns: Sequence[Column]) -> Record:
    """Insert one record; columns that are not named get their defaults."""
    sql = (
        f"INSERT INTO {table_name(table.name)} AS {ROW} ({_targets(columns)})"  # noqa: S608
        f" SELECT {_values(columns)} FROM json_to_record({_given(sent)})"
        f" AS {NEW} ({_record(columns)}) WHERE {_guard(2)}"
        f" RETURNING {document(table.shown)} AS json, {ROW}.{VERSION_COLUMN} AS row_version"
    )
    with writing(table):
        row = await driver.fetchrow(sql, sent.text, *_versions(table))
    if row is None:
        raise StaleTableError(table.name)
    return record_of(table, row)


async def insert_batch(
    driver: Driver,
    table: Table,
    sent: Sent,
    batch: Batch,
    *,
    on_conflict: OnConflict,
    key: Constraint | None,
) -> Sequence[Written]:
    """Insert some elements of an array, in their order."""
    columns = batch.columns
    sql = (
        f"WITH _ok AS MATERIALIZED (SELECT {_guard(2)} AS ok),"  # noqa: S608
        f" _n AS (INSERT INTO {table_name(table.name)} AS {ROW} ({_targets(columns)})"
        f" SELECT {_values(columns)} FROM {_elements(sent, columns)}"
        f" WHERE {NEW}._number = ANY ($5::bigint[]) AND (SELECT ok FROM _ok)"
        f" ORDER BY {NEW}._number {_conflict(columns, on_conflict, key)}"
        f" RETURNING {ROW}.id, {ROW}.{VERSION_COLUMN} = 1 AS inserted)"
        " SELECT (SELECT ok FROM _ok) AS ok, _n.* FROM (SELECT 1) _one LEFT JOIN _n ON true"
    )
    with writing(table):
        rows = await driver.fetch(sql, sent.text, *_versions(table), list(batch.numbers))
    if not rows[0]["ok"]:
        raise StaleTableError(table.name)
    # Without ignored rows, ids come back in the order of the elements.
    written = [row for row in rows if row["id"] is not None]
    numbers: Sequence[int] = (
        batch.numbers if len(written) == len(batch.numbers) else range(1, len(written) + 1)
    )
    return [
        Written(number=number, id=row["id"], inserted=row["inserted"])
        for number, row in zip(numbers, written, strict=True)
    ]


async def element_in_the_way(
    driver: Driver, table: Table, sent: Sent, names: Sequence[str], *, in_table: bool = True
) -> int | None:
    """The first element (from 1) whose values in these columns are there already."""
    columns = [table.by_name[name] for name in names]
    equal = " AND ".join(
        f"{statement.reference(column)} = {NEW}.{quoted(column.name)}" for column in columns
    )
    own = ", ".join(f"{NEW}.{quoted(column.name)}" for column in columns)
    some = " AND ".join(f"{NEW}.{quoted(column.name)} IS NOT NULL" for column in columns)
    there = "false"
    if in_table:
        there = f"EXISTS (SELECT 1 FROM {table_name(table.name)} {ROW} WHERE {equal})"  # noqa: S608
    sql = (
        f"SELECT min(_number) FROM (SELECT {NEW}._number,"  # noqa: S608
        f" row_number() OVER (PARTITION BY {own} ORDER BY {NEW}._number) > 1"
        f" OR {there} AS taken"
        f" FROM {_elements(sent, columns)} WHERE {some}) _q WHERE taken"
    )
    with reading(table):
        number: int | None = await driver.fetchval(sql, sent.text)
    return number


async def id_by_key(driver: Driver, table: Table, sent: Sent, key: Constraint) -> int:
    """The id of the record that has the key of an array's only element; 0 when it is gone."""
    columns = [table.by_name[name] for name in key.columns]
    equal = " AND ".join(
        f"{statement.reference(column)} = {NEW}.{quoted(column.name)}" for column in columns
    )
    with reading(table):
        record_id: int | None = await driver.fetchval(
            f"SELECT {ROW}.id FROM {table_name(table.name)} {ROW}, {_elements(sent, columns)}"  # noqa: S608
            f" WHERE {equal} ORDER BY {ROW}.id LIMIT 1",
            sent.text,
        )
    return record_id or 0


async def raise_sequence(driver: Driver, table: Table) -> None:
    """After ids were given by hand: no later id may meet one of them.

    The no-op ALTER SEQUENCE keeps others away from the sequence until the transaction ends.
    """
    sequence = await driver.fetchval(
        "SELECT pg_get_serial_sequence($1, $2)", table_name(table.name), ID_COLUMN
    )
    await driver.execute(f"ALTER SEQUENCE {sequence} INCREMENT BY 1")
    await driver.fetchval(
        f"SELECT setval($1::text::regclass, greatest((SELECT last_value FROM {sequence}),"  # noqa: S608
        f" (SELECT max(id) FROM {table_name(table.name)})))",
        sequence,
    )


async def update_one(
    driver: Driver,
    table: Table,
    record_id: int,
    sent: Sent,
    columns: Sequence[Column],
    *,
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
    condition = "" if allowed is None else f" AND {ROW}.{VERSION_COLUMN} = ANY ($6::bigint[])"
    sql = (
        f"UPDATE {table_name(table.name)} AS {ROW} SET {', '.join(sets)}"  # noqa: S608
        f" FROM json_to_record({_given(sent)}) AS {NEW} ({_record(columns)})"
        f" WHERE {ROW}.id = $5::bigint AND {_guard(2)}{condition}"
        f" RETURNING {document(table.shown)} AS json, {ROW}.{VERSION_COLUMN} AS row_version"
    )
    more = [] if allowed is None else [list(allowed)]
    with writing(table):
        row = await driver.fetchrow(sql, sent.text, *_versions(table), record_id, *more)
    if row is None:
        raise await _why_not(driver, table, record_id)
    return record_of(table, row)


async def delete_one(
    driver: Driver, table: Table, record_id: int, *, allowed: Sequence[int] | None = None
) -> None:
    """Delete one record; raises as `update_one`."""
    condition = "" if allowed is None else f" AND {ROW}.{VERSION_COLUMN} = ANY ($5::bigint[])"
    sql = (
        f"DELETE FROM {table_name(table.name)} AS {ROW}"  # noqa: S608
        f" WHERE {ROW}.id = $4::bigint AND {_guard(1)}{condition} RETURNING 1"
    )
    more = [] if allowed is None else [list(allowed)]
    with writing(table):
        done = await driver.fetchval(sql, *_versions(table), record_id, *more)
    if done is None:
        raise await _why_not(driver, table, record_id)


async def update_many(
    driver: Driver, table: Table, selection: Selection, sent: Sent, columns: Sequence[Column]
) -> int:
    """Change the named columns of every selected row; how many there were."""
    binds = statement.Binds([sent.text, *_versions(table)])
    condition = statement.where(selection, table, binds, "(SELECT ok FROM _ok)")
    sets = [f"{quoted(column.name)} = {NEW}.{quoted(column.name)}" for column in columns]
    sql = (
        f"WITH _ok AS MATERIALIZED (SELECT {_guard(2)} AS ok),"  # noqa: S608
        f" _n AS (UPDATE {table_name(table.name)} AS {ROW} SET {', '.join([*sets, RAISED])}"
        f" FROM json_to_record({_given(sent)}) AS {NEW} ({_record(columns)}){condition}"
        " RETURNING 1) SELECT (SELECT ok FROM _ok) AS ok, (SELECT count(*) FROM _n) AS n"
    )
    with writing(table):
        return _counted(table, await driver.fetchrow(sql, *binds.values))


async def delete_many(driver: Driver, table: Table, selection: Selection) -> int:
    """Delete every selected row; how many there were."""
    binds = statement.Binds([*_versions(table)])
    condition = statement.where(selection, table, binds, "(SELECT ok FROM _ok)")
    sql = (
        f"WITH _ok AS MATERIALIZED (SELECT {_guard(1)} AS ok),"  # noqa: S608
        f" _n AS (DELETE FROM {table_name(table.name)} AS {ROW}{condition} RETURNING 1)"
        " SELECT (SELECT ok FROM _ok) AS ok, (SELECT count(*) FROM _n) AS n"
    )
    with writing(table):
        return _counted(table, await driver.fetchrow(sql, *binds.values))


def _counted(table: Table, row: Mapping[str, Any]) -> int:
    if not row["ok"]:
        raise StaleTableError(table.name)
    return int(row["n"])


async def _why_not(driver: Driver, table: Table, record_id: int) -> Exception:
    with reading(table):
        row = await driver.fetchrow(
            "SELECT (SELECT (version, grants_version) = ($2::bigint, $3::bigint)"  # noqa: S608
            " FROM records.tables WHERE id = $1) AS current,"
            f" EXISTS (SELECT 1 FROM {table_name(table.name)} WHERE id = $4) AS there",
            *_versions(table),
            record_id,
        )
    if not row["current"]:
        return StaleTableError(table.name)
    if row["there"]:
        return StaleETagError("the record has changed since you read it; read it again")
    return RecordNotFoundError.of_id(table.name, record_id)


def _given(sent: Sent) -> str:
    """The values that were sent, as a json expression on the parameter `$1`."""
    return "$1::json" if sent.member is None else f"($1::json -> '{sent.member}')"


def _guard(first: int) -> str:
    return (
        f"EXISTS (SELECT 1 FROM records.tables WHERE id = ${first}"  # noqa: S608 - our own words
        f" AND version = ${first + 1} AND grants_version = ${first + 2})"
    )


def _versions(table: Table) -> tuple[int, int, int]:
    return table.id, table.version, table.grants_version


def _record(columns: Sequence[Column]) -> str:
    # A record type has at least one column; no body names one that begins with an underscore.
    listed = [f"{quoted(column.name)} {unlimited_name(column.type)}" for column in columns]
    return ", ".join(listed) or "_nothing text"


def _targets(columns: Sequence[Column]) -> str:
    return ", ".join(quoted(column.name) for column in columns) or quoted(IMPORT_COLUMN)


def _values(columns: Sequence[Column]) -> str:
    return ", ".join(f"{NEW}.{quoted(column.name)}" for column in columns) or "NULL::bigint"


def _elements(sent: Sent, columns: Sequence[Column]) -> str:
    names = ", ".join(quoted(column.name) for column in columns) or "_nothing"
    return (
        f"ROWS FROM (json_to_recordset({_given(sent)}) AS ({_record(columns)}))"
        f" WITH ORDINALITY AS {NEW} ({names}, _number)"
    )


def _conflict(columns: Sequence[Column], on_conflict: OnConflict, key: Constraint | None) -> str:
    if on_conflict is OnConflict.ERROR:
        return ""
    assert key is not None
    target = ", ".join(quoted(name) for name in key.columns)
    changed = [column for column in columns if column.name not in key.columns]
    if on_conflict is OnConflict.IGNORE:
        return f"ON CONFLICT ({target}) DO NOTHING"
    sets = [f"{quoted(column.name)} = excluded.{quoted(column.name)}" for column in changed]
    return f"ON CONFLICT ({target}) DO UPDATE SET {', '.join([*sets, RAISED])}"
