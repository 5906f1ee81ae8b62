"""Uploads: taken whole or piece by piece, kept a day, and handed to previews and imports."""

import asyncio
import base64
import binascii
import hashlib
import uuid
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from services.ingest.domain.run import StoredUpload
from services.ingest.errors import UploadCutShortError, UploadTooLargeError
from services.ingest.service.receive import (
    IncomingBody,
    ReceivedFile,
    UploadNamed,
    receive,
    receive_or_named,
)
from services.ingest.storage import Storage, new_upload_path
from services.ingest.uploads import repository
from services.ingest.uploads.domain import Upload, UploadId
from services.ingest.uploads.errors import (
    ChecksumMismatchError,
    OffsetMismatchError,
    TooManyUploadsError,
    UploadIncompleteError,
    UploadNotFoundError,
)
from shared.contracts.auth import Caller
from shared.errors import InvalidInputError
from shared.http.paging import Slice, cut

PIECE_BYTES = 8 << 20
"""So much of a request's body is kept at a time: what a broken connection can lose is less."""
UPLOADS_PER_OWNER = 100
DIGESTS_KEPT = 100
ALGORITHMS = ("sha1", "sha256", "md5")
"""Those of tus' checksum extension; sha1 is the one that every server has."""


@dataclass(frozen=True, slots=True)
class Checksum:
    """What the bytes of one request must add up to."""

    algorithm: str
    digest: bytes

    @classmethod
    def parsed(cls, header: str) -> "Checksum":
        """From `Upload-Checksum: sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=`; raises InvalidInputError."""
        algorithm, _, encoded = header.partition(" ")
        try:
            digest = base64.b64decode(encoded, validate=True)
        except binascii.Error as exc:
            raise InvalidInputError.of("Upload-Checksum", "invalid", "send it as base64") from exc
        if algorithm not in ALGORITHMS:
            raise InvalidInputError.of(
                "Upload-Checksum", "unknown_algorithm", f"send one of {', '.join(ALGORITHMS)}"
            )
        return cls(algorithm, digest)


@dataclass(frozen=True, slots=True)
class Uploads:
    """Takes files in before anybody says what becomes of them."""

    engine: AsyncEngine
    storage: Storage
    limit_bytes: int
    _digests: "OrderedDict[UploadId, tuple[int, Any]]" = field(default_factory=OrderedDict)
    """Of uploads that go on here: SHA-256 up to an offset, to spare a second reading."""

    async def take(self, caller: Caller, body: IncomingBody) -> tuple[Upload, ReceivedFile]:
        """A multipart body's file, whole; raises as `receive`, and TooManyUploadsError."""
        await self._make_room(caller)
        return await self._kept(
            caller, await receive(self.storage, body, limit_bytes=self.limit_bytes)
        )

    async def take_or_named(
        self, caller: Caller, body: IncomingBody
    ) -> tuple[Upload, ReceivedFile] | UploadNamed:
        """The same, of a body that may name an upload in place of a file."""
        file = await receive_or_named(self.storage, body, limit_bytes=self.limit_bytes)
        if isinstance(file, UploadNamed):
            return file
        return await self._kept(caller, file)

    async def _kept(self, caller: Caller, file: ReceivedFile) -> tuple[Upload, ReceivedFile]:
        try:
            await self._make_room(caller)
            return await self.keep(caller, file.upload), file
        except BaseException:
            await asyncio.shield(self.storage.delete(file.upload.path))
            raise

    async def keep(self, caller: Caller, stored: StoredUpload) -> Upload:
        """A file that is in storage already, from now on as an upload."""
        async with self.engine.begin() as connection:
            return await repository.create(
                connection,
                UploadId(uuid.uuid4()),
                caller,
                file_name=stored.file_name,
                size_bytes=stored.size_bytes,
                path=stored.path,
                sha256=stored.sha256,
            )

    async def begin(self, caller: Caller, *, file_name: str, size_bytes: int) -> Upload:
        """An upload whose bytes are still to come; raises UploadTooLargeError."""
        if size_bytes > self.limit_bytes:
            raise UploadTooLargeError(
                f"a file may have {self.limit_bytes} bytes", limit_bytes=self.limit_bytes
            )
        await self._make_room(caller)
        async with self.engine.begin() as connection:
            upload = await repository.create(
                connection,
                UploadId(uuid.uuid4()),
                caller,
                file_name=file_name,
                size_bytes=size_bytes,
            )
        return upload if size_bytes else await self._complete(upload)

    async def append(
        self,
        caller: Caller,
        upload_id: UploadId,
        chunks: AsyncIterator[bytes],
        *,
        offset: int,
        checksum: Checksum | None = None,
    ) -> Upload:
        """Add bytes at an offset; what came before a connection broke is kept.

        With a checksum all of the request's bytes are kept, or none. Raises UploadNotFoundError,
        OffsetMismatchError, ChecksumMismatchError, UploadTooLargeError, StorageFullError.
        """
        upload = await self.look(caller, upload_id)
        if upload.received_bytes != offset or upload.path is not None:
            raise OffsetMismatchError(f"the upload goes on at {upload.received_bytes}")
        pieces = _Pieces(self, upload, checksum)
        broken: BaseException | None = None
        try:
            await pieces.take(chunks)
        except UploadCutShortError as exc:
            broken = exc
        except BaseException:
            await asyncio.shield(pieces.discard())
            raise
        received = await pieces.finish(complete=broken is None)
        if broken is not None:
            raise broken
        if received == upload.size_bytes:
            return await self._complete(await self.look(caller, upload_id))
        return await self.look(caller, upload_id)

    async def look(self, caller: Caller, upload_id: UploadId) -> Upload:
        """One of the caller's uploads, kept for another day; raises UploadNotFoundError."""
        async with self.engine.begin() as connection:
            upload = await repository.used(connection, upload_id, caller)
        if upload is None:
            raise UploadNotFoundError("you have no such upload; one is kept for a day")
        return upload

    async def page(self, caller: Caller, *, before: datetime | None, limit: int) -> Slice[Upload]:
        """The caller's uploads, newest first."""
        async with self.engine.connect() as connection:
            rows = await repository.page(connection, caller, before=before, limit=limit)
        return cut(rows, limit=limit, key=lambda upload: (upload.created_at.isoformat(),))

    async def remove(self, caller: Caller, upload_id: UploadId) -> None:
        """Forget an upload and its bytes; raises UploadNotFoundError."""
        async with self.engine.begin() as connection:
            paths = await repository.remove(connection, upload_id, caller)
        if paths is None:
            raise UploadNotFoundError("you have no such upload; one is kept for a day")
        self._digests.pop(upload_id, None)
        await self._delete(paths)

    async def copied(self, caller: Caller, upload_id: UploadId) -> StoredUpload:
        """A copy of an upload's file that belongs to whoever asked.

        Raises UploadNotFoundError, UploadIncompleteError.
        """
        upload = await self.look(caller, upload_id)
        stored = upload.stored
        if stored is None:
            raise UploadIncompleteError(
                f"{upload.received_bytes} of {upload.size_bytes} bytes have come so far"
            )
        path = new_upload_path()
        await self.storage.copy(stored.path, path)
        return StoredUpload(path, stored.file_name, stored.size_bytes, stored.sha256)

    async def _make_room(self, caller: Caller) -> None:
        async with self.engine.connect() as connection:
            if await repository.count(connection, caller) >= UPLOADS_PER_OWNER:
                raise TooManyUploadsError(
                    f"you have {UPLOADS_PER_OWNER} uploads: remove some, or wait until they expire"
                )

    async def _complete(self, upload: Upload) -> Upload:
        """One object in place of the pieces, with its SHA-256."""
        known = self._digests.pop(upload.id, None)
        only = upload.pieces[0] if len(upload.pieces) == 1 else None
        if only is not None and known is not None and known[0] == upload.size_bytes:
            path, digest = only, known[1]
        else:
            path, digest = new_upload_path(), hashlib.sha256()
            await self.storage.put(path, self._joined(upload.pieces, digest))
        async with self.engine.begin() as connection:
            done = await repository.complete(
                connection, upload.id, path=path, sha256=digest.hexdigest()
            )
        if done is None:
            raise OffsetMismatchError("the upload was completed or removed meanwhile")
        await self._delete([piece for piece in upload.pieces if piece != path])
        return done

    async def _joined(self, pieces: Sequence[str], digest: Any) -> AsyncIterator[bytes]:
        for piece in pieces:
            async for chunk in self.storage.chunks(piece):
                await asyncio.to_thread(digest.update, chunk)
                yield chunk

    async def _delete(self, paths: Sequence[str]) -> None:
        for path in paths:
            await self.storage.delete(path)

    def digest_at(self, upload: Upload) -> Any | None:
        """SHA-256 of what came so far, where all of it came through this process."""
        if upload.received_bytes == 0:
            return hashlib.sha256()
        known = self._digests.get(upload.id)
        if known is None or known[0] != upload.received_bytes:
            return None
        return known[1].copy()  # a request that fails must not leave its bytes in it

    def remember(self, upload_id: UploadId, offset: int, digest: Any) -> None:
        """Keep a digest for the next request."""
        self._digests[upload_id] = offset, digest
        self._digests.move_to_end(upload_id)
        while len(self._digests) > DIGESTS_KEPT:
            self._digests.popitem(last=False)


class _Pieces:
    """The bytes of one request, put into storage piece by piece."""

    def __init__(self, uploads: Uploads, upload: Upload, checksum: Checksum | None) -> None:
        self._uploads = uploads
        self._upload = upload
        self._checksum = checksum
        self._sum = hashlib.new(checksum.algorithm) if checksum else None
        self._digest = uploads.digest_at(upload)
        self._at = self._stored = upload.received_bytes
        self._waiting = bytearray()
        self._paths: list[str] = []

    async def take(self, chunks: AsyncIterator[bytes]) -> None:
        """Read the body to its end; raises UploadTooLargeError where it goes beyond the file's."""
        async for chunk in chunks:
            self._at += len(chunk)
            if self._at > self._upload.size_bytes:
                raise UploadTooLargeError(
                    f"the file was said to have {self._upload.size_bytes} bytes",
                    limit_bytes=self._upload.size_bytes,
                )
            self._waiting += chunk
            if len(self._waiting) >= PIECE_BYTES:
                await self._store()

    async def finish(self, *, complete: bool) -> int:
        """Keep what came, the rest of a broken body too; returns where the upload goes on."""
        if self._checksum is not None and self._sum is not None:
            await self._store()
            if not complete or self._sum.digest() != self._checksum.digest:
                await self.discard()
                if complete:
                    raise ChecksumMismatchError("the bytes do not add up to the checksum")
                return self._upload.received_bytes
            await self._advance(self._paths)
        else:
            await self._store()
        if self._digest is not None:
            self._uploads.remember(self._upload.id, self._stored, self._digest)
        return self._stored

    async def discard(self) -> None:
        """Remove what no row names."""
        for path in self._paths:
            await self._uploads.storage.delete(path)
        self._paths = []

    async def _store(self) -> None:
        data = bytes(self._waiting)
        self._waiting.clear()
        if not data:
            return
        if self._sum is not None:
            await asyncio.to_thread(self._sum.update, data)
        if self._digest is not None:
            await asyncio.to_thread(self._digest.update, data)
        path = new_upload_path()
        self._paths.append(path)
        await self._uploads.storage.put(path, _one(data))
        self._stored += len(data)
        if self._checksum is None:
            await self._advance([path], from_bytes=self._stored - len(data))
            self._paths = []

    async def _advance(self, paths: Sequence[str], *, from_bytes: int | None = None) -> None:
        before = self._upload.received_bytes if from_bytes is None else from_bytes
        async with self._uploads.engine.begin() as connection:
            moved = await repository.advance(
                connection,
                self._upload.id,
                from_bytes=before,
                to_bytes=self._stored,
                pieces=paths,
            )
        if not moved:
            await self.discard()
            raise OffsetMismatchError("another request goes on with this upload")


async def _one(data: bytes) -> AsyncIterator[bytes]:
    yield data


def upload_id_of(text: str) -> UploadId:
    """The id in a form field; raises UploadNotFoundError for what is none."""
    try:
        return UploadId(uuid.UUID(text))
    except ValueError as exc:
        raise UploadNotFoundError(f"there is no upload {text!r}") from exc
