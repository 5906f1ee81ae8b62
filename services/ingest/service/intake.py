"""From a request body to a queued import: the file to storage, the checks, the row, the wake-up."""

import asyncio
import hashlib
import json
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.ingest.clients import RecordsClient
from services.ingest.domain import (
    ImportId,
    ImportKind,
    ImportOptions,
    Mode,
    Run,
    StoredUpload,
    Submission,
)
from services.ingest.errors import (
    AlreadyQueuedError,
    RequestKeyReusedError,
    TableExistsError,
    UploadTooLargeError,
)
from services.ingest.plan.contracts import CATALOG_CONTRACT
from services.ingest.read.head import inspect_upload
from services.ingest.read.kinds import refuse_kind
from services.ingest.runs import asked
from services.ingest.runs.row import OPTIONS
from services.ingest.service.multipart import MultipartUpload
from services.ingest.storage import UPLOADS, Storage
from shared.contracts.auth import Caller
from shared.contracts.records import TableContract
from shared.errors import InvalidInputError, NotFoundError, ProblemError
from shared.http.peers import PeerProblemError
from shared.store.audit import record_event

HEAD_BYTES = 64 * 1024
"""So much of a file is looked at before the rest is taken."""
HASHED_AT_ONCE_BYTES = 1024 * 1024
MULTIPART_OVERHEAD_BYTES = 1024 * 1024
"""What boundaries and other fields may add to a file at its limit."""


@dataclass(frozen=True, slots=True)
class IncomingBody:
    """A request body that has not been read yet."""

    content_type: str
    content_length: int | None
    chunks: AsyncIterator[bytes]


@dataclass(frozen=True, slots=True)
class FileRequest:
    """What the form fields beside the file ask for."""

    kind: ImportKind
    options: ImportOptions
    table: str | None
    etl_name: str | None
    email: str | None


ReadFields = Callable[[Mapping[str, str]], FileRequest]
"""Form fields to a request; raises InvalidInputError naming the fields that do not fit."""

Also = Callable[[AsyncConnection, ImportId], Awaitable[None]]
"""Writes what belongs to a new import, in the transaction that queues it."""


@dataclass(frozen=True, slots=True)
class Intake:
    """Takes imports in."""

    engine: AsyncEngine
    storage: Storage
    records: RecordsClient
    wake: Callable[[ImportId], Awaitable[None]]
    """Tells the workers; must not fail when nobody hears it."""
    upload_limit_bytes: int

    async def submit_file(
        self,
        body: IncomingBody,
        read_fields: ReadFields,
        *,
        caller: Caller,
        request_key: str | None,
    ) -> Run:
        """Store a file and queue its import, or find the same one queued or running.

        Raises UploadTooLargeError, UploadCutShortError, StorageFullError, InvalidInputError and
        FileRefusedError, and what records says of the table: 403, 404. Nothing is kept then.
        """
        upload, head, fields = await self._receive(body)
        try:
            wanted = read_fields(fields)
            submission = _submission(wanted, upload, caller=caller, request_key=request_key)
            run = await self.known(submission)
            if run is None:
                contract = await self.target(submission)
                await _check_head(head, submission, upload, contract)
                run = await self.queue(submission)
        except ProblemError:
            # Any other error may have come after the COMMIT; then housekeeping decides.
            await self.storage.delete(upload.path)
            raise
        if run.upload_path != upload.path:
            await self.storage.delete(upload.path)
        await self.wake(run.id)
        return run

    async def _receive(self, body: IncomingBody) -> tuple[StoredUpload, bytes, Mapping[str, str]]:
        """The file stored, its first bytes, and the other fields."""
        limit = self.upload_limit_bytes
        if (body.content_length or 0) > limit + MULTIPART_OVERHEAD_BYTES:
            raise UploadTooLargeError(f"a file may have {limit} bytes")
        path = f"{UPLOADS}{uuid.uuid4().hex}"
        passing = _Passing()

        async def store(file_name: str, chunks: AsyncIterator[bytes]) -> None:
            passing.file_name = file_name
            await self.storage.put(path, passing.through(chunks))

        try:
            fields = await MultipartUpload(body.content_type, body.chunks).read(
                file_field="file", limit_bytes=limit, store=store
            )
        except BaseException:
            # The file may be whole already, and what came after it not.
            await asyncio.shield(self.storage.delete(path))
            raise
        upload = StoredUpload(
            path=path,
            file_name=passing.file_name,
            size_bytes=passing.size_bytes,
            sha256=passing.digest.hexdigest(),
        )
        return upload, bytes(passing.head), fields

    async def known(self, submission: Submission) -> Run | None:
        """The same import, if it is queued or running or this request made it before."""
        async with self.engine.begin() as connection:
            return await _same_import(connection, submission)

    async def target(self, submission: Submission) -> TableContract | None:
        """The contract of the table that is there to be loaded into.

        Raises TableExistsError, InvalidInputError for a key that is none, and what records says.
        """
        if submission.table is None:
            return CATALOG_CONTRACT if submission.kind is ImportKind.CATALOG_FILE else None
        try:
            contract = await self.records.contract(submission.table, submission.caller)
        except PeerProblemError as exc:
            if exc.status != NotFoundError.status or not submission.options.create_table:
                raise
            return None
        if submission.options.create_table:
            raise TableExistsError(
                f"the table {submission.table} exists; leave `create_table` out to load into it"
            )
        _check_key(submission.options, contract)
        return contract

    async def queue(self, submission: Submission, *, also: Also | None = None) -> Run:
        """Make the import's row, and what `also` writes beside it; raises AlreadyQueuedError."""
        async with self.engine.begin() as connection:
            run = await asked.queue(connection, submission)
            if run is None:  # the same import was submitted at the same moment
                run = await _same_import(connection, submission)
                if run is None:
                    raise AlreadyQueuedError("the same import ended just now; send it again")
                return run
            if also is not None:
                await also(connection, run.id)
            await record_event(
                connection,
                subject=submission.caller.sub,
                action="import.submit",
                object_=f"import:{run.id}",
                detail={"table": submission.table, "kind": submission.kind.value},
            )
            return run


class _Passing:
    """Hashes and counts a file on its way to storage, and looks at its head."""

    def __init__(self) -> None:
        self.file_name = ""
        self.size_bytes = 0
        self.digest = hashlib.sha256()
        self.head = bytearray()

    async def through(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """The same bytes, in larger pieces; a file of another kind is refused at its head."""
        waiting = bytearray()
        seen_head = False
        async for chunk in chunks:
            waiting += chunk
            if not seen_head and len(waiting) >= HEAD_BYTES:
                seen_head = True
                refuse_kind(bytes(waiting[:HEAD_BYTES]))
            if len(waiting) >= HASHED_AT_ONCE_BYTES:
                yield await self._counted(bytes(waiting))
                waiting.clear()
        if not seen_head:
            refuse_kind(bytes(waiting))
        yield await self._counted(bytes(waiting))

    async def _counted(self, data: bytes) -> bytes:
        self.head += data[: HEAD_BYTES - len(self.head)]
        self.size_bytes += len(data)
        await asyncio.to_thread(self.digest.update, data)
        return data


async def _check_head(
    head: bytes, submission: Submission, upload: StoredUpload, contract: TableContract | None
) -> None:
    await asyncio.to_thread(
        inspect_upload,
        head,
        file_name=upload.file_name,
        options=submission.options,
        contract=contract,
        ignoring_others=submission.kind is ImportKind.CATALOG_FILE,
        complete=len(head) == upload.size_bytes,
    )


async def _same_import(connection: AsyncConnection, submission: Submission) -> Run | None:
    if submission.request_key is not None:
        before = await asked.by_request_key(connection, submission.caller, submission.request_key)
        if before is not None:
            if before.idempotency_key != submission.idempotency_key:
                raise RequestKeyReusedError(
                    "this Idempotency-Key was sent with another body; use a new key"
                )
            return before
    return await asked.open_twin(connection, submission.idempotency_key)


def _check_key(options: ImportOptions, contract: TableContract) -> None:
    if options.mode is not Mode.UPSERT:
        return
    known = {str(column.name) for column in contract.columns} | {"id"}
    for name in options.key:
        if name not in known:
            raise InvalidInputError.of("key", "unknown_column", f"there is no column {name}")
    keys = [{str(column) for column in key.columns} for key in contract.unique_keys]
    if set(options.key) not in keys and set(options.key) != {"id"}:
        raise InvalidInputError.of(
            "key", "not_unique", "these columns are not unique together; make them so first"
        )


def _submission(
    wanted: FileRequest, upload: StoredUpload, *, caller: Caller, request_key: str | None
) -> Submission:
    sameness = [
        wanted.kind.value,
        caller.sub,
        wanted.table,
        OPTIONS.dump_python(wanted.options, mode="json"),
        wanted.etl_name,
        wanted.email,
        upload.sha256,
    ]
    return Submission(
        kind=wanted.kind,
        caller=caller,
        options=wanted.options,
        table=wanted.table,
        etl_name=wanted.etl_name,
        email=wanted.email,
        upload=upload,
        idempotency_key=hashlib.sha256(json.dumps(sameness, sort_keys=True).encode()).hexdigest(),
        request_key=request_key,
    )
