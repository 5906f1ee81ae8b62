"""Making, describing and dropping tables."""

import asyncio
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from services.records import ddl
from services.records.domain import ColumnSpec, Level, Table, checked_name
from services.records.errors import ExtensionMissingError, TableNotFoundError
from services.records.repository import registry, shape
from services.records.repository.driver import Driver
from services.records.service.known_tables import KnownTables
from services.records.service.references import require_referable, require_unreferenced
from services.records.tables import BOOKS
from services.records.types.definitions import checked_description
from shared.contracts.auth import Caller
from shared.contracts.catalog import TableEvent, TableEventKind
from shared.contracts.events import TableEventType, TableNews
from shared.contracts.records import DATA_SCHEMA, ColumnFound, TableName, TableOid
from shared.store.engine import RawPool
from shared.store.transaction import Transaction, transaction

TABLE_EVENT = "table_event"
TABLE_NEWS = "table_news"

Shown = Callable[[Table], Mapping[str, Any]]
"""A table as the API shows it to its owner, as JSON."""


@dataclass(frozen=True, slots=True)
class Tables:
    """Tables as wholes; each change is one transaction with its audit and its catalog event."""

    engine: AsyncEngine
    pool: RawPool
    known: KnownTables
    outbox_wake: asyncio.Event
    shown: Shown

    async def create(
        self,
        caller: Caller,
        name: str,
        columns: Sequence[ColumnSpec],
        *,
        unique: Sequence[Sequence[str]] = (),
        description: str | None = None,
        of: str = "name",
    ) -> Table:
        """Make a table that belongs to the caller.

        Raises InvalidInputError for its name (naming the field `of`), NameTakenError,
        ExtensionMissingError.
        """
        name = checked_name(name, of=of)
        description = checked_description(description, of="description")
        references = [
            (f"columns.{place}.rules.references", column)
            for place, column in enumerate(columns)
            if column.rules.references is not None
        ]
        await require_referable(self.known, caller, name, columns, references)
        async with transaction(self.engine, BOOKS) as tx:
            if any(column.searchable for column in columns):
                await require_trigrams(tx.raw)
            await shape.run(tx.raw, ddl.create_table(name, columns, unique))
            table_id = await registry.register(tx.raw, name, owner=caller, description=description)
            await intend_event(tx, TableEventKind.CREATED, name, description=description)
            await intend_news(tx, TableEventType.CREATED, name, shown=self.shown)
            await registry.remember(tx.raw, table_id, columns)
            names = [column.name for column in columns]
            await tx.record(caller, "table.create", name, id=table_id, columns=names)
            await tx.seal()
        self.outbox_wake.set()
        return await self.known.load(name)

    async def page(self, caller: Caller, *, after: str | None, limit: int) -> Sequence[Table]:
        """Up to `limit` tables that the caller may see, by name, behind the name `after`."""
        async with self.known.places.one(caller.sub):
            return await registry.visible(self.pool, caller, after=after, limit=limit)

    async def visible_among(self, caller: Caller, names: Sequence[str]) -> tuple[TableName, ...]:
        """Those of the names that stand for a table which the caller may see."""
        return await registry.visible_among(self.pool, caller, names)

    async def columns_with_words(
        self, caller: Caller, words: Sequence[str], *, limit: int
    ) -> tuple[ColumnFound, ...]:
        """Columns of tables that the caller may see, with every word in name or description."""
        async with self.known.places.one(caller.sub):
            return await registry.columns_with_words(self.pool, caller, words, limit=limit)

    async def describe(self, caller: Caller, name: str) -> Table:
        """A table as it is now; raises TableNotFoundError."""
        return await self.known.fresh(name, caller, Level.VIEWER)

    async def for_import(self, caller: Caller, name: str) -> Table:
        """A table for an import of the caller's; raises as `authorised` for the level editor."""
        return await self.known.fresh(name, caller, Level.EDITOR)

    async def drop(self, caller: Caller, name: str) -> None:
        """Drop a table with its records; raises as `authorised`, and TableBusyError."""

        async def work(table: Table) -> None:
            async with transaction(self.engine, BOOKS) as tx:
                await shape.hold(tx.raw, table)
                await require_unreferenced(tx.raw, caller, table)
                await self._drop_held(tx, table, caller)
            self.known.forget(table.id)

        await self.known.on(name, caller, Level.OWNER, work)
        self.outbox_wake.set()

    async def drop_if_unused(self, caller: Caller, name: str, oid: TableOid) -> None:
        """Drop the table that a failed import made, if it is still that one and still empty."""

        async def work(table: Table) -> None:
            async with transaction(self.engine, BOOKS) as tx:
                await shape.hold(tx.raw, table)
                same = await shape.oid(tx.raw, table) == oid
                if same and await shape.is_empty(tx.raw, table):
                    await self._drop_held(tx, table, caller)
            self.known.forget(table.id)

        with suppress(TableNotFoundError):
            await self.known.on(name, caller, Level.NONE, work)
        self.outbox_wake.set()

    async def _drop_held(self, tx: Transaction, table: Table, caller: Caller) -> None:
        await intend_news(tx, TableEventType.DELETED, table.name, shown=self.shown)
        await shape.run(tx.raw, [ddl.drop_table(table.name)])
        await registry.forget(tx.raw, table)
        await intend_event(tx, TableEventKind.DROPPED, table.name)
        await tx.record(caller, "table.drop", table.name, id=table.id)


async def require_trigrams(driver: Driver) -> None:
    """Raise ExtensionMissingError unless text columns can be made searchable here."""
    if not await registry.has_trigrams(driver):
        raise ExtensionMissingError(
            "searchable columns need PostgreSQL's extension pg_trgm, which this database does"
            " not have; ask its administrator for CREATE EXTENSION pg_trgm, or leave"
            " `searchable` out"
        )


async def intend_event(
    tx: Transaction,
    kind: TableEventKind,
    name: str,
    *,
    new_name: str | None = None,
    description: str | None = None,
) -> None:
    """Leave word for the catalog of what happened to a table that this transaction holds."""
    event = TableEvent(
        kind=kind,
        schema_name=DATA_SCHEMA,
        table_name=name,
        new_name=new_name,
        description=description,
        occurred_at=await registry.clock(tx.raw),
    )
    await tx.intend(TABLE_EVENT, event.model_dump(mode="json"))


async def intend_news(tx: Transaction, type_: TableEventType, name: str, *, shown: Shown) -> None:
    """Leave word for webhooks of a table as this transaction sees it, and of who may see it."""
    table = await registry.find(tx.raw, name)
    assert table is not None
    levels = {table.owner_sub: Level.OWNER, **table.grants}
    news = TableNews(
        message_id=f"msg_{uuid.uuid4().hex}",
        type=type_,
        timestamp=await registry.clock(tx.raw),
        table=table.name,
        seen_by={sub: level.word for sub, level in levels.items()},
        data=dict(shown(table)),
    )
    await tx.intend(TABLE_NEWS, news.model_dump(mode="json"))
