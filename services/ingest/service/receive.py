"""A file on its way from a request to storage: hashed, counted, its head kept."""

import asyncio
import hashlib
import uuid
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

from services.ingest.domain.run import StoredUpload
from services.ingest.errors import UploadTooLargeError
from services.ingest.read.kinds import refuse_kind
from services.ingest.service.multipart import MultipartUpload
from services.ingest.storage import UPLOADS, Storage

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

    @property
    def media_type(self) -> str:
        """The content type without its parameters, in lower case."""
        return self.content_type.partition(";")[0].strip().lower()


@dataclass(frozen=True, slots=True)
class ReceivedFile:
    """A file that is in storage whole, with the form fields that came beside it."""

    upload: StoredUpload
    head: bytes
    """The first HEAD_BYTES, or all of a shorter file."""
    fields: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class UploadNamed:
    """A body without a file: it names an upload."""

    upload_id: str
    fields: Mapping[str, str]


async def receive(storage: Storage, body: IncomingBody, *, limit_bytes: int) -> ReceivedFile:
    """As `receive_or_named`, where a file must come."""
    file = await _received(storage, body, limit_bytes=limit_bytes, instead=None)
    assert isinstance(file, ReceivedFile)
    return file


async def receive_or_named(
    storage: Storage, body: IncomingBody, *, limit_bytes: int
) -> ReceivedFile | UploadNamed:
    """Read a multipart body to its end and put its file, if there is one, into storage.

    Raises UploadTooLargeError, UploadCutShortError, StorageFullError, InvalidInputError and
    WrongFileKindError; nothing is left in storage then.
    """
    return await _received(storage, body, limit_bytes=limit_bytes, instead="upload")


async def _received(
    storage: Storage, body: IncomingBody, *, limit_bytes: int, instead: str | None
) -> ReceivedFile | UploadNamed:
    if (body.content_length or 0) > limit_bytes + MULTIPART_OVERHEAD_BYTES:
        raise UploadTooLargeError(f"a file may have {limit_bytes} bytes", limit_bytes=limit_bytes)
    path = f"{UPLOADS}{uuid.uuid4().hex}"
    file = _FileOnItsWay()

    async def store(file_name: str, chunks: AsyncIterator[bytes]) -> None:
        file.name = file_name
        await storage.put(path, file.through(chunks))

    try:
        fields = await MultipartUpload(body.content_type, body.chunks).read(
            file_field="file", limit_bytes=limit_bytes, store=store, instead=instead
        )
    except BaseException:
        # The file may be whole already, and what came after it not.
        await asyncio.shield(storage.delete(path))
        raise
    if instead is not None and instead in fields:
        others = {name: text for name, text in fields.items() if name != instead}
        return UploadNamed(fields[instead], others)
    upload = StoredUpload(
        path=path,
        file_name=file.name,
        size_bytes=file.size_bytes,
        sha256=file.digest.hexdigest(),
    )
    return ReceivedFile(upload=upload, head=bytes(file.head), fields=fields)


class _FileOnItsWay:
    def __init__(self) -> None:
        self.name = ""
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
