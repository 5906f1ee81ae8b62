"""Who may do what to a table: given, listed and taken by its owners and by admins."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine

from services.records.clients import SubjectClient
from services.records.domain import Grant, Level, Table
from services.records.errors import GrantNotFoundError
from services.records.repository import grants, registry
from services.records.service.known_tables import KnownTables
from services.records.tables import BOOKS
from shared.contracts.auth import Caller
from shared.store.engine import RawPool
from shared.store.transaction import transaction


@dataclass(frozen=True, slots=True)
class Grants:
    """Grants of tables to people and machine clients."""

    engine: AsyncEngine
    pool: RawPool
    known: KnownTables
    subjects: SubjectClient

    async def all(self, caller: Caller, name: str) -> Sequence[Grant]:
        """The grants on a table; raises as `authorised` for the level owner."""
        table = await self.known.fresh(name, caller, Level.OWNER)
        return await grants.of_table(self.pool, table)

    async def put(self, caller: Caller, name: str, identifier: str, level: Level) -> Grant:
        """Give a subject a level, found once by its address or client id.

        Owners are equal: any of them may lower any other, while one is left. Raises as `all`,
        SubjectNotFoundError, LastOwnerError.
        """
        await self.known.fresh(name, caller, Level.OWNER)
        subject = await self.subjects.resolve(identifier)

        async def work(table: Table) -> Grant:
            async with transaction(self.engine, BOOKS) as tx:
                label = subject.email or identifier
                owner = await grants.held_owner(tx.raw, table)
                if subject.sub == owner.sub:
                    if level is Level.OWNER:
                        return Grant(subject.sub, owner.label, level, table.created_at)
                    await grants.hand_over(tx.raw, table)
                grant = await grants.put(
                    tx.raw, table, sub=subject.sub, label=label, level=level, by=caller
                )
                await registry.change_grants(tx.raw, table)
                await tx.record(caller, "grant.put", table.name, sub=subject.sub, level=level.word)
            self.known.forget(table.id)
            return grant

        return await self.known.on(name, caller, Level.OWNER, work)

    async def take(self, caller: Caller, name: str, identifier: str) -> None:
        """Take a subject's grant; raises as `all`, GrantNotFoundError, LastOwnerError."""
        await self.known.fresh(name, caller, Level.OWNER)

        async def work(table: Table) -> None:
            async with transaction(self.engine, BOOKS) as tx:
                owner = await grants.held_owner(tx.raw, table)
                subs = list(await grants.take(tx.raw, table, identifier))
                if owner.goes_by(identifier):
                    await grants.hand_over(tx.raw, table)
                    subs.append(owner.sub)
                if not subs:
                    raise GrantNotFoundError(f"{identifier[:100]!r} has no grant on {table.name!r}")
                await registry.change_grants(tx.raw, table)
                await tx.record(caller, "grant.take", table.name, subs=subs)
            self.known.forget(table.id)

        await self.known.on(name, caller, Level.OWNER, work)
