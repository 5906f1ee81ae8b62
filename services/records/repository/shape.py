"""Changing the shape of users' tables: locks, DDL, and the rows that cannot follow."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import asyncpg

from services.records import ddl
from services.records.domain import Column, Table
from services.records.errors import (
    NameTakenError,
    RowsInTheWayError,
    StaleTableError,
    TableBusyError,
)
from services.records.repository.casts import follows
from services.records.repository.driver import Driver, TransactionDriver, reading
from shared.contracts.ingest import loading_import
from shared.contracts.problem import FieldError
from shared.contracts.records import TableOid
from shared.errors import ConflictError, InvalidInputError, ProblemError
from shared.store.conditions import reference_condition, rule_condition
from shared.store.identifiers import quoted
from shared.values.names import ddl_name
from shared.values.rules import Reference, RuleName
from shared.values.types import ColumnType, is_widening

LOCK_TRY = "SET LOCAL lock_timeout = '200ms'"
LOCK_REST = "SET LOCAL lock_timeout = '3s'"
LOCK_FOR_S = 3.0
LOCK_PAUSE_S = 0.05
"""Between tries, so that those who queued behind the last one get through."""
ROWS_NAMED = 10
VALUE_SHOWN = 100

HOLDERS = """
SELECT DISTINCT a.application_name
FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'relation' AND l.relation = $1::text::regclass AND l.granted
  AND l.pid <> pg_backend_pid()
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
ORDER BY a.application_name
"""
SEARCH_INDEXES = """
SELECT c.relname FROM pg_index i
JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_opclass o ON o.oid = i.indclass[0]
JOIN pg_depend p ON p.classid = 'pg_class'::regclass AND p.objid = i.indexrelid
  AND p.refclassid = 'pg_class'::regclass AND p.refobjid = i.indrelid AND p.refobjsubid = $2
WHERE i.indrelid = $1::text::regclass AND i.indnatts = 1 AND o.opcname = 'gin_trgm_ops'
"""


@dataclass(frozen=True, slots=True)
class Obstacle:
    """A row that cannot follow a change."""

    record_id: int
    value: str | None


async def hold(driver: TransactionDriver, table: Table) -> None:
    """Lock a table against everyone, in tries of 200 ms, for 3 s at most.

    A waiting lock stalls every reader that comes after it, so each try is short. Raises
    TableBusyError naming who holds the table, StaleTableError when it is not what we know.
    """
    deadline = asyncio.get_running_loop().time() + LOCK_FOR_S
    await driver.execute(LOCK_TRY)
    while True:
        try:
            async with driver.transaction():
                await driver.execute(ddl.lock_table(table.name))
        except asyncpg.LockNotAvailableError as exc:
            if asyncio.get_running_loop().time() < deadline:
                await asyncio.sleep(LOCK_PAUSE_S)
                continue
            raise await _busy(driver, table) from exc
        except asyncpg.UndefinedTableError as exc:
            raise StaleTableError(table.name) from exc
        break
    await driver.execute(LOCK_REST)
    version = await driver.fetchval(
        "SELECT version FROM records.tables WHERE id = $1 AND name = $2", table.id, table.name
    )
    if version != table.version:
        raise StaleTableError(table.name)


async def run(driver: Driver, statements: Iterable[ddl.Sql]) -> None:
    """Run DDL in the caller's transaction; what PostgreSQL refuses becomes a problem."""
    for statement in statements:
        try:
            await driver.execute(statement)
        except asyncpg.PostgresError as exc:
            problem = _cause(exc)
            if problem is None:
                raise
            raise problem from exc


def _cause(exc: asyncpg.PostgresError) -> ProblemError | None:  # noqa: PLR0911 - a list of causes
    detail = exc.detail or exc.args[0]
    if isinstance(exc, asyncpg.UniqueViolationError) and exc.schema_name != "pg_catalog":
        return RowsInTheWayError(f"a value would be there twice: {detail}")
    # Two tables of one name, made at once, meet in PostgreSQL's own catalog.
    if isinstance(exc, asyncpg.DuplicateTableError | asyncpg.UniqueViolationError):
        return NameTakenError("a table of that name is there already")
    if isinstance(exc, asyncpg.DuplicateColumnError):
        return NameTakenError("the table has a column of that name already")
    if isinstance(exc, asyncpg.InvalidRegularExpressionError):
        message = f"PostgreSQL cannot read the pattern: {exc.args[0]}"
        return InvalidInputError.of("rules.pattern", "unsupported_pattern", message)
    if isinstance(
        exc,
        asyncpg.DataError
        | asyncpg.NotNullViolationError
        | asyncpg.CheckViolationError
        | asyncpg.ForeignKeyViolationError,
    ):
        return RowsInTheWayError(f"some record cannot follow: {exc.args[0]}")
    if isinstance(exc, asyncpg.DatatypeMismatchError):
        return ConflictError(f"a reference needs columns of like types: {detail}")
    if isinstance(exc, asyncpg.DependentObjectsStillExistError | asyncpg.FeatureNotSupportedError):
        by_citus = "istributed" in str(exc)
        why = "Citus does not do this" if by_citus else "something else depends on it"
        return ConflictError(f"{why}: {detail}")
    if isinstance(exc, asyncpg.TooManyColumnsError):
        return InvalidInputError.of("columns", "too_many", "too many columns")
    if isinstance(exc, asyncpg.LockNotAvailableError | asyncpg.DeadlockDetectedError):
        return TableBusyError("something holds the table; try again")
    return None


async def search_indexes(driver: Driver, table: Table, column: Column) -> Sequence[str]:
    """The names of a column's trigram indexes."""
    rows = await driver.fetch(SEARCH_INDEXES, ddl.table_name(table.name), column.attnum)
    return [row["relname"] for row in rows]


async def oid(driver: Driver, table: Table) -> TableOid:
    """The OID of a table that this transaction holds."""
    name = ddl.table_name(table.name)
    return TableOid(await driver.fetchval("SELECT $1::text::regclass::oid::bigint", name))


async def is_empty(driver: Driver, table: Table) -> bool:
    """Whether a table has no row."""
    row = await driver.fetchval(f"SELECT 1 FROM {ddl.table_name(table.name)} LIMIT 1")  # noqa: S608
    return row is None


REFERENCING = """
SELECT DISTINCT c.relname AS name FROM pg_constraint k
JOIN pg_class c ON c.oid = k.conrelid
WHERE k.contype = 'f' AND k.confrelid = $1::text::regclass AND k.conrelid <> k.confrelid
  AND ($3 OR k.confkey && $2::int2[])
ORDER BY c.relname
"""


async def without_value(driver: Driver, table: Table, column: Column) -> Sequence[Obstacle]:
    """Rows that forbid NOT NULL."""
    name = quoted(column.name)
    return await _obstacles(
        driver,
        table,
        f"SELECT id, NULL AS value FROM {ddl.table_name(table.name)}"  # noqa: S608
        f" WHERE {name} IS NULL ORDER BY id LIMIT {ROWS_NAMED}",
    )


async def repeated(driver: Driver, table: Table, columns: Sequence[Column]) -> Sequence[Obstacle]:
    """Rows that forbid UNIQUE; several values stand one behind the other."""
    names = [quoted(column.name) for column in columns]
    listed = ", ".join(names)
    some = " AND ".join(f"{name} IS NOT NULL" for name in names)
    return await _obstacles(
        driver,
        table,
        f"SELECT id, left(value, {VALUE_SHOWN}) AS value FROM (SELECT id,"  # noqa: S608
        f" concat_ws(', ', {listed}) AS value, count(*) OVER (PARTITION BY {listed}) AS often"
        f" FROM {ddl.table_name(table.name)} WHERE {some}) q"
        f" WHERE often > 1 ORDER BY q.value, id LIMIT {ROWS_NAMED}",
    )


async def breaking(
    driver: Driver, table: Table, column: Column, rule: RuleName, value: object
) -> Sequence[Obstacle]:
    """Rows whose value breaks a rule; `column` has the type that it gets, and its old name."""
    name = quoted(column.name)
    held = table.by_name[column.name]
    # Another type is looked at by way of the text; that the values fit it was looked at before.
    typed = name if held.type == column.type else f"({name}::text::{ddl_name(column.type)})"
    if isinstance(value, Reference):
        holds = reference_condition(f"_t.{name}", ddl.table_name(value.table), value)
    else:
        holds = rule_condition(typed, column.type, rule, value)
    return await _obstacles(
        driver,
        table,
        f"SELECT id, left({name}::text, {VALUE_SHOWN}) AS value"  # noqa: S608
        f" FROM {ddl.table_name(table.name)} _t WHERE {name} IS NOT NULL AND NOT ({holds})"
        f" ORDER BY id LIMIT {ROWS_NAMED}",
    )


async def referencing(
    driver: Driver, table: Table, columns: Sequence[Column] = (), *, whole: bool = False
) -> Sequence[str]:
    """Other tables that reference any of these columns, or with `whole` any column."""
    attnums = [column.attnum for column in columns]
    rows = await driver.fetch(REFERENCING, ddl.table_name(table.name), attnums, whole)
    return [row["name"] for row in rows]


async def all_rows(driver: Driver, table: Table) -> Sequence[Obstacle]:
    """The first rows, where any row at all is in the way."""
    return await _obstacles(
        driver,
        table,
        f"SELECT id, NULL AS value FROM {ddl.table_name(table.name)}"  # noqa: S608
        f" ORDER BY id LIMIT {ROWS_NAMED}",
    )


async def not_of_type(
    driver: Driver, table: Table, column: Column, kind: ColumnType
) -> Sequence[Obstacle]:
    """Rows whose value has no equal in another type."""
    if is_widening(column.type, kind):
        return []
    text = f"{quoted(column.name)}::text"
    return await _obstacles(
        driver,
        table,
        f"SELECT id, left({text}, {VALUE_SHOWN}) AS value FROM {ddl.table_name(table.name)}"  # noqa: S608
        f" WHERE {quoted(column.name)} IS NOT NULL AND NOT ({follows(column, kind)})"
        f" ORDER BY id LIMIT {ROWS_NAMED}",
    )


def obstructed(field: str, message: str, rows: Sequence[Obstacle]) -> RowsInTheWayError:
    """The problem that names the rows."""
    return RowsInTheWayError(
        f"{field}: {message}",
        errors=[
            FieldError(
                field=field,
                code=RowsInTheWayError.code,
                message=f"record {row.record_id}"
                + ("" if row.value is None else f" holds {row.value!r}"),
            )
            for row in rows
        ],
    )


async def _obstacles(driver: Driver, table: Table, sql: str) -> Sequence[Obstacle]:
    with reading(table):
        rows = await driver.fetch(sql)
    return [Obstacle(record_id=row["id"], value=row["value"]) for row in rows]


async def _busy(driver: Driver, table: Table) -> TableBusyError:
    rows = await driver.fetch(HOLDERS, ddl.table_name(table.name))
    holders = ", ".join(dict.fromkeys(_holder(row["application_name"]) for row in rows))
    return TableBusyError(
        f"the table {table.name!r} is held by {holders or 'another session'};"
        " try again when it has ended"
    )


def _holder(application_name: str | None) -> str:
    name = application_name or ""
    if (import_id := loading_import(name)) is not None:
        return f"import {import_id}"
    if name.startswith("tabularium-records"):
        return "another request"
    return f"the session {name!r}" if name else "another session"
