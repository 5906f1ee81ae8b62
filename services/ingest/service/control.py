"""Imports looked at, cancelled and tried again, by those who may see them."""

import codecs
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine

from services.ingest.books import BOOKS
from services.ingest.clients import RecordsClient
from services.ingest.domain.outcome import KeptReject
from services.ingest.domain.run import ImportId, Run, RunFilter
from services.ingest.errors import StateForbidsError, UploadGoneError
from services.ingest.runs import asked, corrections, events, rejects, submitted
from services.ingest.runs.endings import drop_made_table
from services.ingest.runs.submitted import Executor
from services.ingest.service.formulas import without_formulas
from services.ingest.service.intake import refuse_full_queue
from services.ingest.service.open_rejects import still_open
from services.ingest.storage import Storage
from services.ingest.webhooks.events import EventType
from shared.contracts.auth import Caller
from shared.contracts.ingest import load_name
from shared.errors import NotFoundError
from shared.http.paging import Slice, cut
from shared.http.peers import PeerUnavailableError
from shared.store.engine import RawPool
from shared.store.transaction import transaction


@dataclass(frozen=True, slots=True)
class ImportControl:
    """What a caller can do with imports that exist."""

    engine: AsyncEngine
    pool: RawPool
    """For what is a statement by itself."""
    storage: Storage
    records: RecordsClient
    wake: Callable[[ImportId], Awaitable[None]]
    queued_limit: int
    tells_lineage: bool
    """Whether what is cancelled is told to OpenLineage."""

    async def look(self, viewer: Caller, import_id: int) -> Run:
        """The import, for its submitter, admins, and the owner of the table that it is into.

        Raises NotFoundError for others.
        """
        run = await submitted.visible(self.pool, import_id, viewer)
        if run is None:
            run = await submitted.into_a_table(self.pool, import_id)
            if run is None or not await self._owns(run.table, viewer):
                raise _no_import(import_id)
        return run

    async def page(self, viewer: Caller, which: RunFilter, *, limit: int) -> Slice[Run]:
        """Up to `limit` imports that the caller may see, newest first.

        Of one table its owner sees all, others those that they submitted.
        """
        try:
            everyones = await self._owns(which.table, viewer)
        except PeerUnavailableError:
            everyones = False
        async with self.engine.connect() as connection:
            runs = await asked.page(
                connection, which, viewer=None if everyones else viewer, limit=limit + 1
            )
        return cut(runs, limit=limit, key=lambda run: (str(run.id),))

    async def feeding(self, *, table: str | None, etl: str | None, limit: int) -> list[Run]:
        """The newest imports into a table or by an ETL; for our peers."""
        async with self.engine.connect() as connection:
            return await asked.feeding(connection, table=table, etl=etl, limit=limit)

    async def rejects(
        self, viewer: Caller, import_id: int, *, after: int, limit: int
    ) -> Slice[KeptReject]:
        """Rejects of the newest pass, in the order of the file; raises NotFoundError."""
        run = await _visible(self.pool, viewer, import_id)
        async with self.engine.connect() as connection:
            kept = await rejects.page(connection, run, after=after, limit=limit + 1)
        return cut(kept, limit=limit, key=lambda reject: (str(reject.ordinal),))

    async def rejects_file(
        self, viewer: Caller, import_id: int, *, excel_safe: bool = False
    ) -> AsyncIterator[bytes]:
        """The rejects CSV of the rows that are still open; empty when none was refused (so far).

        It begins with a byte order mark, by which spreadsheet programs know UTF-8.

        With `excel_safe`, no cell is a formula to a spreadsheet program.

        Raises NotFoundError, and ObjectMissingError when it is no longer kept.
        """
        run = await _visible(self.pool, viewer, import_id)
        if run.rejects_path is None:
            return _nothing()
        await self.storage.size_bytes(run.rejects_path)
        chunks = self.storage.chunks(run.rejects_path)
        corrected = await corrections.lines_in(self.pool, run.rows_of or run.id)
        if corrected:
            chunks = still_open(chunks, frozenset(corrected))
        return _marked(without_formulas(chunks) if excel_safe else chunks)

    async def cancel(self, caller: Caller, import_id: int) -> Run:
        """End a queued or running import; nothing of it is loaded. For those who may see it.

        Raises NotFoundError, StateForbidsError, BeingCommittedError.
        """
        run = await self.look(caller, import_id)
        async with transaction(self.engine, BOOKS) as tx:
            cancelled = await asked.cancel(tx.connection, run, application_name=load_name(run.id))
            if cancelled is None:
                now = await submitted.into_a_table(tx.raw, import_id) or run
                raise StateForbidsError(f"the import is {now.state.value} already")
            for intent in drop_made_table(cancelled):
                await tx.intend(intent.kind, intent.fields)
            await events.note(
                tx.raw, cancelled.id, EventType.IMPORT_CANCELLED, lineage=self.tells_lineage
            )
            await tx.record(caller, "import.cancel", f"import:{run.id}")
            await tx.seal()
        return cancelled

    async def retry(self, caller: Caller, import_id: int) -> Run:
        """Queue a failed or cancelled import again.

        Raises NotFoundError, StateForbidsError, UploadGoneError, QueueFullError,
        AlreadyQueuedError.
        """
        async with transaction(self.engine, BOOKS) as tx:
            run = await _visible(tx.raw, caller, import_id)
            await refuse_full_queue(tx.raw, run.caller, limit=self.queued_limit)
            queued = await asked.queue_again(tx.connection, run)
            if queued is None:
                if run.upload_path is None and run.state.is_final:
                    raise UploadGoneError("its file is no longer kept; upload it again")
                raise StateForbidsError(f"the import is {run.state.value}; there is no retrying")
            await tx.record(caller, "import.retry", f"import:{run.id}")
            await tx.seal()
        await self.wake(queued.id)
        return queued

    async def _owns(self, table: str | None, viewer: Caller) -> bool:
        if table is None or viewer.is_admin:
            return False
        return await self.records.owns(table, viewer)


def _no_import(import_id: int) -> NotFoundError:
    return NotFoundError(f"there is no import {import_id}")


async def _visible(executor: Executor, viewer: Caller, import_id: int) -> Run:
    run = await submitted.visible(executor, import_id, viewer)
    if run is None:
        raise _no_import(import_id)
    return run


async def _marked(report: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield codecs.BOM_UTF8
    async for piece in report:
        yield piece


async def _nothing() -> AsyncIterator[bytes]:
    return
    yield b""
