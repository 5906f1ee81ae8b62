"""From a stored file to its frames: what it is, how it is written, and which reader reads it."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

from services.ingest.domain import FormatFound, ImportId, ImportOptions
from services.ingest.errors import FileRefusedError
from services.ingest.plan.columns import PlannedColumn, plan_columns
from services.ingest.read.ahead import ahead
from services.ingest.read.charset import EncodingFound, encoding_of
from services.ingest.read.csv.blocks import BlockCutter
from services.ingest.read.csv.frames import CsvReader
from services.ingest.read.decompress import Transcoder, decompressor
from services.ingest.read.frame import Frame
from services.ingest.read.head import Inspected, inspect_stored
from services.ingest.read.json.frames import JsonReader, LateColumnError
from services.ingest.read.limits import Limits
from shared.contracts.records import TableContract
from shared.values.types import TypeName

FEED_BYTES = 1 << 20


class ByteSource(Protocol):
    """A stored upload; it can be read again from its start, any number of times."""

    @property
    def size_bytes(self) -> int:
        """Size as stored (compressed, if it came compressed)."""
        ...

    def chunks(self) -> AsyncIterator[bytes]:
        """The bytes in order, in pieces of any size."""
        ...


class Source(Protocol):
    """Rows from anywhere, read from the start as often as `frames` is called."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The source's columns in order."""
        ...

    @property
    def format(self) -> FormatFound | None:
        """What the file turned out to be; None for a database."""
        ...

    def frames(self) -> AsyncIterator[Frame]:
        """The rows in order."""
        ...


@dataclass(frozen=True, slots=True)
class DirectCopy:
    """`columns` are the table's; `data` is binary COPY with these columns in this order."""

    columns: tuple[str, ...]
    data: AsyncGenerator[bytes, None]


@runtime_checkable
class SpeaksCopy(Protocol):
    """A source that writes binary COPY itself."""

    def copy(self, planned: Sequence[PlannedColumn], *, import_id: ImportId) -> DirectCopy | None:
        """The rows with `_import` in front; None where some column's type is not the table's."""
        ...


@dataclass(frozen=True)
class FileSource:
    """A stored file; `opened` reads its head.

    `json_columns` and `late_columns` are those of `JsonReader`.
    """

    stored: ByteSource
    inspected: Inspected
    limits: Limits
    json_columns: frozenset[str] = frozenset()
    late_columns: frozenset[str] = frozenset()
    all_columns: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """The header's names; of JSON the keys in the file's head."""
        return self.inspected.columns

    @property
    def format(self) -> FormatFound:
        """What the file is."""
        return self.inspected.format

    @classmethod
    async def opened(
        cls, stored: ByteSource, *, file_name: str, options: ImportOptions, limits: Limits
    ) -> "FileSource":
        """Look at the first block; raises FileRefusedError."""
        head, complete = await _read_head(stored, limits)
        inspected = await asyncio.to_thread(
            inspect_stored,
            head,
            file_name=file_name,
            options=options,
            complete=complete,
            limits=limits,
        )
        return cls(stored, inspected, limits)

    def matched(self, contract: TableContract, options: ImportOptions) -> "FileSource":
        """The same file read for this table; raises HeaderError.

        Any element of a JSON file may have any of the table's columns, and what goes into a
        JSON column keeps its spelling. A CSV file stays as it is.
        """
        if self.inspected.dialect is not None:
            return self
        if self.columns:
            plan_columns(self.columns, contract, replace(options, mapping=self._present(options)))
        mapped = set(options.mapping.values())
        free = [column for column in contract.columns if column.name not in mapped]
        wanted = [*self.columns, *options.mapping]
        wanted += [column.name for column in free if not column.has_default]
        columns = tuple(dict.fromkeys(wanted))
        targets = {name: options.mapping.get(name, name) for name in columns}
        nested = {column.name for column in contract.columns if column.type.name is TypeName.JSON}
        return replace(
            self,
            inspected=replace(self.inspected, columns=columns),
            json_columns=frozenset(name for name in columns if targets[name] in nested),
            late_columns=frozenset({column.name for column in free}.difference(columns)),
            all_columns=False,
        )

    def with_all_columns(self) -> "FileSource":
        """The same file, read for whatever columns it has: behind its head JSON may have more."""
        return replace(self, all_columns=True)

    def with_column(self, name: str) -> "FileSource":
        """The same JSON file with one more column."""
        columns = (*self.columns, name)
        return replace(
            self,
            inspected=replace(self.inspected, columns=columns),
            late_columns=self.late_columns - {name},
        )

    def _present(self, options: ImportOptions) -> dict[str, str | None]:
        return {name: to for name, to in options.mapping.items() if name in self.columns}

    async def frames(self) -> AsyncIterator[Frame]:
        """The rows, block by block; raises FileRefusedError, ReadAgainError."""
        read = self._json_frame() if self.inspected.dialect is None else self._csv_frame()
        async with ahead(self._text()) as pieces:
            async for text, final, stored_bytes in pieces:
                try:
                    frame = await asyncio.to_thread(read, text, final)
                except LateColumnError as late:
                    raise ReadAgainError(self.with_column(late.column)) from late
                yield replace(frame, bytes_read=stored_bytes)

    def _json_frame(self) -> Callable[[bytes, bool], Frame]:
        reader = JsonReader(
            self.format.name,
            self.columns,
            self.limits,
            json_columns=self.json_columns,
            late_columns=self.late_columns,
            all_columns=self.all_columns,
        )
        return lambda text, final: reader.read(text, final=final)

    def _csv_frame(self) -> Callable[[bytes, bool], Frame]:
        dialect = self.inspected.dialect
        assert dialect is not None
        reader = CsvReader(self.columns, dialect)
        first_line = self.inspected.header_lines + 1
        cutter = BlockCutter(dialect, self.limits, first_line=first_line)
        skip = self.inspected.header_bytes

        def read(text: bytes, final: bool) -> Frame:  # noqa: FBT001 - called by position only
            nonlocal skip
            dropped = min(skip, len(text))
            skip -= dropped
            return reader.read(cutter.feed(text[dropped:], final=final))

        return read

    async def _text(self) -> AsyncIterator[tuple[bytes, bool, int]]:
        """UTF-8 in pieces, whether it is the last, and stored bytes so far.

        The first piece is small and the next ones grow to a block, so that what comes after has
        something to do soon.
        """
        inspected = self.inspected
        codec = decompressor(inspected.format.compression, self.limits)
        encoding = inspected.encoding
        dialect = inspected.dialect
        transcoder = Transcoder(
            encoding.codec,
            skip_bytes=encoding.bom_bytes,
            swapped=dialect.written.encode() if dialect and dialect.swapped else None,
            bare_cr=inspected.bare_cr,
        )
        parts: list[bytes] = []
        size = stored_bytes = 0
        wanted = min(FEED_BYTES, self.limits.block_bytes)
        proven = encoding.proven
        async for chunk in _gathered(self.stored, self.limits):
            stored_bytes += len(chunk)
            async for piece in _decompressed(codec.feed(chunk), inspected.format.compression):
                proven = proven or self._prove(piece, complete=False)
                parts.append(piece)
                size += len(piece)
                if size >= wanted:
                    wanted = min(2 * wanted, self.limits.block_bytes)
                    text = await asyncio.to_thread(_transcode, transcoder, parts)
                    parts, size = [], 0
                    yield text, False, stored_bytes
        codec.finish()
        yield transcoder.feed(b"".join(parts), final=True), True, stored_bytes

    def _prove(self, piece: bytes, *, complete: bool) -> bool:
        """Whether the first bytes that are not ASCII are UTF-8, as was taken for granted.

        Raises EncodingNeededError, or ReadAgainError when they are surely something else.
        """
        if piece.isascii():
            return False
        found = encoding_of(piece, None, complete=complete)
        if found.codec != self.inspected.encoding.codec:
            again = replace(
                self.inspected,
                encoding=EncodingFound(found.codec),
                format=replace(self.inspected.format, encoding=found.codec),
            )
            raise ReadAgainError(replace(self, inspected=again))
        return True


class ReadAgainError(FileRefusedError):
    """What a file's head told did not hold: it has to be read again, as `source`.

    It is a refusal for those who cannot read it again.
    """

    code = "head_misleads"
    title = "The head of the file is not like the rest"

    def __init__(self, source: FileSource) -> None:
        super().__init__("the file goes on otherwise than its first megabytes: name its encoding")
        self.source = source


async def _decompressed(pieces: Iterator[bytes], compression: str | None) -> AsyncIterator[bytes]:
    """The pieces, made in a thread where that is work."""
    if compression is None:
        for piece in pieces:
            yield piece
        return
    while (one := await asyncio.to_thread(_taken, pieces)) is not None:
        yield one


def _taken(pieces: Iterator[bytes]) -> bytes | None:
    return next(pieces, None)


def _transcode(transcoder: Transcoder, parts: list[bytes]) -> bytes:
    return transcoder.feed(b"".join(parts))


async def _gathered(stored: ByteSource, limits: Limits) -> AsyncIterator[bytes]:
    """The stored chunks in pieces of about `FEED_BYTES`, so that few threads are called."""
    wanted = min(FEED_BYTES, limits.block_bytes)
    parts: list[bytes] = []
    size = 0
    async for chunk in stored.chunks():
        parts.append(bytes(chunk))
        size += len(chunk)
        if size >= wanted:
            yield b"".join(parts)
            parts, size = [], 0
    if parts:
        yield b"".join(parts)


async def _read_head(stored: ByteSource, limits: Limits) -> tuple[bytes, bool]:
    parts: list[bytes] = []
    size = 0
    chunks: AsyncIterator[bytes] = _gathered(stored, limits)
    async for chunk in chunks:
        parts.append(chunk)
        size += len(chunk)
        if size > limits.block_bytes:
            return b"".join(parts), False
    return b"".join(parts), True
