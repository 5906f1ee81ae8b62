"""A file on its way from a request to storage: hashed, counted, its head kept."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

from services.ingest.domain.run import StoredUpload
from services.ingest.errors import UploadTooLargeError
from services.ingest.read.arriving import ArrivingFile
from services.ingest.service.multipart import MultipartUpload
from services.ingest.storage import Storage, new_upload_path

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
    """The first 64 KiB, or all of a shorter file."""
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
    path = new_upload_path()
    file = ArrivingFile()

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
