"""Who may do what to which table, by subject."""

from collections.abc import Sequence
from typing import Any

import asyncpg

from services.records.domain import Grant, Level, Owner, Table
from services.records.errors import LastOwnerError, StaleTableError
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


async def held_owner(driver: Driver, table: Table) -> Owner:
    """The owner that the registry names, its row locked; raises StaleTableError when it is gone."""
    row = await driver.fetchrow(
        "SELECT owner_sub, owner_label FROM records.tables WHERE id = $1 FOR UPDATE", table.id
    )
    if row is None:
        raise StaleTableError(table.name)
    return Owner(sub=Sub(row["owner_sub"]), label=row["owner_label"])


async def hand_over(driver: Driver, table: Table) -> None:
    """Make the longest-standing other owner the one that the registry names.

    Raises LastOwnerError when there is none.
    """
    sub = await driver.fetchval(
        "UPDATE records.tables t SET owner_sub = g.sub, owner_label = g.label"
        " FROM (SELECT sub, label FROM records.grants WHERE table_id = $1 AND level = 'owner'"
        " ORDER BY granted_at, sub LIMIT 1) g WHERE t.id = $1 RETURNING g.sub",
        table.id,
    )
    if sub is None:
        raise LastOwnerError(
            f"{table.name!r} has no other owner; let somebody else own it first, or drop it"
        )
    await driver.execute(
        "DELETE FROM records.grants WHERE table_id = $1 AND sub = $2", table.id, sub
    )


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
