"""Reading records: PostgreSQL writes the JSON, and its text is passed on; no row becomes an object.

Each statement also returns the table's versions as of its own snapshot; if they are not the ones
that the statement was made for, it raises StaleTableError.
"""

from collections.abc import Sequence
from typing import Any

import asyncpg

from services.records.ddl import table_name
from services.records.domain import Column, PageOfRecords, Record, Table
from services.records.errors import StaleTableError
from services.records.query import expand, statement, tags
from services.records.query.expand import Expansion
from services.records.query.plan import Count, Listing, Numbers, Operator, Selection
from services.records.repository.driver import Driver, reading
from shared.contracts.records import VERSION_COLUMN
from shared.errors import InvalidInputError
from shared.store.engine import RawPool

ID_MEMBER = '{"id":'
COUNTED_UP_TO = 10_000
PAGE_LIMIT_BYTES = 32 * 1024**2
"""The largest page, as JSON: it is in memory until its reader has taken it."""


async def page(
    pool: RawPool, table: Table, listing: Listing, expansions: Sequence[Expansion] = ()
) -> PageOfRecords:
    """One page of a table, by keyset or offset, with the references that are followed."""
    binds = statement.Binds()
    expanded = expand.members(expansions, listing.numbers) if expansions else ()
    rows = statement.page(listing, table, binds, expanded)
    counted = _total(listing, table, binds)
    table_id = binds.number(table.id)
    others = _are_current(expansions, binds) if expansions else "true"
    # A record alone may be larger, and brings the one behind it along.
    fits = f"_p.rows <= 2 OR octet_length(_p.items) <= {PAGE_LIMIT_BYTES}"
    sql = (
        f"SELECT CASE WHEN {others} THEN _t.version END AS version, _t.grants_version,"  # noqa: S608
        f" CASE WHEN {fits} THEN _p.items END AS items, _p.rows, _p.last, {counted} AS total"
        f" FROM records.tables _t CROSS JOIN LATERAL ({rows}) _p WHERE _t.id = {table_id}"
    )
    try:
        with reading(table):
            row = await _fetch(pool, sql, binds, custom_plan=_wants_custom_plan(listing.selection))
    except asyncpg.ProgramLimitExceededError as exc:
        # Beyond what PostgreSQL holds as one text.
        raise page_too_large() from exc
    row = current(table, row)
    if row["items"] is None:
        raise page_too_large()
    items: str = row["items"]
    last: str | None = None
    total: int | None = row["total"]
    if row["rows"] > listing.limit:
        items = _without_surplus(items)
        last = row["last"] or f'["{_last_id(items)}"]'
    if listing.count is Count.ESTIMATED:
        shown = listing.offset + int(row["rows"])
        total = max(shown, await estimate(pool, table, listing.selection))
    return PageOfRecords(items=items, limit=listing.limit, last=last, total=total)


def page_too_large() -> InvalidInputError:
    """A page is over PAGE_LIMIT_BYTES."""
    message = (
        f"this page has more than {PAGE_LIMIT_BYTES} bytes as JSON; send a lower limit, or ask"
        " for fewer columns, or export the table"
    )
    return InvalidInputError.of("limit", "page_too_large", message)


async def one(
    driver: Driver,
    table: Table,
    record_id: int,
    fields: Sequence[Column],
    *,
    numbers: Numbers = Numbers.JSON,
) -> Record | None:
    """One record; None when there is none of this id."""
    sql = (
        f"SELECT _t.version, _t.grants_version, _p.* FROM records.tables _t LEFT JOIN LATERAL"  # noqa: S608
        f" (SELECT {document(fields, numbers)} AS json,"
        f" {statement.ROW}.{VERSION_COLUMN} AS row_version"
        f" FROM {table_name(table.name)} {statement.ROW} WHERE {statement.ROW}.id = $1) _p ON true"
        " WHERE _t.id = $2"
    )
    with reading(table):
        row = await driver.fetchrow(sql, record_id, table.id)
    row = current(table, row)
    return record_of(table, row) if row["json"] is not None else None


async def estimate(driver: Driver, table: Table, selection: Selection) -> int:
    """How many rows there are: exact up to 10,000, beyond that what the planner expects.

    Of a table that Citus distributes it expects nothing: those are counted.
    """
    expected = await _expected(driver, table, selection)
    if expected is not None and expected >= COUNTED_UP_TO:
        return expected
    binds = statement.Binds()
    condition = statement.where(selection, table, binds)
    limit = "" if expected is None else f" LIMIT {COUNTED_UP_TO + 1}"
    with reading(table):
        counted: int = await driver.fetchval(
            f"SELECT count(*) FROM (SELECT 1 FROM {table_name(table.name)} {statement.ROW}"  # noqa: S608
            f"{condition}{limit}) _c",
            *binds.values,
        )
    return counted if counted <= COUNTED_UP_TO else max(counted, expected or 0)


async def _expected(driver: Driver, table: Table, selection: Selection) -> int | None:
    # By the table's size now, which the statistics of its rows follow late.
    binds = statement.Binds()
    condition = statement.where(selection, table, binds)
    with reading(table):
        lines = await driver.fetch(
            f"EXPLAIN SELECT 1 FROM {table_name(table.name)} {statement.ROW}{condition}",  # noqa: S608
            *binds.values,
        )
    plan = str(lines[0][0])
    return None if "(Citus" in plan else int(plan.partition(" rows=")[2].partition(" ")[0])


def record_of(table: Table, row: Any) -> Record:
    """A record out of a row with `json` and `row_version`."""
    return Record(json=row["json"], etag=tags.etag(table, row["row_version"]))


def document(columns: Sequence[Column], numbers: Numbers = Numbers.JSON) -> str:
    """A record as JSON text, as an expression on the row at hand."""
    selected = statement.selected(columns, numbers)
    return f"(SELECT row_to_json(_r)::text FROM (SELECT {selected}) _r)"  # noqa: S608


def _are_current(expansions: Sequence[Expansion], binds: statement.Binds) -> str:
    """Whether every table that is followed to has the versions that we know."""
    tables = {table.id: table for each in expansions for table in each.tables()}
    conditions = [
        "EXISTS (SELECT 1 FROM records.tables"  # noqa: S608 - our own words
        f" WHERE id = {binds.number(table.id)} AND version = {binds.number(table.version)}"
        f" AND grants_version = {binds.number(table.grants_version)})"
        for table in tables.values()
    ]
    return " AND ".join(conditions) or "true"


def _total(listing: Listing, table: Table, binds: statement.Binds) -> str:
    if listing.count is not Count.EXACT:
        return "NULL::bigint"
    condition = statement.where(listing.selection, table, binds)
    return f"(SELECT count(*) FROM {table_name(table.name)} {statement.ROW}{condition})"  # noqa: S608


def _wants_custom_plan(selection: Selection) -> bool:
    # A generic plan cannot see a pattern, and may pass the trigram index by.
    return selection.search is not None or any(
        each.operator in (Operator.CONTAINS, Operator.ICONTAINS, Operator.STARTSWITH)
        for each in selection.filters
    )


async def _fetch(pool: RawPool, sql: str, binds: statement.Binds, *, custom_plan: bool) -> Any:
    if not custom_plan:
        return await pool.fetchrow(sql, *binds.values)
    async with pool.acquire() as connection, connection.transaction(readonly=True):
        await connection.execute("SET LOCAL plan_cache_mode = force_custom_plan")
        return await connection.fetchrow(sql, *binds.values)


def current(table: Table, row: Any) -> Any:
    """The row, with the table's versions as we know them; raises StaleTableError."""
    if row is None or (row["version"], row["grants_version"]) != (
        table.version,
        table.grants_version,
    ):
        raise StaleTableError(table.name)
    return row


def _without_surplus(items: str) -> str:
    """Cut the row that was read only to know whether there are more.

    `json_agg` puts a line break between elements, and within them there is none: PostgreSQL
    escapes those of texts, and writes jsonb on one line.
    """
    return items[: items.rindex("\n")].rstrip(", ") + "]"


def _last_id(items: str) -> str:
    # `id` is the first member of every item.
    start = items.index(ID_MEMBER, items.rfind("\n") + 1) + len(ID_MEMBER)
    return items[start : start + 22].partition(",")[0].partition("}")[0].strip('"')
