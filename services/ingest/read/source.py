"""The protocol of a reader: what opens a file or database, and what yields its rows.

A new file format is one file that implements `Format` and `Source`, and one line in
`formats`. Where its index is at the end of the file, or its library wants a path, it uses
`local_file`.
"""

import asyncio
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from services.ingest.domain.options import FileFormat, ImportOptions
from services.ingest.domain.outcome import FormatFound
from services.ingest.domain.run import ImportId
from services.ingest.plan.columns import ColumnPlan
from services.ingest.plan.source_columns import SourceColumn, Ways
from services.ingest.read.decompress import decompressor
from services.ingest.read.frame import Frame
from services.ingest.read.head import Head


class StoredBytes(Protocol):
    """A stored upload; it can be read again from its start, any number of times."""

    @property
    def size_bytes(self) -> int:
        """Size as stored (compressed, if it came compressed)."""
        ...

    def chunks(self) -> AsyncIterator[bytes]:
        """The bytes in order, in pieces of any size."""
        ...


@runtime_checkable
class OnDisk(Protocol):
    """A stored upload that is a file on this machine."""

    @property
    def local_path(self) -> Path | None:
        """The file, None where storage is elsewhere."""
        ...


@asynccontextmanager
async def local_file(stored: StoredBytes) -> AsyncIterator[Path]:
    """A stored upload as a file on disk: itself, or a copy that ends with the block."""
    if isinstance(stored, OnDisk) and stored.local_path is not None:
        yield stored.local_path
        return
    with tempfile.NamedTemporaryFile(prefix="tabularium-") as file:
        async for chunk in stored.chunks():
            file.write(chunk)
        file.flush()
        yield Path(file.name)


@asynccontextmanager
async def unpacked_file(stored: StoredBytes, head: Head) -> AsyncIterator[Path]:
    """A stored upload as a file on disk that is not compressed; a copy ends with the block.

    Raises FileRefusedError.
    """
    if head.compression is None:
        async with local_file(stored) as path:
            yield path
        return
    codec = decompressor(head.compression, head.limits)
    with tempfile.NamedTemporaryFile(prefix="tabularium-") as file:
        async for chunk in stored.chunks():
            await asyncio.to_thread(file.writelines, codec.feed(chunk))
        codec.finish()
        file.flush()
        yield Path(file.name)


class Source(Protocol):
    """Rows of one file, table or query; opened already, read from the start as often as asked."""

    @property
    def columns(self) -> tuple[SourceColumn, ...]:
        """The columns in order; of an open-ended source those that its head shows."""
        ...

    @property
    def ways(self) -> Ways:
        """How the columns are matched."""
        ...

    @property
    def format(self) -> FormatFound | None:
        """What a file turned out to be; None for a database."""
        ...

    @property
    def size_bytes(self) -> int | None:
        """What `Frame.bytes_read` goes up to; None where nobody knows."""
        ...

    def frames(self, plan: ColumnPlan) -> AsyncIterator[Frame]:
        """Every row: the columns `plan.names`, as text or in the dtype of their target.

        Raises FileRefusedError, ReadAgainError.
        """
        ...


class Format(Protocol):
    """A file format that is opened by its first bytes; `formats` asks each in its order."""

    @property
    def name(self) -> FileFormat:
        """Its name in options and answers."""
        ...

    def recognises(self, head: Head) -> bool:
        """By first bytes, text or suffix; a `format` that the caller gave goes before."""
        ...

    def opened(self, stored: StoredBytes, head: Head, options: ImportOptions) -> Source:
        """The file as a source; CPU-bound, so call it in a thread. Raises FileRefusedError."""
        ...


class WholeFormat(Protocol):
    """A file format whose index is not at its start: it is opened from the whole file."""

    @property
    def names(self) -> frozenset[FileFormat]:
        """The options that name it."""
        ...

    def recognises(self, head: Head) -> bool:
        """By first bytes; a `format` that the caller gave goes before."""
        ...

    async def opened(self, stored: StoredBytes, head: Head, options: ImportOptions) -> Source:
        """The file as a source. Raises FileRefusedError."""
        ...


class ReadAgainError(Exception):
    """What the head of the file suggested does not hold; read it again as `source`."""

    def __init__(self, source: Source) -> None:
        super().__init__("the file goes on otherwise than its head")
        self.source = source


@runtime_checkable
class Held(Protocol):
    """A source whose opening holds something for its first reading."""

    async def release(self) -> None:
        """Let go of it, where there was no reading."""
        ...


@asynccontextmanager
async def released(source: Source) -> AsyncIterator[Source]:
    """The source; what its opening holds is let go at the end of the block."""
    try:
        yield source
    finally:
        if isinstance(source, Held):
            await source.release()


@dataclass(frozen=True, slots=True)
class DirectCopy:
    """`columns` are the table's; `data` is binary COPY with these columns in this order."""

    columns: tuple[str, ...]
    data: AsyncGenerator[bytes, None]


@runtime_checkable
class SpeaksCopy(Protocol):
    """A source that writes binary COPY itself."""

    def copy(self, plan: ColumnPlan, *, import_id: ImportId) -> DirectCopy | None:
        """The rows with `_import` in front; None where some column's type is not the table's."""
        ...
