"""Uploads, rejects, former and judged rows in object storage (a local folder, or S3).

Objects appear whole or not at all: obstore writes beside and renames (or completes a multipart
upload), and throws away what was not finished.
"""

import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import ObjectStore, from_url

from services.ingest.domain.run import ImportId
from services.ingest.errors import ObjectMissingError, StorageAwayError
from shared.errors import StorageFullError

UPLOADS = "uploads/"
REJECTS = "rejects/"
FORMER = "former/"
REHEARSALS = "rehearsals/"
PART_BYTES = 8 * 1024 * 1024
"""S3 takes parts of 5 MiB and more, 10,000 of them: 80 GB."""
PARTS_AT_ONCE = 2
READ_BYTES = 4 * 1024 * 1024
SMALL_BYTES = 64 * 1024
"""A file of this size is kept in memory while it is read, for it is read more than once."""
NO_ROOM = ("os error 28", "os error 122", "No space left", "quota exceeded", "StorageFull")


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One object, finished or (on a local folder) abandoned in the middle of being written."""

    path: str
    size_bytes: int
    modified_at: datetime


def new_upload_path() -> str:
    """A place for a file that nobody has; never made from what its owner called it."""
    return f"{UPLOADS}{uuid.uuid4().hex}"


def rejects_prefix(import_id: ImportId) -> str:
    """Where the rejects of an import are."""
    return f"{REJECTS}{import_id}/"


def rejects_file(import_id: ImportId, *, lease: int, reject_pass: int) -> str:
    """Where the attempt with this lease writes the rejects of one of its passes."""
    return f"{rejects_prefix(import_id)}{lease}-{reject_pass}.csv"


def former_prefix(import_id: ImportId) -> str:
    """Where the rows are that an import overwrote or removed."""
    return f"{FORMER}{import_id}/"


def former_file(import_id: ImportId, *, lease: int, number: int) -> str:
    """Where the attempt with this lease writes former rows, for the `number`th time."""
    return f"{former_prefix(import_id)}{lease}-{number}.copy.zst"


def rehearsal_prefix(import_id: ImportId) -> str:
    """Where the judged rows of a dry run are."""
    return f"{REHEARSALS}{import_id}/"


def rehearsal_file(import_id: ImportId, *, lease: int, number: int) -> str:
    """Where the attempt with this lease writes the rows that one of its passes judged."""
    return f"{rehearsal_prefix(import_id)}{lease}-{number}.arrow"


def lease_of(path: str) -> int:
    """The lease of the attempt that wrote a file of rejects, of former or of judged rows."""
    return int(path.rpartition("/")[2].partition("-")[0])


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as exc:
        raise ObjectMissingError("the file is no longer in storage") from exc
    except (BaseError, OSError) as exc:
        if any(mark in str(exc) for mark in NO_ROOM):
            raise StorageFullError("there is no room left in storage; nothing was kept") from exc
        if isinstance(exc, BaseError):
            raise StorageAwayError(f"the storage did not do it ({type(exc).__name__})") from exc
        raise


class Storage:
    """Where uploads and rejects live."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._folder = Path(unquote(parts.path)) if parts.scheme == "file" else None
        if self._folder is not None:
            self._folder.mkdir(parents=True, exist_ok=True)
        self._store: ObjectStore = from_url(url)

    async def put(self, path: str, chunks: AsyncIterator[bytes]) -> None:
        """Write an object as its bytes come; whatever `chunks` raises leaves nothing behind.

        Raises StorageFullError, StorageAwayError.
        """
        with _translated():
            await obstore.put_async(
                self._store,
                path,
                chunks,
                use_multipart=True,
                chunk_size=PART_BYTES,
                max_concurrency=PARTS_AT_ONCE,
            )

    def writer(self, path: str) -> "ObjectWriter":
        """An object to be written piece by piece; it exists once it is closed."""
        return ObjectWriter(self._store, path)

    async def chunks(self, path: str) -> AsyncIterator[bytes]:
        """An object's bytes in order; raises ObjectMissingError."""
        with _translated():
            item = await obstore.get_async(self._store, path)
            async for chunk in item.stream(min_chunk_size=READ_BYTES):
                yield bytes(chunk)

    async def head(self, path: str, size_bytes: int) -> bytes:
        """The first bytes of an object, or all of a shorter one; raises ObjectMissingError."""
        with _translated():
            return await self._start(path, min(size_bytes, await self.size_bytes(path)))

    async def _start(self, path: str, size_bytes: int) -> bytes:
        if not size_bytes:
            return b""
        return bytes(await obstore.get_range_async(self._store, path, start=0, end=size_bytes))

    async def file(self, path: str) -> "StoredFile":
        """An object to be read as often as wanted; raises ObjectMissingError."""
        size_bytes = await self.size_bytes(path)
        if size_bytes > SMALL_BYTES:
            return StoredFile(self, path, size_bytes)
        with _translated():
            return StoredFile(self, path, size_bytes, await self._start(path, size_bytes))

    async def size_bytes(self, path: str) -> int:
        """An object's size; raises ObjectMissingError."""
        with _translated():
            return int((await obstore.head_async(self._store, path))["size"])

    async def copy(self, source: str, target: str) -> None:
        """Copy an object within the storage; raises ObjectMissingError."""
        with _translated():
            await obstore.copy_async(self._store, source, target)

    def local_path(self, path: str) -> Path | None:
        """An object as a file on this machine; None where storage is elsewhere."""
        return None if self._folder is None else self._folder / path

    async def delete(self, path: str) -> None:
        """Delete an object; one that is not there is as good as deleted."""
        with suppress(ObjectMissingError), _translated():
            await obstore.delete_async(self._store, path)

    async def objects(self, prefix: str) -> AsyncIterator[StoredObject]:
        """Every object below a prefix, and on a local folder what a killed process left there."""
        with _translated():
            async for batch in obstore.list(self._store, prefix=prefix):
                for item in batch:
                    yield StoredObject(
                        path=item["path"],
                        size_bytes=item["size"],
                        modified_at=item["last_modified"],
                    )
        for part in self._abandoned(prefix):
            yield part

    async def delete_abandoned(self, path: str) -> None:
        """Delete what `objects` found, finished or not."""
        if self._folder is not None and "#" in path:
            (self._folder / path).unlink(missing_ok=True)
            return
        await self.delete(path)

    def _abandoned(self, prefix: str) -> Iterator[StoredObject]:
        # object_store writes `name#1` beside the object and hides it from its own listing.
        if self._folder is None:
            return
        for part in (self._folder / prefix).rglob("*#*"):
            try:
                stat = part.stat()
            except FileNotFoundError:
                continue
            yield StoredObject(
                path=str(part.relative_to(self._folder)),
                size_bytes=stat.st_size,
                modified_at=datetime.fromtimestamp(stat.st_mtime, UTC),
            )

    async def probe(self) -> None:
        """Raise unless storage answers."""
        with _translated():
            async for _ in obstore.list(self._store, prefix=REJECTS, chunk_size=1):
                break


@dataclass(frozen=True, slots=True)
class StoredFile:
    """One object, read from its start as often as wanted."""

    storage: Storage
    path: str
    size_bytes: int
    content: bytes | None = field(default=None, repr=False)
    """All of it, where it is small and was read."""

    @property
    def local_path(self) -> Path | None:
        """The object as a file on this machine; None where storage is elsewhere."""
        return self.storage.local_path(self.path)

    async def chunks(self) -> AsyncIterator[bytes]:
        """The bytes in order; raises ObjectMissingError."""
        if self.content is not None:
            yield self.content
            return
        async for chunk in self.storage.chunks(self.path):
            yield chunk


class ObjectWriter:
    """Appends to one object; dropped without `close`, it leaves nothing."""

    def __init__(self, store: ObjectStore, path: str) -> None:
        self.path = path
        self._file = obstore.open_writer_async(
            store, path, buffer_size=PART_BYTES, max_concurrency=PARTS_AT_ONCE
        )

    async def write(self, data: bytes) -> None:
        """Append; raises StorageFullError, StorageAwayError."""
        with _translated():
            await self._file.write(data)

    async def close(self) -> None:
        """Finish the object; raises StorageFullError, StorageAwayError."""
        with _translated():
            await self._file.close()
