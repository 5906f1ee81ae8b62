"""What a load needs of the world (`load.outside`), for one attempt at one import."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime

import asyncpg

from services.ingest.clients import CatalogClient, RecordsClient
from services.ingest.domain import ImportId, Outcome, Progress, Reject, Run
from services.ingest.errors import FencedOutError
from services.ingest.runs import endings
from services.ingest.runs.rejects import KEPT_PER_RUN, RejectRepository
from services.ingest.runs.worked import Connection, JobRepository, Pool
from services.ingest.storage import REJECTS, ObjectWriter, Storage
from shared.contracts.records import NewColumn, TableContract
from shared.errors import NotFoundError
from shared.http.peers import PeerProblemError
from shared.store.engine import scrub_environment

CONNECTIONS_PER_LOAD = 3
CONNECT_TIMEOUT_S = 10


def rejects_prefix(import_id: int) -> str:
    """Where the rejects of an import are."""
    return f"{REJECTS}{import_id}/"


def lease_of(rejects_path: str) -> int:
    """The lease of the attempt that wrote a rejects file."""
    return int(rejects_path.rpartition("/")[2].partition("-")[0])


class StoredRejects:
    """Rejects of one lease: the CSV streamed to storage, the first 1,000 kept for the JSON view."""

    def __init__(self, run: Run, *, storage: Storage, kept: RejectRepository) -> None:
        self._run = run
        self._storage = storage
        self._kept = kept
        self._pass = run.reject_pass
        self._count = 0
        self._writer: ObjectWriter | None = None
        self._finished: str | None = None

    async def write(self, data: bytes) -> None:
        """Append to the rejects CSV of this pass."""
        if self._writer is None:
            path = f"{rejects_prefix(self._run.id)}{self._run.lease}-{self._pass}.csv"
            self._writer = self._storage.writer(path)
        await self._writer.write(data)

    async def keep(self, rejects: Sequence[Reject]) -> None:
        """Keep rejects for the JSON view, up to 1,000 of a pass."""
        room = KEPT_PER_RUN - self._count
        found = rejects[:room]
        if found:
            await self._kept.keep(
                self._run, found, reject_pass=self._pass, first_ordinal=self._count + 1
            )
            self._count += len(found)

    async def restart(self) -> None:
        """A new pass begins: what was written before is thrown away."""
        self._writer = None
        self._count = 0
        self._pass += 1
        await self._kept.restart(self._run, reject_pass=self._pass)
        await self._kept.forget_before(self._run, reject_pass=self._pass)

    async def finish(self) -> str | None:
        """Close the CSV; its path, or None when nothing was refused."""
        writer, self._writer = self._writer, None
        if writer is not None:
            await writer.close()
            self._finished = writer.path
        return self._finished


@dataclass
class Attempt:
    """One claimed run being worked on: what is known of it so far."""

    run: Run
    rejects: StoredRejects
    seen: Progress
    jobs: JobRepository
    records: RecordsClient
    storage: Storage
    catalog: CatalogClient
    pool: Pool = field(repr=False)

    @property
    def import_id(self) -> ImportId:
        """The import."""
        return self.run.id

    async def contract(self) -> TableContract:
        """The target's contract now."""
        return await self.records.contract(self._table, self.run.caller)

    async def make_table(self, columns: Sequence[NewColumn]) -> TableContract:
        """Make the target, or take the one that an earlier attempt made.

        Raises FencedOutError when the lease was lost meanwhile; the table is dropped again then.
        """
        contract = await self._made_before(columns)
        if contract is None:
            contract = await self.records.make_table(self._table, columns, self.run.caller)
        self.run = replace(self.run, made_table_oid=contract.oid)
        if not await self.jobs.note_made_table(self.run, oid=contract.oid):
            await self.records.drop_made_table(self._table, contract.oid)
            raise FencedOutError
        return contract

    async def note_backend(self, pid: int, started_at: datetime) -> None:
        """Keep which connection loads; raises FencedOutError."""
        await self.jobs.note_backend(self.run, pid=pid, started_at=started_at)

    def note_progress(self, progress: Progress) -> None:
        """Keep how far the load is; the heartbeat writes it."""
        self.seen = progress

    async def fence(self, connection: Connection, outcome: Outcome) -> None:
        """Make the final state part of the load's transaction; raises FencedOutError."""
        path = await self.rejects.finish()
        ending = endings.success(self.run, outcome, rejects_path=path)
        await self.jobs.end(self.run, ending, connection=connection)

    @property
    def _table(self) -> str:
        if self.run.table is None:
            raise ValueError(f"an import of kind {self.run.kind} has no table")
        return self.run.table

    async def _made_before(self, columns: Sequence[NewColumn]) -> TableContract | None:
        # Submitting refused a table that existed, so one that exists now was made by an attempt
        # before this one, which may have died before it could note the table's oid.
        if self.run.attempt == 1 and self.run.made_table_oid is None:
            return None
        try:
            found = await self.contract()
        except PeerProblemError as exc:
            if exc.status == NotFoundError.status:
                return None
            raise
        wanted = [(column.name, column.type) for column in columns]
        same = [(str(column.name), column.type) for column in found.columns] == wanted
        if found.oid == self.run.made_table_oid or (
            same and await self.jobs.is_empty_table(self._table)
        ):
            return found
        return None


@asynccontextmanager
async def load_pool(url: str, run: Run) -> AsyncIterator[Pool]:
    """Connections of one load, by whose name records and the sweeper know them.

    Leaving it on an error ends them at once: a COPY that hangs must not keep its locks.
    """
    scrub_environment()
    pool = await asyncpg.create_pool(
        url,
        min_size=0,
        max_size=CONNECTIONS_PER_LOAD,
        timeout=CONNECT_TIMEOUT_S,
        server_settings={"application_name": endings.load_name(run.id)},
    )
    try:
        yield pool
    except BaseException:
        pool.terminate()
        raise
    await pool.close()
