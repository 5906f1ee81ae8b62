"""Profiles and reports, with what their reader may see of them."""

from dataclasses import dataclass

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from services.ingest.clients import RecordsClient
from services.ingest.connections.domain import SourceTable
from services.ingest.domain.outcome import KeptReject
from services.ingest.domain.profile import KeptProfile
from services.ingest.domain.run import ImportId, Run
from services.ingest.reports.page import Findings, report
from services.ingest.runs import profiles, reads, rejects
from services.ingest.runs.reads import DatabaseRead
from shared.contracts.auth import Caller
from shared.contracts.ingest import Profile
from shared.errors import NotFoundError
from shared.http.peers import PeerUnavailableError
from shared.store.engine import RawPool

SHOWN_REJECTS = 20
QUERY_CHARS = 200

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Reports:
    """Values of rows are for those alone who may read the table."""

    engine: AsyncEngine
    pool: RawPool
    records: RecordsClient
    public_url: str

    async def profile(self, run: Run, viewer: Caller) -> KeptProfile:
        """The profile of an import that the viewer may see.

        Raises NotFoundError where it has none or its table may not be read, PeerUnavailableError.
        """
        kept = await profiles.one(self.pool, run.id)
        if kept is None or not await self._may_read(kept, viewer):
            raise NotFoundError(_without_profile(run))
        return kept

    async def of_table(self, table: str, import_id: int | None) -> KeptProfile:
        """The profile of one import into a table, by default of the newest; for our peers.

        They have asked whether their caller may read the table. Raises NotFoundError.
        """
        if import_id is None:
            kept = await profiles.newest(self.pool, table)
        else:
            kept = await profiles.one(self.pool, ImportId(import_id))
        if kept is None or kept.table != table:
            which = "" if import_id is None else f" for import {import_id}"
            raise NotFoundError(f"the table {table} has no profile{which}")
        return kept

    async def page(self, run: Run, viewer: Caller) -> str:
        """The report of an import that the viewer may see; raises PeerUnavailableError."""
        kept = await profiles.one(self.pool, run.id)
        may_read = kept is not None and await self._may_read(kept, viewer)
        return await self._written(run, viewer, kept if may_read else None, base_url="")

    async def attached(self, run: Run) -> str:
        """The same for its submitter, as a file; without the profile while records is away."""
        kept = await profiles.one(self.pool, run.id)
        try:
            may_read = kept is not None and await self._may_read(kept, run.caller)
        except PeerUnavailableError as exc:
            log.warning("report_without_profile", import_id=run.id, reason=exc.detail)
            may_read = False
        return await self._written(
            run, run.caller, kept if may_read else None, base_url=self.public_url.rstrip("/")
        )

    async def _written(
        self, run: Run, viewer: Caller, kept: KeptProfile | None, *, base_url: str
    ) -> str:
        refused: list[KeptReject] = []
        async with self.engine.connect() as connection:
            # As `/errors`: the table's owner sees what became of the import, not others' cells.
            if viewer.is_admin or viewer.sub == run.caller.sub:
                refused = await rejects.page(connection, run, after=0, limit=SHOWN_REJECTS)
            read = await reads.one(connection, run.id)
        profile: Profile | None = None if kept is None else kept.profile
        findings = Findings(
            run=run,
            rejects=refused,
            profile=profile,
            source=() if read is None else _source(read),
            followed_by=await profiles.followers(self.pool, run.id),
        )
        return report(findings, base_url=base_url)

    async def _may_read(self, kept: KeptProfile, viewer: Caller) -> bool:
        if viewer.is_admin:
            return True
        if kept.table is None:
            # A dry run into a table that it would have made, which is nobody else's.
            return not kept.was_made
        return await self.records.sees(kept.table, viewer)


def _source(read: DatabaseRead) -> tuple[str, ...]:
    match read.selection:
        case SourceTable(schema=schema, name=name):
            return read.target.label, name if schema is None else f"{schema}.{name}"
        case None:
            return (read.target.label,)
        case query:
            sql = " ".join(query.sql.split())
            return read.target.label, sql if len(sql) <= QUERY_CHARS else f"{sql[:QUERY_CHARS]}…"


def _without_profile(run: Run) -> str:
    if not run.state.is_final:
        return f"import {run.id} is {run.state.value}: its profile is there when it has succeeded"
    return (
        f"import {run.id} has no profile: nothing was loaded, its rows went from one PostgreSQL"
        " into the other without being read, or its table may not be read"
    )
