"""Who may do what to a table: given, told and taken by its owners and by admins."""

from collections.abc import Sequence

from services.records.clients import SubjectClient, unknown_subject
from services.records.domain import Level, Table
from services.records.errors import GrantNotFoundError
from services.records.repository import grants, registry
from services.records.repository.driver import driver_of
from services.records.repository.grants import Grant
from services.records.service.known_tables import Stores, fresh_table, on_table
from shared.contracts.auth import Caller
from shared.store.audit import record_event
from shared.values.texts import is_storable


async def list_grants(stores: Stores, caller: Caller, name: str) -> Sequence[Grant]:
    """The grants on a table; raises as `authorised` for the level owner."""
    table = await fresh_table(stores, name, caller, Level.OWNER)
    return await grants.of_table(stores.pool, table)


async def put(
    stores: Stores,
    subjects: SubjectClient,
    caller: Caller,
    name: str,
    identifier: str,
    level: Level,
) -> Grant:
    """Give a subject a level, found once by its address or client id.

    Raises as `list_grants`, and SubjectNotFoundError.
    """
    await fresh_table(stores, name, caller, Level.OWNER)
    if not is_storable(identifier):
        raise unknown_subject(identifier)
    subject = await subjects.resolve(identifier)

    async def work(table: Table) -> Grant:
        async with stores.engine.begin() as connection:
            driver = await driver_of(connection)
            label = subject.email or identifier
            grant = await grants.put(
                driver, table, sub=subject.sub, label=label, level=level, by=caller
            )
            await registry.change_grants(driver, table)
            await record_event(
                connection,
                subject=caller.sub,
                action="grant.put",
                object_=table.name,
                detail={"sub": subject.sub, "level": level.word},
            )
        stores.known.forget(table.oid)
        return grant

    return await on_table(stores, name, caller, Level.OWNER, work)


async def take(stores: Stores, caller: Caller, name: str, identifier: str) -> None:
    """Take a subject's grant; raises as `list_grants`, and GrantNotFoundError."""
    table = await fresh_table(stores, name, caller, Level.OWNER)
    async with stores.engine.begin() as connection:
        driver = await driver_of(connection)
        subs = await grants.take(driver, table, identifier) if is_storable(identifier) else ()
        if not subs:
            raise GrantNotFoundError(f"{identifier[:100]!r} has no grant on {table.name!r}")
        await registry.change_grants(driver, table)
        await record_event(
            connection,
            subject=caller.sub,
            action="grant.take",
            object_=table.name,
            detail={"subs": list(subs)},
        )
    stores.known.forget(table.oid)
