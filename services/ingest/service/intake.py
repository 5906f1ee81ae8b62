"""From a submission to a queued import: known already? → contract → check → row → wake-up."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.ingest.books import BOOKS
from services.ingest.clients import RecordsClient
from services.ingest.domain.options import ImportKind, ImportOptions, Mode, OnNewColumn
from services.ingest.domain.run import (
    FeedRef,
    ImportId,
    ImportRequest,
    Run,
    StoredUpload,
    Submission,
)
from services.ingest.errors import (
    AlreadyQueuedError,
    OwnerNeededError,
    QueueFullError,
    RequestKeyReusedError,
    TableExistsError,
)
from services.ingest.load.upsert import making
from services.ingest.plan.columns import Others
from services.ingest.plan.contracts import CATALOG_CONTRACT
from services.ingest.read.arriving import HEAD_BYTES
from services.ingest.read.formats import check_upload
from services.ingest.runs import submitted
from services.ingest.runs.submitted import Executor
from services.ingest.service.receive import (
    IncomingBody,
    UploadNamed,
    receive_or_named,
)
from services.ingest.service.uploads import Uploads, upload_id_of
from services.ingest.storage import Storage, StoredFile
from services.ingest.uploads.domain import UploadId
from shared.contracts.auth import Caller
from shared.contracts.records import TableContract
from shared.errors import InvalidInputError, NotFoundError, ProblemError
from shared.http.peers import PeerProblemError
from shared.store.engine import RawPool
from shared.store.transaction import transaction

ReadFields = Callable[[Mapping[str, str]], ImportRequest]
"""Form fields to a request; raises InvalidInputError naming the fields that do not fit."""

Check = Callable[[TableContract | None], Awaitable[None]]
"""Refuses what cannot be loaded into a table of this contract; None: the table is yet to be made,
or a scan has none."""

Also = Callable[[AsyncConnection, ImportId], Awaitable[None]]
"""Writes what belongs to a new import, in the transaction that queues it."""


@dataclass(frozen=True, slots=True)
class Intake:
    """Takes imports in."""

    engine: AsyncEngine
    pool: RawPool
    """For what is a statement by itself."""
    storage: Storage
    records: RecordsClient
    wake: Callable[[ImportId], Awaitable[None]]
    """Wakes a worker; must not fail when there is none."""
    uploads: Uploads
    upload_limit_bytes: int
    queued_limit: int
    """How many imports of one subject may wait."""

    async def submit_file(
        self,
        caller: Caller,
        body: IncomingBody,
        read_fields: ReadFields,
        *,
        request_key: str | None,
        feed: FeedRef | None = None,
        uploader: Caller | None = None,
    ) -> Run:
        """Store a file and queue its import, or return the same one that is queued or running.

        A body may name an upload (of `uploader`, if that is not the caller) in place of a file.
        Raises as `receive`, `Uploads.copied` and
        `queue`, and FileRefusedError; nothing is kept then.
        """
        file = await receive_or_named(self.storage, body, limit_bytes=self.upload_limit_bytes)
        if isinstance(file, UploadNamed):
            request = read_fields(file.fields)
            return await self.submit_upload(
                caller,
                upload_id_of(file.upload_id),
                request,
                request_key=request_key,
                feed=feed,
                uploader=uploader,
            )
        stored, head = file.upload, file.head
        try:
            request = read_fields(file.fields)
        except ProblemError:
            await self.storage.delete(stored.path)
            raise
        return await self._submit(caller, request, stored, head, request_key=request_key, feed=feed)

    async def submit_upload(
        self,
        caller: Caller,
        upload_id: UploadId,
        request: ImportRequest,
        *,
        request_key: str | None,
        feed: FeedRef | None = None,
        uploader: Caller | None = None,
    ) -> Run:
        """Queue the import of an upload, which stays as it is; raises as `submit_file`.

        `uploader` is who uploaded it, where that is not the caller.
        """
        stored = await self.uploads.copied(uploader or caller, upload_id)
        head = await self.storage.head(stored.path, HEAD_BYTES)
        return await self._submit(caller, request, stored, head, request_key=request_key, feed=feed)

    async def _submit(
        self,
        caller: Caller,
        request: ImportRequest,
        stored: StoredUpload,
        head: bytes,
        *,
        request_key: str | None,
        feed: FeedRef | None,
    ) -> Run:
        async def check(contract: TableContract | None) -> None:
            ignored = request.kind is ImportKind.CATALOG_FILE
            await asyncio.to_thread(
                check_upload,
                StoredFile(self.storage, stored.path, stored.size_bytes),
                head,
                file_name=stored.file_name,
                options=request.options,
                contract=contract,
                others=Others.IGNORED if ignored else Others.REFUSED,
            )

        submission = Submission.of(
            request,
            caller=caller,
            evidence=[stored.sha256, *([] if feed is None else [feed.name])],
            upload=stored,
            request_key=request_key,
            feed=feed,
        )
        try:
            run = await self.queue(submission, check=check)
        except ProblemError:
            # Any other error may have come after the COMMIT; then tidying decides.
            await self.storage.delete(stored.path)
            raise
        if run.upload_path != stored.path:
            await self.storage.delete(stored.path)
        return run

    async def queue(self, submission: Submission, *, check: Check, also: Also | None = None) -> Run:
        """Queue an import and wake a worker, or return the same one that is queued or running.

        Raises what `check` raises and what records says of the table (403, 404), OwnerNeededError,
        TableExistsError, InvalidInputError for a key that is none, QueueFullError,
        RequestKeyReusedError and AlreadyQueuedError.
        """
        run = await self._known(submission)
        if run is None:
            await check(await self._contract(submission))
            run = await self._insert(submission, also)
        await self.wake(run.id)
        return run

    async def _known(self, submission: Submission) -> Run | None:
        return await _same_import(self.pool, submission)

    async def _contract(self, submission: Submission) -> TableContract | None:
        request = submission.request
        if request.table is None:
            return CATALOG_CONTRACT if request.kind is ImportKind.CATALOG_FILE else None
        try:
            contract = await self.records.contract(request.table, submission.caller)
        except PeerProblemError as exc:
            if exc.status != NotFoundError.status or not request.options.create_table:
                raise
            return None
        if request.options.create_table:
            raise TableExistsError(
                f"the table {request.table} exists; leave `create_table` out to load into it"
            )
        if request.kind is not ImportKind.UNDO:
            check_key(request.options, contract)
        adds = request.options.on_new_column is OnNewColumn.ADD
        if adds and not await self.records.owns(request.table, submission.caller):
            raise OwnerNeededError(f"only an owner of {request.table} may add columns to it")
        return contract

    async def _insert(self, submission: Submission, also: Also | None) -> Run:
        request = submission.request
        async with transaction(self.engine, BOOKS) as tx:
            await refuse_full_queue(tx.raw, submission.caller, limit=self.queued_limit)
            run = await submitted.queue(tx.raw, submission)
            if run is None:  # the same import was submitted at the same moment
                run = await _same_import(tx.raw, submission)
                if run is None:
                    raise AlreadyQueuedError("the same import ended just now; send it again")
                return run
            if also is not None:
                await also(tx.connection, run.id)
            await tx.record(
                submission.caller,
                "import.submit",
                f"import:{run.id}",
                table=request.table,
                kind=request.kind.value,
                **_what_follows(request),
            )
            await tx.seal()
        return run


def _what_follows(request: ImportRequest) -> dict[str, Any]:
    """What the audit trail says of an import that follows another."""
    if request.follows is None:
        return {}
    edited = {} if request.edited is None else {"edited": request.edited.value}
    return {"follows": request.follows, **edited}


async def refuse_full_queue(executor: Executor, caller: Caller, *, limit: int) -> None:
    """Raise QueueFullError when the caller may not add to the queue."""
    if await submitted.count_queued(executor, caller) >= limit:
        raise QueueFullError(limit)


async def _same_import(executor: Executor, submission: Submission) -> Run | None:
    if submission.request_key is not None:
        before = await submitted.by_request_key(executor, submission.caller, submission.request_key)
        if before is not None:
            if before.idempotency_key != submission.idempotency_key:
                raise RequestKeyReusedError(
                    "this Idempotency-Key was sent with another body; use a new key"
                )
            return before
    return await submitted.open_twin(executor, submission.idempotency_key)


def check_key(options: ImportOptions, contract: TableContract, *, field: str = "key") -> None:
    """Raise InvalidInputError where the key of an upsert is no unique key of the table."""
    if options.mode is not Mode.UPSERT:
        return
    known = {str(column.name) for column in contract.columns} | {"id"}
    for name in options.key:
        if name not in known:
            raise InvalidInputError.of(field, "unknown_column", f"there is no column {name}")
    keys = [{str(column) for column in key.columns} for key in contract.unique_keys]
    if set(options.key) not in keys and set(options.key) != {"id"}:
        reason = (
            f"these columns are not unique together; {making(options.key, contract)} makes them so"
        )
        raise InvalidInputError.of(field, "not_unique", reason)
