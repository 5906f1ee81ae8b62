"""Changing a table's shape: looked at first, then done in one transaction, or not at all."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from services.records.change_checks import (
    AnyCheck,
    KeyCheck,
    NotNullCheck,
    RuleCheck,
    TypeCheck,
    UniqueCheck,
)
from services.records.change_plan import ChangePlan, add_all, plan_change
from services.records.ddl import drop_index
from services.records.domain import ColumnSpec, Level, Table
from services.records.errors import RowsInTheWayError
from services.records.repository import registry, shape
from services.records.repository.driver import Driver, TransactionDriver
from services.records.repository.shape import Obstacle
from services.records.schemas import TableChange
from services.records.service.known_tables import KnownTables
from services.records.service.references import require_referable, require_unreferenced
from services.records.service.tables import (
    Shown,
    intend_event,
    intend_news,
    require_trigrams,
)
from services.records.tables import BOOKS
from shared.contracts.auth import Caller
from shared.contracts.catalog import TableEventKind
from shared.contracts.events import TableEventType
from shared.store.engine import RawPool
from shared.store.transaction import transaction


@dataclass(frozen=True, slots=True)
class Changes:
    """Changes of a table's shape, each looked at first and then done whole."""

    engine: AsyncEngine
    pool: RawPool
    known: KnownTables
    outbox_wake: asyncio.Event
    shown: Shown

    async def change(self, caller: Caller, name: str, change: TableChange) -> Table:
        """Change a table; all of it or nothing.

        Raises as `authorised` for the level owner, InvalidInputError naming the field,
        NameTakenError, RowsInTheWayError naming up to ten records that cannot follow,
        TableBusyError naming what holds the table.
        """

        async def work(table: Table) -> str:
            plan = plan_change(table, change)
            await require_referable(self.known, caller, table.name, table.columns, plan.references)
            if plan.released:
                await require_unreferenced(self.pool, caller, table, plan.released)
            await _preflight(self.pool, plan)
            try:
                await self._apply(caller, plan, change.model_dump(mode="json", exclude_unset=True))
            except RowsInTheWayError:
                # A row that came after the first look: look again, and say which.
                await _preflight(self.pool, plan)
                raise
            self.known.forget(table.id)
            return plan.name

        new_name = await self.known.on(name, caller, Level.OWNER, work)
        self.outbox_wake.set()
        return await self.known.load(new_name)

    async def add_columns(self, caller: Caller, name: str, columns: Sequence[ColumnSpec]) -> Table:
        """Add nullable columns, but those that the table has; raises as `change`."""

        async def work(table: Table) -> None:
            plan = _additions(table, columns)
            if plan.added:
                names = [column.name for column in plan.added]
                await self._apply(caller, plan, {"add": names})
                self.known.forget(table.id)

        await self.known.on(name, caller, Level.OWNER, work)
        self.outbox_wake.set()
        return await self.known.load(name)

    async def _apply(self, caller: Caller, plan: ChangePlan, detail: Mapping[str, Any]) -> None:
        table = plan.table
        async with transaction(self.engine, BOOKS) as tx:
            if plan.needs_trigrams:
                await require_trigrams(tx.raw)
            if plan.changes_shape:
                await shape.hold(tx.raw, table)
                await _drop_search_indexes(tx.raw, plan)
                await shape.run(tx.raw, plan.statements)
            await registry.change(tx.raw, table, name=plan.name, description=plan.description)
            await registry.carry_memories(tx.raw, table, plan.kept)
            await registry.remember(tx.raw, table.id, plan.added)
            if plan.name != table.name:
                await registry.touch_referencing(tx.raw, table, plan.name)
                await intend_event(tx, TableEventKind.RENAMED, table.name, new_name=plan.name)
            await intend_news(tx, TableEventType.CHANGED, plan.name, shown=self.shown)
            await tx.record(caller, "table.change", table.name, **detail)
            await tx.seal()


def _additions(table: Table, columns: Sequence[ColumnSpec]) -> ChangePlan:
    """The columns that a table has not, added to it."""
    plan = ChangePlan(table=table, name=table.name, description=table.description)
    names: set[str] = {column.name for column in table.columns}
    plan.kept = {column.name: column.name for column in table.columns}
    plan.added = tuple(column for column in columns if column.name not in names)
    add_all(plan, plan.added, names)
    return plan


async def _drop_search_indexes(driver: TransactionDriver, plan: ChangePlan) -> None:
    for column in plan.unsearchable:
        names = await shape.search_indexes(driver, plan.table, column)
        await shape.run(driver, [drop_index(name) for name in names])


async def _preflight(driver: Driver, plan: ChangePlan) -> None:
    """Look for rows that cannot follow, without a lock; raises RowsInTheWayError."""
    for check in plan.checks:
        rows, message = await _look(driver, plan.table, check)
        if rows:
            raise shape.obstructed(check.of, message, rows)


async def _look(driver: Driver, table: Table, check: AnyCheck) -> tuple[Sequence[Obstacle], str]:
    if isinstance(check, TypeCheck):
        rows = await shape.not_of_type(driver, table, check.column, check.kind)
        return rows, f"some values have no equal in {check.kind.spelled()}"
    if isinstance(check, NotNullCheck):
        return await shape.without_value(driver, table, check.column), "some records have no value"
    if isinstance(check, UniqueCheck):
        return await shape.repeated(driver, table, [check.column]), "some values are there twice"
    if isinstance(check, KeyCheck):
        return await shape.repeated(driver, table, check.columns), "some keys are there twice"
    if isinstance(check, RuleCheck):
        rows = await shape.breaking(driver, table, check.column, check.rule, check.value)
        return rows, "some values break this rule"
    rows = await shape.all_rows(driver, table)
    return (rows if len(rows) > check.rows_allowed else []), check.message
