"""What a load needs of the world (`load.outside`), for one attempt at one import.

What is known here alone (progress, the pass of the rejects) dies with the attempt.
"""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime

import structlog

from services.ingest.clients import CatalogClient, RecordsClient
from services.ingest.domain.outcome import Outcome, Progress, Reject
from services.ingest.domain.run import ImportId, Run
from services.ingest.errors import FencedOutError, NotAllowedAnyMoreError
from services.ingest.runs import rejects as kept_rejects
from services.ingest.runs import worked
from services.ingest.runs.endings import succeeded
from services.ingest.storage import ObjectWriter, Storage, rehearsal_file, rejects_file
from services.ingest.work.former import StoredFormerRows
from services.ingest.work.rights import Rights, is_refusal
from shared.contracts.catalog import TableRead
from shared.contracts.records import NewColumn, TableContract
from shared.errors import NotFoundError
from shared.http.peers import PeerProblemError, PeerUnavailableError
from shared.store.engine import RawConnection, RawPool

log = structlog.get_logger()

CONNECTIONS_PER_LOAD = 3
CONNECT_TIMEOUT_S = 10


class StoredRejects:
    """Rejects of one lease: the CSV streamed to storage, the first 1,000 kept for the JSON view."""

    def __init__(self, run: Run, *, storage: Storage, pool: RawPool) -> None:
        self._run = run
        self._storage = storage
        self._pool = pool
        self._pass = run.reject_pass
        self._kept = 0
        self._writer: ObjectWriter | None = None
        self._path: str | None = None
        self._written = False

    async def write(self, data: bytes) -> None:
        """Append to the rejects CSV of this pass."""
        self._written = True
        if self._writer is None:
            self._writer = self._storage.writer(
                rejects_file(self._run.id, lease=self._run.lease, reject_pass=self._pass)
            )
        await self._writer.write(data)

    async def keep(self, rejects: Sequence[Reject]) -> None:
        """Keep further rejects of this pass for the JSON view."""
        await kept_rejects.keep(
            self._pool,
            self._run,
            rejects,
            reject_pass=self._pass,
            first_ordinal=self._kept + 1,
        )
        self._kept += len(rejects)

    async def adopt(self, other: Run) -> None:
        """Take the rejects of another run for this one's; a second time changes nothing."""
        if other.rejects_path is None:
            return
        self._written = True
        path = rejects_file(self._run.id, lease=self._run.lease, reject_pass=self._pass)
        await self._storage.copy(other.rejects_path, path)
        await kept_rejects.copy(self._pool, self._run, other)
        self._path = path

    async def restart(self) -> None:
        """A new pass begins: what was written before is thrown away."""
        self._writer = None
        self._kept = 0
        self._pass += 1
        await kept_rejects.restart(self._pool, self._run, reject_pass=self._pass)
        await kept_rejects.forget_before(self._pool, self._run, reject_pass=self._pass)

    @property
    def written(self) -> bool:
        """Whether anything was written, in whichever pass."""
        return self._written

    async def finish(self) -> str | None:
        """Close the CSV; its path, or None when nothing was refused."""
        writer, self._writer = self._writer, None
        if writer is not None:
            await writer.close()
            self._path = writer.path
        return self._path


class StoredRows:
    """What a dry run of one lease judged to be good, streamed to storage."""

    def __init__(self, run: Run, storage: Storage) -> None:
        self._run = run
        self._storage = storage
        self._pass = 1
        self._writer: ObjectWriter | None = None

    async def write(self, data: bytes) -> None:
        """Append to the rows of this pass."""
        if self._writer is None:
            self._writer = self._storage.writer(
                rehearsal_file(self._run.id, lease=self._run.lease, number=self._pass)
            )
        await self._writer.write(data)

    async def restart(self) -> None:
        """A new pass begins: what was written before is thrown away."""
        self._writer = None
        self._pass += 1

    async def finish(self) -> str | None:
        """Close the file; its path, or None when there is none."""
        writer, self._writer = self._writer, None
        if writer is None:
            return None
        await writer.close()
        return writer.path


class LoadConnections:
    """The connections of one attempt, out of the worker's pool.

    Whatever fails while one is held ends it: a COPY that hangs must not keep its locks.
    """

    def __init__(self, pool: RawPool) -> None:
        self._pool = pool

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[RawConnection]:
        """A connection, returned at the end of the block."""
        async with self._pool.acquire(timeout=CONNECT_TIMEOUT_S) as connection:
            try:
                yield connection
            except BaseException:
                connection.terminate()
                raise


@dataclass
class Attempt:
    """One claimed run being worked on: what is known of it so far."""

    run: Run
    rejects: StoredRejects
    former: StoredFormerRows | None
    rehearsal: StoredRows
    seen: Progress
    bookkeeping: RawPool = field(repr=False)
    """For the run's row, each statement by itself."""
    connections: LoadConnections = field(repr=False)
    """For the load."""
    records: RecordsClient
    catalog: CatalogClient
    storage: Storage
    rights: Rights
    tells_lineage: bool
    """Whether its end is told to OpenLineage."""
    read: TableRead | None = None
    """The table of another database that is read."""
    before_commit: Callable[[RawConnection, Outcome], Awaitable[None]] | None = None
    """Written in the load's transaction before its fence; what it raises rolls all back."""
    loaded: bool = False
    """Whether it has committed the run's success."""
    _contract_at: float = 0

    @property
    def has_written(self) -> bool:
        """Whether there may be anything in storage that the run's row does not name."""
        return self.rejects.written or (self.former is not None and self.former.written)

    @property
    def import_id(self) -> ImportId:
        """The import."""
        return self.run.id

    @property
    def submitter(self) -> str:
        """The label of who asked for it."""
        return self.run.caller.label

    @property
    def rows_of(self) -> ImportId:
        """The import whose rows they are."""
        return self.run.rows_of or self.run.id

    @property
    def content_sha256(self) -> str | None:
        """The digest of the file."""
        return self.run.content_sha256

    async def contract(self) -> TableContract:
        """The target's contract now; raises NotAllowedAnyMoreError when it may not be written."""
        try:
            contract = await self.records.contract(self._table, self.run.caller)
        except PeerProblemError as exc:
            if not is_refusal(exc):
                raise
            raise NotAllowedAnyMoreError(
                f"the table {self._table} is gone, or whoever asked may not write to it any more"
            ) from exc
        self._contract_at = time.monotonic()
        return contract

    async def make_table(self, columns: Sequence[NewColumn]) -> TableContract:
        """Make the target, or take the one that an earlier attempt made.

        Raises FencedOutError when the lease was lost meanwhile; the table is dropped again then.
        """
        contract = await self._made_before(columns)
        if contract is None:
            contract = await self.records.make_table(self._table, columns, self.run.caller)
        self.run = replace(self.run, made_table_oid=contract.oid)
        if not await worked.note_made_table(self.bookkeeping, self.run, oid=contract.oid):
            await self.records.drop_made_table(self._table, contract.oid)
            raise FencedOutError
        return contract

    async def add_columns(self, columns: Sequence[NewColumn]) -> TableContract:
        """Add columns to the target; raises NotAllowedAnyMoreError for who does not own it."""
        try:
            return await self.records.add_columns(self._table, columns, self.run.caller)
        except PeerProblemError as exc:
            if not is_refusal(exc):
                raise
            raise NotAllowedAnyMoreError(
                f"the table {self._table} is gone, or whoever asked does not own it any more"
            ) from exc

    async def note_backend(self, pid: int, started_at: datetime) -> None:
        """Keep which connection loads; raises FencedOutError."""
        await worked.note_backend(self.bookkeeping, self.run, pid=pid, started_at=started_at)

    def note_progress(self, progress: Progress) -> None:
        """Keep how far the load is; the heartbeat writes it."""
        self.seen = progress

    async def fence(self, connection: RawConnection, outcome: Outcome) -> None:
        """Make the final state part of the load's transaction.

        Raises FencedOutError, NotAllowedAnyMoreError when the submitter's rights ended
        meanwhile, and what `before_commit` raises.
        """
        await self._confirm()
        path = await self.rejects.finish()
        if self.before_commit is not None:
            await self.before_commit(connection, outcome)
        former = None if self.former is None else await self.former.finish()
        ending = succeeded(self.run, outcome, rejects_path=path, former=former, read=self.read)
        await worked.end(connection, self.run, ending, lineage=self.tells_lineage)

    async def _confirm(self) -> None:
        try:
            self.run = await self.rights.confirmed(self.run)
            if (
                self.run.table is not None
                and time.monotonic() - self._contract_at > self.rights.fresh_s
            ):
                await self.contract()
        except PeerUnavailableError as exc:
            # Hours of work are not lost because a peer restarts: it was allowed at the start.
            log.warning("rights_not_confirmed", reason=exc.detail)

    @property
    def _table(self) -> str:
        if self.run.table is None:
            raise ValueError(f"an import of kind {self.run.kind} has no table")
        return self.run.table

    async def _made_before(self, columns: Sequence[NewColumn]) -> TableContract | None:
        # Submitting refused a table that existed, so one that exists now was made by an attempt
        # before this one, which may have died before it could note the table's oid.
        if self.run.lease == 1 and self.run.made_table_oid is None:
            return None
        try:
            contract = await self.records.contract(self._table, self.run.caller)
        except PeerProblemError as exc:
            if exc.status == NotFoundError.status:
                return None
            raise
        same = [(str(column.name), column.type) for column in contract.columns] == [
            (column.name, column.type) for column in columns
        ]
        if contract.oid == self.run.made_table_oid or (
            same and await worked.is_empty_table(self.bookkeeping, self._table)
        ):
            return contract
        return None
