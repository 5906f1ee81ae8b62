"""Summaries: groups of records, and what is counted, summed and found in each."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from services.records.domain import Level, PageOfGroups, Table
from services.records.query import parameters
from services.records.query.cursor import cursor_of
from services.records.query.summary import summary_of
from services.records.repository import summaries
from services.records.service.known_tables import KnownTables
from shared.contracts.auth import Caller, Sub
from shared.errors import UnavailableError
from shared.store.engine import RawPool


class Places:
    """How many run at once, in all and for one subject; the others wait their turn."""

    def __init__(self, places: int, *, wait_s: float) -> None:
        self._free = asyncio.Semaphore(places)
        self._per_subject = max(1, places - 1)
        self._wait_s = wait_s
        self._own: dict[Sub, asyncio.Semaphore] = {}
        self._holders: Counter[Sub] = Counter()

    @asynccontextmanager
    async def one(self, subject: Sub) -> AsyncIterator[None]:
        """A place for this subject; raises UnavailableError where none is free in time."""
        own = self._own.setdefault(subject, asyncio.Semaphore(self._per_subject))
        self._holders[subject] += 1
        try:
            try:
                async with asyncio.timeout(self._wait_s):
                    await own.acquire()
                    try:
                        await self._free.acquire()
                    except BaseException:
                        own.release()
                        raise
            except TimeoutError as exc:
                raise UnavailableError("too many summaries are running; try again soon") from exc
            try:
                yield
            finally:
                self._free.release()
                own.release()
        finally:
            self._holders[subject] -= 1
            if not self._holders[subject]:
                del self._holders[subject], self._own[subject]


@dataclass(frozen=True, slots=True)
class Summaries:
    """Summaries of a table's records; each may take `timeout_s`, and `places` run at once."""

    pool: RawPool
    tables: KnownTables
    places: Places
    timeout_s: float

    async def page(
        self, caller: Caller, name: str, query_string: str, *, path: str
    ) -> PageOfGroups:
        """A page of groups; `path` is the summary's own, for `next`.

        Raises as `authorised`, InvalidInputError naming the parameter, TookTooLongError.
        """
        pairs = parameters.pairs_of(query_string)

        async def work(table: Table) -> PageOfGroups:
            summary = summary_of(table, pairs)
            async with self.places.one(caller.sub):
                page = await summaries.summarise(
                    self.pool, table, summary, timeout_s=self.timeout_s
                )
            if page.last is None:
                return page
            cursor = cursor_of(summary.order, page.last, words=summary.order_words)
            return replace(page, next=parameters.next_path(path, query_string, "cursor", cursor))

        return await self.tables.on(name, caller, Level.VIEWER, work)
