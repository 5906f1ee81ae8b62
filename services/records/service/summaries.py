"""Summaries: groups of records, and what is counted, summed and found in each."""

from dataclasses import dataclass, replace

from services.records.domain import Level, PageOfGroups, Table
from services.records.query import parameters
from services.records.query.cursor import cursor_of
from services.records.query.summary import summary_of
from services.records.repository import summaries
from services.records.service.known_tables import KnownTables
from shared.contracts.auth import Caller
from shared.process.places import Places
from shared.store.engine import RawPool


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
