"""Who may do what to which table, by subject."""

from collections.abc import Sequence
from typing import Any

import asyncpg

from services.records.domain import Grant, Level, Table
from services.records.errors import StaleTableError
from services.records.repository.driver import Driver
from shared.contracts.auth import Caller, Sub

COLUMNS = "sub, label, level, granted_at"


async def of_table(driver: Driver, table: Table) -> Sequence[Grant]:
    """All grants on a table, by label."""
    rows = await driver.fetch(
        f"SELECT {COLUMNS} FROM records.grants WHERE table_id = $1 ORDER BY label, sub",  # noqa: S608
        table.id,
    )
    return [_grant(row) for row in rows]


async def put(
    driver: Driver, table: Table, *, sub: Sub, label: str, level: Level, by: Caller
) -> Grant:
    """Give or change a grant; raises StaleTableError when the table has just been dropped."""
    try:
        row = await _put(driver, table, sub, label, level, by)
    except asyncpg.ForeignKeyViolationError as exc:
        raise StaleTableError(table.name) from exc
    return _grant(row)


async def _put(driver: Driver, table: Table, sub: Sub, label: str, level: Level, by: Caller) -> Any:
    return await driver.fetchrow(
        "INSERT INTO records.grants (table_id, sub, label, level, granted_by)"  # noqa: S608
        " VALUES ($1, $2, $3, $4, $5) ON CONFLICT (table_id, sub) DO UPDATE"
        " SET label = excluded.label, level = excluded.level, granted_by = excluded.granted_by,"
        f" granted_at = now() RETURNING {COLUMNS}",
        table.id,
        sub,
        label,
        level.word,
        by.sub,
    )


async def take(driver: Driver, table: Table, identifier: str) -> Sequence[Sub]:
    """Take the grants that were given by this address, client id or subject; whose they were.

    Works without auth, so that access can be taken from an account that is gone.
    """
    rows = await driver.fetch(
        "DELETE FROM records.grants WHERE table_id = $1 AND (sub = $2 OR lower(label) = lower($2)"
        " OR sub = 'client:' || $2) RETURNING sub",
        table.id,
        identifier,
    )
    return [Sub(row["sub"]) for row in rows]


def _grant(row: Any) -> Grant:
    return Grant(
        sub=Sub(row["sub"]),
        label=row["label"],
        level=Level[row["level"].upper()],
        granted_at=row["granted_at"],
    )
