"""Writing many records: arrays, upserts, and changes of everything that a filter selects."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine

from services.records import incoming
from services.records.domain import Column, Constraint, Level, Record, Sent, Table, Written
from services.records.errors import (
    Faults,
    RefusedValueError,
    UniqueViolationError,
    UnknownReferenceError,
)
from services.records.query import parameters
from services.records.query.parameters import Pairs
from services.records.repository import arrays, rows, writes
from services.records.repository.arrays import Batch, OnConflict
from services.records.repository.driver import TransactionDriver, unique_violation
from services.records.service.known_tables import KnownTables
from services.records.service.tries import until_through
from services.records.tables import BOOKS
from shared.contracts.auth import Caller
from shared.contracts.records import ID_COLUMN
from shared.errors import InvalidInputError
from shared.store.engine import RawPool
from shared.store.transaction import Transaction, transaction
from shared.values.rules import RuleCode, RuleName, message_of

OFF_LOOP_FROM = 100
"""So many elements and more are checked in a thread."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """What to do with a key that is there already."""

    action: OnConflict
    key: Constraint | None

    @property
    def with_id(self) -> bool:
        """Whether records bring their own ids."""
        return self.key is not None and self.key.columns == (ID_COLUMN,)


@dataclass(frozen=True, slots=True)
class Bulk:
    """Writes of many records at once, each call in one transaction with its line of audit."""

    engine: AsyncEngine
    pool: RawPool
    tables: KnownTables

    async def insert(
        self, caller: Caller, name: str, sent: Sent, *, on_conflict: str | None, key: str | None
    ) -> Sequence[Written]:
        """Insert an array of records, all or nothing.

        Raises as `authorised`, InvalidInputError and UniqueViolationError naming the element
        (`[0].email` is the first one's).
        """

        async def work(table: Table) -> Sequence[Written]:
            conflict = conflict_of(table, on_conflict, key)
            elements = incoming.checked_elements(sent.value)
            if len(elements) < OFF_LOOP_FROM:
                batches = batches_of(table, elements, conflict)
            else:
                batches = await asyncio.to_thread(batches_of, table, elements, conflict)
            return await self._insert(caller, table, incoming.respelled(sent), batches, conflict)

        return await self.tables.on(name, caller, Level.EDITOR, work)

    async def upsert_one(
        self, caller: Caller, name: str, sent: Sent, *, on_conflict: str, key: str | None
    ) -> Record:
        """Insert a record, or change or keep the one that has its key; raises as `insert`."""

        async def work(table: Table) -> Record:
            conflict = conflict_of(table, on_conflict, key)
            batches = batches_of(table, [sent.value], conflict, single=True)
            array = incoming.respelled(incoming.array_of(sent))
            written = await self._insert(caller, table, array, batches, conflict, single=True)
            if written:
                record_id = written[0].id
            else:
                assert conflict.key is not None
                record_id = await arrays.id_by_key(self.pool, table, array, conflict.key)
            record = await rows.one(self.pool, table, record_id, table.shown)
            if record is None:
                raise UniqueViolationError("another writer took the record away; try again")
            return record

        return await self.tables.on(name, caller, Level.EDITOR, work)

    async def change(self, caller: Caller, name: str, sent: Sent, pairs: Pairs) -> int:
        """Change every record that the filters select; how many there were.

        Raises as `authorised`, InvalidInputError (without a filter too), UniqueViolationError.
        """
        pairs = list(pairs)

        async def work(table: Table) -> int:
            selection = parameters.restriction_of(table, pairs)
            columns = incoming.checked_change(table, sent.value)
            if not columns:
                raise InvalidInputError.of("body", "nothing_to_change", "name at least one column")

            async def write() -> int:
                async with transaction(self.engine, BOOKS) as tx:
                    count = await writes.update_many(
                        tx.raw, table, selection, incoming.respelled(sent), columns
                    )
                    await tx.record(
                        caller,
                        "records.update",
                        table.name,
                        count=count,
                        columns=[column.name for column in columns],
                        filters=[name for name, _ in pairs],
                    )
                return count

            return await until_through(write)

        return await self.tables.on(name, caller, Level.EDITOR, work)

    async def delete(self, caller: Caller, name: str, pairs: Pairs) -> int:
        """Delete every record that the filters select; raises as `change`."""
        pairs = list(pairs)

        async def work(table: Table) -> int:
            selection = parameters.restriction_of(table, pairs)
            filters = [name for name, _ in pairs]

            async def write() -> int:
                async with transaction(self.engine, BOOKS) as tx:
                    count = await writes.delete_many(tx.raw, table, selection)
                    await tx.record(
                        caller, "records.delete", table.name, count=count, filters=filters
                    )
                return count

            return await until_through(write)

        return await self.tables.on(name, caller, Level.EDITOR, work)

    async def _insert(
        self,
        caller: Caller,
        table: Table,
        sent: Sent,
        batches: Sequence[Batch],
        conflict: Conflict,
        *,
        single: bool = False,
    ) -> Sequence[Written]:
        async def write() -> Sequence[Written]:
            async with transaction(self.engine, BOOKS) as tx:
                if table.calls_user:
                    await writes.name_user(tx.raw, caller)
                written = await _write_batches(tx.raw, table, sent, batches, conflict)
                if single:
                    await _record_one(tx, caller, table, batches[0], written)
                else:
                    await _record_many(tx, caller, table, written)
                await tx.seal()
            return written

        if conflict.with_id and sent.value:
            highest = max(_ids_of(sent.value))
            await until_through(lambda: arrays.pass_ids(self.pool, table, highest))
        try:
            return await until_through(write)
        except UniqueViolationError as exc:
            if single:
                raise
            raise await self._at_element(table, sent, exc) from exc
        except UnknownReferenceError as exc:
            if single:
                raise
            raise await self._at_reference(table, sent, exc) from exc
        except RefusedValueError as exc:
            columns = {column for batch in batches for column in batch.columns}
            raise await self._at_value(table, sent, columns, exc, single=single) from exc

    async def _at_element(
        self, table: Table, sent: Sent, violation: UniqueViolationError
    ) -> UniqueViolationError:
        """The violation with its element's place, which PostgreSQL does not tell."""
        names = [error.field for error in violation.errors if error.field in table.by_name]
        if not names:
            return violation
        number = await arrays.element_in_the_way(self.pool, table, sent, names)
        if number is None:
            return violation
        constraint = next(
            (each.name for each in table.constraints if list(each.columns) == names), None
        )
        return unique_violation(table, constraint, at=f"[{number - 1}].")

    async def _at_reference(
        self, table: Table, sent: Sent, unknown: UnknownReferenceError
    ) -> InvalidInputError:
        """The unknown references with their elements."""
        column = table.by_name[unknown.errors[0].field]
        faults = Faults()
        for number, value in await arrays.unknown_references(self.pool, table, sent, column):
            message = message_of(RuleName.REFERENCES, column.rules, value)
            faults.add(f"[{number - 1}].{column.name}", RuleCode.UNKNOWN_REFERENCE, message)
        faults.refuse()
        return unknown

    async def _at_value(
        self,
        table: Table,
        sent: Sent,
        columns: Iterable[Column],
        refusal: RefusedValueError,
        *,
        single: bool,
    ) -> InvalidInputError:
        """The refusal with the value's place."""
        place = await arrays.refused_value(self.pool, table, sent, list(columns))
        if place is None:
            return refusal
        number, name = place
        field = name if single else f"[{number - 1}].{name}"
        return InvalidInputError.of(field, "out_of_range", refusal.errors[0].message)


async def _record_one(
    tx: Transaction, caller: Caller, table: Table, batch: Batch, written: Sequence[Written]
) -> None:
    for each in written:  # none where the record was kept as it is
        action = "record.create" if each.inserted else "record.update"
        fields = [column.name for column in batch.columns]
        await tx.record(caller, action, table.name, id=each.id, fields=fields)


async def _record_many(
    tx: Transaction, caller: Caller, table: Table, written: Sequence[Written]
) -> None:
    inserted = sum(each.inserted for each in written)
    updated = len(written) - inserted
    await tx.record(caller, "records.insert", table.name, inserted=inserted, updated=updated)


def conflict_of(table: Table, on_conflict: str | None, key: str | None) -> Conflict:
    """The parameters `on_conflict` and `key`, against the table's unique keys."""
    try:
        action = OnConflict(on_conflict or OnConflict.ERROR.value)
    except ValueError as exc:
        raise InvalidInputError.of(
            "on_conflict", "invalid_choice", "send error, ignore or update"
        ) from exc
    if action is OnConflict.ERROR:
        if key is not None:
            raise InvalidInputError.of("key", "not_wanted", "a key goes with on_conflict")
        return Conflict(action, None)
    if key is None:
        keys = [each for each in table.constraints if not each.is_primary]
        if len(keys) != 1:
            raise InvalidInputError.of("key", "missing", "name the unique column(s) to compare by")
        return Conflict(action, keys[0])
    columns = {name.strip() for name in key.split(",")}
    for each in table.constraints:
        if set(each.columns) == columns:
            return Conflict(action, each)
    raise InvalidInputError.of("key", "not_unique", f"{key[:80]!r} is no unique key of the table")


def batches_of(
    table: Table, elements: Sequence[object], conflict: Conflict, *, single: bool = False
) -> Sequence[Batch]:
    """Check every element, and group those that one statement can insert.

    A column without a default may be left out by some: NULL is what it would get anyway. An
    upsert changes only what an element names, so there the names must be the same.
    """
    columns_by_group: dict[frozenset[str], set[Column]] = {}
    numbers_by_group: dict[frozenset[str], list[int]] = {}
    faults = Faults()
    for number, element in enumerate(elements, start=1):
        at = "" if single else f"[{number - 1}]."
        columns = incoming.columns_of_new(
            table, element, faults=faults, at=at, with_id=conflict.with_id
        )
        _check_key(conflict, element, at, faults)
        if faults.are_enough:
            break
        same_names = conflict.action is OnConflict.UPDATE
        group = frozenset(
            column.name for column in columns if same_names or column.default is not None
        )
        columns_by_group.setdefault(group, set()).update(columns)
        numbers_by_group.setdefault(group, []).append(number)
    faults.refuse()
    return [
        Batch(
            columns=tuple(sorted(columns, key=lambda column: column.attnum)),
            numbers=tuple(numbers_by_group[group]),
        )
        for group, columns in columns_by_group.items()
    ]


async def _write_batches(
    driver: TransactionDriver,
    table: Table,
    sent: Sent,
    batches: Sequence[Batch],
    conflict: Conflict,
) -> Sequence[Written]:
    written: list[Written] = []
    if conflict.key is None:
        for batch in batches:
            written += await arrays.insert(driver, table, sent, batch)
    else:
        await _require_distinct(driver, table, sent, conflict.key)
        if len(batches) > 1:
            await arrays.lock_by_key(driver, table, sent, conflict.key)
        for batch in batches:
            written += await arrays.merge(
                driver, table, sent, batch, on_conflict=conflict.action, key=conflict.key
            )
    return sorted(written, key=lambda each: each.number)


async def _require_distinct(
    driver: TransactionDriver, table: Table, sent: Sent, key: Constraint
) -> None:
    assert isinstance(sent.value, list)
    if len(sent.value) < 2:
        return
    number = await arrays.repeated_key(driver, table, sent, key.columns)
    if number is not None:
        field = f"[{number - 1}].{key.columns[0]}"
        raise InvalidInputError.of(field, "duplicate_key", "this key is in the array twice")


def _ids_of(elements: object) -> Iterable[int]:
    assert isinstance(elements, list)
    return (int(element[ID_COLUMN]) for element in elements)


def _check_key(conflict: Conflict, element: object, at: str, faults: Faults) -> None:
    # NULL is no key: it equals nothing, so the same again would be one record more each time.
    if conflict.key is None or conflict.with_id or not isinstance(element, dict):
        return
    for name in conflict.key.columns:
        if element.get(name) is None:
            faults.add(f"{at}{name}", "not_null", "this column is the key; send a value")
