"""Records one at a time, and page by page."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from sqlalchemy.ext.asyncio import AsyncEngine

from services.records import incoming
from services.records.domain import Column, Level, PageOfRecords, Record, Sent, Table
from services.records.errors import RecordNotFoundError, RefusedValueError, TableNotFoundError
from services.records.incoming import ID_LIMIT
from services.records.query import expand, parameters, tags
from services.records.query.cursor import cursor_of
from services.records.query.expand import Expansion, Paths
from services.records.query.parameters import Pairs
from services.records.repository import arrays, rows, writes
from services.records.repository.driver import Driver
from services.records.service.known_tables import KnownTables
from services.records.service.tries import until_through
from services.records.tables import BOOKS
from shared.contracts.auth import Caller
from shared.errors import InvalidInputError
from shared.process.places import Places
from shared.store.engine import RawPool
from shared.store.idempotency import current_claim
from shared.store.transaction import transaction

LARGE_ANSWER = 1024**2
"""Answers of more characters have places of their own."""


@dataclass(frozen=True, slots=True)
class Records:
    """Records read in pages, and read, inserted, changed, replaced and deleted one at a time."""

    engine: AsyncEngine
    pool: RawPool
    tables: KnownTables
    large_answers: Places
    """They are in memory until their readers have taken them."""

    async def page(
        self, caller: Caller, name: str, pairs: Pairs, *, path: str, query_string: str = ""
    ) -> PageOfRecords:
        """A page of records; `path` and `query_string` are the list's own, for `next`.

        Raises as `authorised`, and InvalidInputError naming the parameter.
        """
        pairs = list(pairs)
        followed = next((text for each, text in pairs if each == expand.PARAMETER), None)
        paths = expand.paths_of(followed)

        async def work(table: Table) -> PageOfRecords:
            listing = parameters.listing_of(table, pairs)
            expansions = await self._expansions(caller, table, paths)
            page = await rows.page(self.pool, table, listing, expansions)
            await self._weigh(caller, page.items)
            if page.last is None:
                return page
            if any(name == "page" for name, _ in pairs):
                further = ("page", str(listing.offset // listing.limit + 2))
            else:
                further = ("cursor", cursor_of(listing.order, page.last))
            following = parameters.next_path(path, query_string, *further)
            # Not `replace`, which costs as much as the rest of this function.
            return PageOfRecords(page.items, page.limit, page.last, page.total, next=following)

        return await self.tables.on(name, caller, Level.VIEWER, work)

    async def _expansions(
        self, caller: Caller, table: Table, paths: Paths
    ) -> tuple[Expansion, ...]:
        """The references to follow, each to its table as it is now; raises InvalidInputError."""
        expansions: list[Expansion] = []
        for column, inside in paths.by_column(table).items():
            assert column.rules.references is not None
            name = expand.name_of(table, column)
            try:
                target = await self.tables.fresh(
                    column.rules.references.table, caller, Level.VIEWER
                )
            except TableNotFoundError:
                expansions.append(Expansion(column, name, None))
                continue
            further = await self._expansions(caller, target, inside)
            expansions.append(Expansion(column, name, target, further))
        return tuple(expansions)

    async def numbered_page(self, caller: Caller, name: str, pairs: Pairs) -> PageOfRecords:
        """A page of the verb face, with its number and exact total; raises as `page`."""
        pairs = list(pairs)

        async def work(table: Table) -> PageOfRecords:
            listing, number = parameters.verb_listing_of(table, pairs)
            page = await rows.page(self.pool, table, listing)
            await self._weigh(caller, page.items)
            return replace(page, number=number)

        return await self.tables.on(name, caller, Level.VIEWER, work)

    async def get(
        self,
        caller: Caller,
        name: str,
        record_id: int,
        *,
        fields: str | None = None,
        numbers: str | None = None,
    ) -> Record:
        """One record; raises as `authorised`, and RecordNotFoundError."""

        async def work(table: Table) -> Record:
            columns = parameters.fields_of(table, fields)
            _require_possible(table, record_id)
            record = await rows.one(
                self.pool, table, record_id, columns, numbers=parameters.numbers_of(numbers)
            )
            if record is None:
                raise RecordNotFoundError.of_id(table.name, record_id)
            await self._weigh(caller, record.json)
            return record

        return await self.tables.on(name, caller, Level.VIEWER, work)

    async def _weigh(self, caller: Caller, answer: str) -> None:
        """Wait, with a large answer, while its reader has as many of them still to take."""
        if len(answer) > LARGE_ANSWER:
            await self.large_answers.keep_one(caller.sub)

    async def insert(self, caller: Caller, name: str, sent: Sent) -> Record:
        """Insert one record.

        Raises as `authorised`, InvalidInputError naming the fields, UniqueViolationError.
        """

        async def work(table: Table) -> Record:
            columns = incoming.checked_new(table, sent.value)
            body = incoming.respelled(sent)
            try:
                return await until_through(
                    lambda: self._sealed(
                        lambda driver: writes.insert_one(driver, table, body, columns, by=caller)
                    )
                )
            except RefusedValueError as exc:
                raise await self._named(table, body, columns, exc) from exc

        return await self.tables.on(name, caller, Level.EDITOR, work)

    async def change(
        self, caller: Caller, name: str, record_id: int, sent: Sent, *, if_match: str | None = None
    ) -> Record:
        """The record after the named fields were changed.

        Raises as `insert`, RecordNotFoundError, and StaleETagError when `if_match` no longer holds.
        """

        async def work(table: Table) -> Record:
            columns = incoming.checked_change(table, sent.value, record_id=record_id)
            _require_possible(table, record_id)
            body = incoming.respelled(sent)
            try:
                return await writes.update_one(
                    self.pool,
                    table,
                    record_id,
                    body,
                    columns,
                    by=caller,
                    allowed=tags.allowed(table, if_match),
                )
            except RefusedValueError as exc:
                raise await self._named(table, body, columns, exc) from exc

        return await self.tables.on(name, caller, Level.EDITOR, work)

    async def replace(
        self, caller: Caller, name: str, record_id: int, sent: Sent, *, if_match: str | None = None
    ) -> Record:
        """The record after it was replaced: fields that are not named have their defaults.

        Raises as `change`.
        """

        async def work(table: Table) -> Record:
            columns, reset = incoming.checked_replacement(table, sent.value, record_id=record_id)
            _require_possible(table, record_id)
            body = incoming.respelled(sent)
            try:
                return await writes.update_one(
                    self.pool,
                    table,
                    record_id,
                    body,
                    columns,
                    by=caller,
                    reset=reset,
                    allowed=tags.allowed(table, if_match),
                )
            except RefusedValueError as exc:
                raise await self._named(table, body, columns, exc) from exc

        return await self.tables.on(name, caller, Level.EDITOR, work)

    async def delete(
        self, caller: Caller, name: str, record_id: int, *, if_match: str | None = None
    ) -> None:
        """Delete a record; raises as `change`."""

        async def work(table: Table) -> None:
            _require_possible(table, record_id)
            allowed = tags.allowed(table, if_match)
            await writes.delete_one(self.pool, table, record_id, by=caller, allowed=allowed)

        await self.tables.on(name, caller, Level.EDITOR, work)

    async def _named(
        self, table: Table, sent: Sent, columns: Sequence[Column], refusal: RefusedValueError
    ) -> InvalidInputError:
        """The refusal with the column of the value, which PostgreSQL does not name."""
        array = incoming.array_of(sent)
        place = await arrays.refused_value(self.pool, table, array, columns)
        if place is None:
            return refusal
        return InvalidInputError.of(place[1], "out_of_range", refusal.errors[0].message)

    async def _sealed(self, work: Callable[[Driver], Awaitable[Record]]) -> Record:
        # One statement is a transaction already; an idempotency key is sealed in the same one.
        if current_claim.get() is None:
            return await work(self.pool)
        async with transaction(self.engine, BOOKS) as tx:
            record = await work(tx.raw)
            await tx.seal()
        return record


def _require_possible(table: Table, record_id: int) -> None:
    if not 0 <= record_id <= ID_LIMIT:
        raise RecordNotFoundError.of_id(table.name, record_id)
