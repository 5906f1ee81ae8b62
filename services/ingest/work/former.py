"""Former rows of one attempt on their way to storage: compressed."""

import asyncio

import zstandard

from services.ingest.domain.former import FormerColumn, FormerRows, StoredFormer
from services.ingest.domain.run import ImportId
from services.ingest.load.outside import FormerStore
from services.ingest.storage import ObjectWriter, Storage, former_file

PIECE_BYTES = 1 << 20
LEVEL = 1
"""Higher ones gain nothing on binary COPY."""


class StoredFormerRows(FormerStore):
    """Former rows of one lease.

    They are in storage before the load's COMMIT, and the fence names them: they are kept if and
    only if the load holds. What no row names is removed by `work.tidy`.
    """

    def __init__(self, import_id: ImportId, *, lease: int, storage: Storage) -> None:
        self._import_id = import_id
        self._lease = lease
        self._storage = storage
        self._number = 0
        self._columns: tuple[FormerColumn, ...] = ()
        self._object: _CompressedObject | None = None

    @property
    def written(self) -> bool:
        """Whether anything was begun, kept or not."""
        return self._number > 0

    def begin(self, columns: tuple[FormerColumn, ...]) -> None:
        """Rows of these columns come, or come anew."""
        self._number += 1
        self._columns = columns
        path = former_file(self._import_id, lease=self._lease, number=self._number)
        self._object = _CompressedObject(self._storage.writer(path))

    async def write(self, data: bytes) -> None:
        """Append; raises StorageFullError, StorageAwayError."""
        assert self._object is not None
        await self._object.write(data)

    def drop(self) -> None:
        """There were no such rows."""
        self._object = None

    async def finish(self) -> FormerRows | None:
        """Where they are now; None without any. Raises StorageFullError, StorageAwayError."""
        written, self._object = self._object, None
        return None if written is None else FormerRows(await written.close(), self._columns)


class _CompressedObject:
    """One object under zstd, written in pieces."""

    def __init__(self, writer: ObjectWriter) -> None:
        self._writer = writer
        self._compressor = zstandard.ZstdCompressor(level=LEVEL).compressobj()
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._size_bytes = 0

    async def write(self, data: bytes) -> None:
        self._waiting.append(data)
        self._waiting_bytes += len(data)
        if self._waiting_bytes >= PIECE_BYTES:
            await self._store()

    async def close(self) -> StoredFormer:
        await self._store()
        await self._write(self._compressor.flush())
        await self._writer.close()
        return StoredFormer(self._writer.path, self._size_bytes)

    async def _store(self) -> None:
        piece = b"".join(self._waiting)
        self._waiting, self._waiting_bytes = [], 0
        await self._write(await asyncio.to_thread(self._compressor.compress, piece))

    async def _write(self, packed: bytes) -> None:
        self._size_bytes += len(packed)
        await self._writer.write(packed)
