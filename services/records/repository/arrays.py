"""Writing arrays of records: each element keeps its number, whatever order the rows are locked in.

Statements are guarded by the table's versions, as in `writes`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from services.records.ddl import table_name
from services.records.domain import Column, Constraint, Sent, Table, Written
from services.records.errors import FAULTS_SHOWN, StaleTableError
from services.records.query import statement
from services.records.repository.driver import Driver, reading, writing
from services.records.repository.writes import (
    NEW,
    RAISED,
    given,
    guard,
    record_type,
    targets,
    values,
    versions,
)
from shared.contracts.records import VERSION_COLUMN
from shared.store.conditions import reference_condition
from shared.store.identifiers import quoted
from shared.values.names import ddl_name

ROW = statement.ROW


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


async def insert(driver: Driver, table: Table, sent: Sent, batch: Batch) -> Sequence[Written]:
    """Insert some elements of an array; their ids rise with their numbers."""
    columns = batch.columns
    sql = (
        f"WITH _ok AS MATERIALIZED (SELECT {guard(2)} AS ok),"  # noqa: S608
        f" _n AS (INSERT INTO {table_name(table.name)} AS {ROW} ({targets(columns)})"
        f" SELECT {values(columns)} FROM {_elements(sent, columns)}"
        f" WHERE {NEW}._number = ANY ($5::bigint[]) AND (SELECT ok FROM _ok)"
        f" ORDER BY {NEW}._number RETURNING {ROW}.id)"
        " SELECT (SELECT ok FROM _ok) AS ok, _n.id FROM (SELECT 1) _one LEFT JOIN _n ON true"
    )
    with writing(table, draws_ids=True):
        rows = await driver.fetch(sql, sent.text, *versions(table), list(batch.numbers))
    if not rows[0]["ok"]:
        raise StaleTableError(table.name)
    # Ids are drawn in the order of the elements; rows may come back in any.
    ids = sorted(row["id"] for row in rows if row["id"] is not None)
    return [
        Written(number=number, id=record_id, inserted=True)
        for number, record_id in zip(batch.numbers, ids, strict=True)
    ]


async def merge(
    driver: Driver,
    table: Table,
    sent: Sent,
    batch: Batch,
    *,
    on_conflict: OnConflict,
    key: Constraint,
) -> Sequence[Written]:
    """Insert some elements; keep or change the records that have their keys.

    No key may be there twice. Rows are locked in the order of their keys, so that writers of the
    same records wait for each other.
    """
    columns = batch.columns
    names = [quoted(name) for name in key.columns]
    own = ", ".join(f"{NEW}.{name}" for name in names)
    kept = ", ".join(f"{ROW}.{name} AS _k{place}" for place, name in enumerate(names))
    same = " AND ".join(f"_n._k{place} = {NEW}.{name}" for place, name in enumerate(names))
    draws_ids = not any(column.name == "id" for column in columns)
    sql = (
        f"WITH _ok AS MATERIALIZED (SELECT {guard(2)} AS ok),"  # noqa: S608
        f" {NEW} AS MATERIALIZED (SELECT * FROM {_elements(sent, columns)}"
        f" WHERE {NEW}._number = ANY ($5::bigint[])),"
        f" _n AS (INSERT INTO {table_name(table.name)} AS {ROW} ({targets(columns)})"
        f" SELECT {values(columns)} FROM {NEW} WHERE (SELECT ok FROM _ok)"
        f" ORDER BY {own} {_conflict(columns, on_conflict, key)}"
        f" RETURNING {ROW}.id AS _id, {ROW}.{VERSION_COLUMN} = 1 AS inserted, {kept})"
        f" SELECT (SELECT ok FROM _ok) AS ok, {NEW}._number, _n._id, _n.inserted"
        f" FROM (SELECT 1) _one LEFT JOIN (_n JOIN {NEW} ON {same}) ON true"
    )
    with writing(table, draws_ids=draws_ids):
        rows = await driver.fetch(sql, sent.text, *versions(table), list(batch.numbers))
    if not rows[0]["ok"]:
        raise StaleTableError(table.name)
    return [
        Written(number=row["_number"], id=row["_id"], inserted=row["inserted"])
        for row in rows
        if row["_id"] is not None
    ]


async def lock_by_key(driver: Driver, table: Table, sent: Sent, key: Constraint) -> None:
    """Lock the records that have the elements' keys, in the order of these."""
    columns = [table.by_name[name] for name in key.columns]
    order = ", ".join(statement.reference(column) for column in columns)
    with writing(table):
        await driver.execute(
            f"SELECT 1 FROM {table_name(table.name)} {ROW}"  # noqa: S608
            f" JOIN {_elements(sent, columns)} ON {_equal(columns)}"
            f" ORDER BY {order} FOR UPDATE OF {ROW}",
            sent.text,
        )


async def repeated_key(
    driver: Driver, table: Table, sent: Sent, names: Sequence[str]
) -> int | None:
    """The first element (from 1) whose values in these columns an earlier one has."""
    return await _first_taken(driver, table, sent, names, "false")


async def element_in_the_way(
    driver: Driver, table: Table, sent: Sent, names: Sequence[str]
) -> int | None:
    """The first element (from 1) whose values in these columns an earlier one or a record has."""
    columns = [table.by_name[name] for name in names]
    rows = f"SELECT 1 FROM {table_name(table.name)} {ROW} WHERE {_equal(columns)}"  # noqa: S608
    return await _first_taken(driver, table, sent, names, f"EXISTS ({rows})")


async def refused_value(
    driver: Driver, table: Table, sent: Sent, columns: Sequence[Column]
) -> tuple[int, str] | None:
    """The first element (from 1) and column whose value PostgreSQL's type does not read."""
    places = []
    for column in columns:
        # One statement a type: within one, PL/pgSQL keeps the type that it looked up first.
        with reading(table):
            number = await driver.fetchval(
                "SELECT min(e.number) FROM json_array_elements($1::json)"
                " WITH ORDINALITY AS e (value, number)"
                " WHERE NOT records.fits(e.value ->> $2::text, $3::text)",
                sent.text,
                column.name,
                ddl_name(column.type),
            )
        if number is not None:
            places.append((number, str(column.name)))
    return min(places, default=None)


async def unknown_references(
    driver: Driver, table: Table, sent: Sent, column: Column
) -> Sequence[tuple[int, str]]:
    """The elements (from 1) whose value the referenced table does not have, and the value."""
    reference = column.rules.references
    assert reference is not None
    name = quoted(column.name)
    known = reference_condition(f"{NEW}.{name}", table_name(reference.table), reference)
    with reading(table):
        rows = await driver.fetch(
            f"SELECT {NEW}._number, {NEW}.{name}::text AS value"  # noqa: S608
            f" FROM {_elements(sent, [column])} WHERE {NEW}.{name} IS NOT NULL"
            f" AND NOT {known} ORDER BY {NEW}._number LIMIT {FAULTS_SHOWN}",
            sent.text,
        )
    return [(row["_number"], row["value"]) for row in rows]


async def id_by_key(driver: Driver, table: Table, sent: Sent, key: Constraint) -> int:
    """The id of the record that has the key of an array's only element; 0 when it is gone."""
    columns = [table.by_name[name] for name in key.columns]
    with reading(table):
        record_id: int | None = await driver.fetchval(
            f"SELECT {ROW}.id FROM {table_name(table.name)} {ROW}"  # noqa: S608
            f" JOIN {_elements(sent, columns)} ON {_equal(columns)} ORDER BY {ROW}.id LIMIT 1",
            sent.text,
        )
    return record_id or 0


async def pass_ids(driver: Driver, table: Table, highest: int) -> None:
    """See to it that no id up to `highest` is drawn any more; outside of any transaction.

    Raises StaleTableError, WriterInTheWayError.
    """
    with writing(table):
        await driver.fetchval(
            "SELECT records.pass_ids($1::text::regclass, $2)", table_name(table.name), highest
        )


async def _first_taken(
    driver: Driver, table: Table, sent: Sent, names: Sequence[str], taken: str
) -> int | None:
    columns = [table.by_name[name] for name in names]
    own = ", ".join(f"{NEW}.{quoted(column.name)}" for column in columns)
    some = " AND ".join(f"{NEW}.{quoted(column.name)} IS NOT NULL" for column in columns)
    with reading(table):
        number: int | None = await driver.fetchval(
            f"SELECT min(_number) FROM (SELECT {NEW}._number,"  # noqa: S608
            f" row_number() OVER (PARTITION BY {own} ORDER BY {NEW}._number) > 1"
            f" OR {taken} AS taken"
            f" FROM {_elements(sent, columns)} WHERE {some}) _q WHERE taken",
            sent.text,
        )
    return number


def _equal(columns: Sequence[Column]) -> str:
    return " AND ".join(
        f"{statement.reference(column)} = {NEW}.{quoted(column.name)}" for column in columns
    )


def _elements(sent: Sent, columns: Sequence[Column]) -> str:
    names = ", ".join(quoted(column.name) for column in columns) or "_nothing"
    return (
        f"ROWS FROM (json_to_recordset({given(sent)}) AS ({record_type(columns)}))"
        f" WITH ORDINALITY AS {NEW} ({names}, _number)"
    )


def _conflict(columns: Sequence[Column], on_conflict: OnConflict, key: Constraint) -> str:
    target = ", ".join(quoted(name) for name in key.columns)
    if on_conflict is OnConflict.IGNORE:
        return f"ON CONFLICT ({target}) DO NOTHING"
    sets = [
        f"{quoted(column.name)} = excluded.{quoted(column.name)}"
        for column in columns
        if column.name not in key.columns
    ]
    return f"ON CONFLICT ({target}) DO UPDATE SET {', '.join([*sets, RAISED])}"
