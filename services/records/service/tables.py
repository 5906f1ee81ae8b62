"""Making, describing and dropping tables."""

from collections.abc import Sequence
from contextlib import suppress

from sqlalchemy.ext.asyncio import AsyncConnection

from services.records import ddl
from services.records.domain import ColumnSpec, Level, Table, checked_name
from services.records.errors import ExtensionMissingError, TableNotFoundError
from services.records.repository import registry, shape
from services.records.repository.driver import Driver, driver_of
from services.records.service.known_tables import Stores, fresh_table, on_table
from services.records.tables import outbox
from services.records.types.definitions import checked_description
from shared.contracts.auth import Caller
from shared.contracts.catalog import TableEvent, TableEventKind
from shared.contracts.records import DATA_SCHEMA, TableName, TableOid
from shared.store.audit import record_event
from shared.store.idempotency import seal
from shared.store.outbox import intend
from shared.values.texts import is_storable

TABLE_EVENT = "table_event"


async def create(
    stores: Stores,
    caller: Caller,
    name: str,
    columns: Sequence[ColumnSpec],
    *,
    description: str | None = None,
    of: str = "name",
) -> Table:
    """Make a table that belongs to the caller.

    Raises InvalidInputError for its name (naming the field `of`), NameTakenError,
    ExtensionMissingError.
    """
    name = checked_name(name, of=of)
    description = checked_description(description, of="description")
    async with stores.engine.begin() as connection:
        driver = await driver_of(connection)
        if any(column.searchable for column in columns):
            await require_trigrams(driver)
        await shape.run(driver, ddl.create_table(name, columns))
        oid = await registry.register(driver, name, owner=caller, description=description)
        await tell_catalog(connection, TableEventKind.CREATED, name, description=description)
        await record_event(
            connection,
            subject=caller.sub,
            action="table.create",
            object_=name,
            detail={"oid": oid, "columns": [column.name for column in columns]},
        )
        await seal(connection)
    stores.outbox_wake.set()
    return await stores.known.load(name)


async def list_visible(
    stores: Stores, caller: Caller, *, after: str | None, limit: int
) -> Sequence[Table]:
    """Up to `limit` tables that the caller may see, by name."""
    return await registry.visible(stores.pool, caller, after=after, limit=limit)


async def visible_among(
    stores: Stores, caller: Caller, names: Sequence[str]
) -> tuple[TableName, ...]:
    """Those of the names that stand for a table which the caller may see."""
    return await registry.visible_among(stores.pool, caller, list(filter(is_storable, names)))


async def describe(stores: Stores, caller: Caller, name: str) -> Table:
    """A table as it is now; raises TableNotFoundError."""
    return await fresh_table(stores, name, caller, Level.VIEWER)


async def drop(stores: Stores, caller: Caller, name: str) -> None:
    """Drop a table with its records; raises as `authorised`, and TableBusyError."""

    async def work(table: Table) -> None:
        async with stores.engine.begin() as connection:
            driver = await driver_of(connection)
            await shape.hold(driver, table)
            await _drop_held(connection, driver, table, caller)
        stores.known.forget(table.oid)

    await on_table(stores, name, caller, Level.OWNER, work)
    stores.outbox_wake.set()


async def drop_if_unused(stores: Stores, caller: Caller, name: str, oid: TableOid) -> None:
    """Drop the table that a failed import made, if it is still that one and still empty."""

    async def work(table: Table) -> None:
        if table.oid != oid:
            return
        async with stores.engine.begin() as connection:
            driver = await driver_of(connection)
            await shape.hold(driver, table)
            if await shape.is_empty(driver, table):
                await _drop_held(connection, driver, table, caller)
        stores.known.forget(table.oid)

    with suppress(TableNotFoundError):
        await on_table(stores, name, caller, Level.NONE, work)
    stores.outbox_wake.set()


async def contract(stores: Stores, caller: Caller, name: str) -> Table:
    """A table for an import of the caller's; raises as `authorised` for the level editor."""
    return await fresh_table(stores, name, caller, Level.EDITOR)


async def require_trigrams(driver: Driver) -> None:
    """Raise ExtensionMissingError unless text columns can be made searchable here."""
    if not await registry.has_trigrams(driver):
        raise ExtensionMissingError(
            "searchable columns need PostgreSQL's extension pg_trgm, which this database does"
            " not have; ask its administrator for CREATE EXTENSION pg_trgm, or leave"
            " `searchable` out"
        )


async def tell_catalog(
    connection: AsyncConnection,
    kind: TableEventKind,
    name: str,
    *,
    new_name: str | None = None,
    description: str | None = None,
) -> None:
    """Intend to tell the catalog what happened to a table, once it is held."""
    event = TableEvent(
        kind=kind,
        schema_name=DATA_SCHEMA,
        table_name=name,
        new_name=new_name,
        description=description,
        occurred_at=await registry.clock(await driver_of(connection)),
    )
    await intend(connection, outbox, kind=TABLE_EVENT, payload=event.model_dump(mode="json"))


async def _drop_held(
    connection: AsyncConnection, driver: Driver, table: Table, caller: Caller
) -> None:
    await shape.run(driver, [ddl.drop_table(table.name)])
    await registry.forget(driver, table)
    await tell_catalog(connection, TableEventKind.DROPPED, table.name)
    await record_event(
        connection,
        subject=caller.sub,
        action="table.drop",
        object_=table.name,
        detail={"oid": table.oid},
    )
