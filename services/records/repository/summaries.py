"""Summaries: one statement with a time-out of its own, whose JSON PostgreSQL writes."""

import asyncpg

from services.records.domain import PageOfGroups, Table
from services.records.errors import TookTooLongError
from services.records.query import grouped, statement
from services.records.query.summary import Summary
from services.records.repository.driver import reading
from services.records.repository.rows import PAGE_LIMIT_BYTES, current, page_too_large
from shared.errors import InvalidInputError
from shared.store.engine import RawPool


async def summarise(
    pool: RawPool, table: Table, summary: Summary, *, timeout_s: float
) -> PageOfGroups:
    """One page of a summary.

    Raises StaleTableError, TookTooLongError, and InvalidInputError for a sum beyond its type.
    """
    binds = statement.Binds()
    groups = grouped.page(summary, table, binds)
    sql = (
        "SELECT _t.version, _t.grants_version, _p.last, _p.groups,"  # noqa: S608
        f" CASE WHEN octet_length(_p.items) <= {PAGE_LIMIT_BYTES} THEN _p.items END AS items"
        " FROM records.tables _t"
        f" CROSS JOIN LATERAL ({groups}) _p WHERE _t.id = {binds.number(table.id)}"
    )
    with reading(table):
        async with pool.acquire() as connection, connection.transaction(readonly=True):
            await connection.execute(
                f"SET LOCAL statement_timeout = {timeout_s * 1000:.0f};"
                " SET LOCAL plan_cache_mode = force_custom_plan"
            )
            try:
                row = await connection.fetchrow(sql, *binds.values)
            except asyncpg.QueryCanceledError as exc:
                raise TookTooLongError(
                    f"this took longer than {timeout_s:g} s and was ended; filter more, or group"
                    " by less"
                ) from exc
            except (
                asyncpg.NumericValueOutOfRangeError,
                asyncpg.DatetimeFieldOverflowError,
            ) as exc:
                raise InvalidInputError.of(
                    "measures", "out_of_range", "a result is beyond what its type holds"
                ) from exc
            except asyncpg.ProgramLimitExceededError as exc:
                raise page_too_large() from exc
    row = current(table, row)
    if row["items"] is None:
        raise page_too_large()
    return PageOfGroups(items=row["items"], last=row["last"], groups=row["groups"])
