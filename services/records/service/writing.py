"""Writing one record: insert, change, replace, delete."""

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from services.records import incoming
from services.records.domain import Level, Table
from services.records.repository import writes
from services.records.repository.driver import Driver
from services.records.repository.rows import Row
from services.records.repository.writes import Source
from services.records.service.known_tables import Stores, on_table
from services.records.service.reading import Tagged, no_record, tagged
from shared.contracts.auth import Caller
from shared.store.idempotency import current_claim, seal_raw

Result = TypeVar("Result")

_TAG = re.compile(r'"(\d+)-(\d+)"')


async def insert(
    stores: Stores, caller: Caller, name: str, members: object, source: Source
) -> Tagged:
    """Insert one record; `members` is what `source` holds, read.

    Raises as `authorised`, InvalidInputError naming the fields, UniqueViolationError.
    """

    async def work(table: Table) -> Tagged:
        columns = incoming.checked_new(table, members)
        row = await _sealed(
            stores, lambda driver: writes.insert_one(driver, table, source, columns)
        )
        return tagged(table, row)

    return await on_table(stores, name, caller, Level.EDITOR, work)


async def change(
    stores: Stores,
    caller: Caller,
    name: str,
    record_id: int,
    members: object,
    source: Source,
    *,
    if_match: str | None = None,
) -> Tagged:
    """Change the named fields of a record.

    Raises as `insert`, RecordNotFoundError, and StaleETagError when `if_match` no longer holds.
    """

    async def work(table: Table) -> Tagged:
        columns = incoming.checked_change(table, members, record_id=record_id)
        _require_possible(table, record_id)
        row = await writes.update_one(
            stores.pool, table, record_id, source, columns, xmins=_xmins(table, if_match)
        )
        return tagged(table, row)

    return await on_table(stores, name, caller, Level.EDITOR, work)


async def replace(
    stores: Stores,
    caller: Caller,
    name: str,
    record_id: int,
    members: object,
    source: Source,
    *,
    if_match: str | None = None,
) -> Tagged:
    """Replace a record: fields that are not named get their defaults; raises as `change`."""

    async def work(table: Table) -> Tagged:
        columns = incoming.checked_change(table, members, record_id=record_id)
        reset = incoming.without_value(table, columns)
        _require_possible(table, record_id)
        row = await writes.update_one(
            stores.pool,
            table,
            record_id,
            source,
            columns,
            reset=reset,
            xmins=_xmins(table, if_match),
        )
        return tagged(table, row)

    return await on_table(stores, name, caller, Level.EDITOR, work)


async def delete(
    stores: Stores, caller: Caller, name: str, record_id: int, *, if_match: str | None = None
) -> None:
    """Delete a record; raises as `change`."""

    async def work(table: Table) -> None:
        _require_possible(table, record_id)
        await writes.delete_one(stores.pool, table, record_id, xmins=_xmins(table, if_match))

    await on_table(stores, name, caller, Level.EDITOR, work)


async def _sealed(stores: Stores, work: Callable[[Driver], Awaitable[Row]]) -> Row:
    # One statement is a transaction already; an idempotency key is sealed in the same one.
    if current_claim.get() is None:
        return await work(stores.pool)
    async with stores.pool.acquire() as connection, connection.transaction():
        row = await work(connection)
        await seal_raw(connection)
        return row


def _require_possible(table: Table, record_id: int) -> None:
    if not 0 <= record_id <= incoming.ID_LIMIT:
        raise no_record(table, record_id)


def _xmins(table: Table, if_match: str | None) -> Sequence[str] | None:
    """The transactions that an `If-Match` allows; None when it allows any."""
    if if_match is None or if_match.strip() == "*":
        return None
    version = str(table.version)
    tags = (_TAG.fullmatch(tag.strip()) for tag in if_match.split(","))
    return [tag[2] for tag in tags if tag is not None and tag[1] == version]
