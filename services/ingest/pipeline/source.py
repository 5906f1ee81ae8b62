"""From a stored file to its frames: what it is, how it is written, and which reader reads it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Protocol

from services.ingest.domain import FileFormat, FormatFound, ImportOptions
from services.ingest.pipeline.ahead import ahead
from services.ingest.pipeline.blocks import BlockCutter
from services.ingest.pipeline.csv import CsvReader
from services.ingest.pipeline.decoding import (
    Transcoder,
    compression_of,
    decompressor,
)
from services.ingest.pipeline.dialect import dialect_of, split_header
from services.ingest.pipeline.encoding import EncodingFound, encoding_of
from services.ingest.pipeline.frame import Frame
from services.ingest.pipeline.header import checked_names, plan_columns
from services.ingest.pipeline.kinds import refuse_kind
from services.ingest.pipeline.limits import Limits
from services.ingest.pipeline.ports import ByteSource
from services.ingest.pipeline.quoting import Dialect
from services.ingest.pipeline.refusals import RecordTooLargeError
from shared.contracts.records import TableContract

FEED_BYTES = 1 << 20


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
class Inspected:
    """What the first bytes of a file tell."""

    format: FormatFound
    encoding: EncodingFound
    columns: tuple[str, ...]
    dialect: Dialect
    header_bytes: int
    """UTF-8 bytes up to the first row."""
    header_lines: int


def inspect_upload(
    head: bytes,
    *,
    file_name: str,
    options: ImportOptions,
    contract: TableContract | None = None,
    complete: bool = False,
    limits: Limits | None = None,
) -> FormatFound:
    """Refuse at upload what can be refused by the first bytes of a file.

    `head`: as stored, some kilobytes or (`complete`) all of it. With the target's `contract` the
    header is checked too. Raises FileRefusedError.
    """
    limits = limits or Limits()
    try:
        inspected = inspect_stored(
            head, file_name=file_name, options=options, complete=complete, limits=limits
        )
    except RecordTooLargeError:
        if complete or len(head) >= limits.block_bytes:
            raise
        return FormatFound(name=options.format)  # the header ends behind what was seen
    if contract is not None:
        plan_columns(inspected.columns, contract, options)
    return inspected.format


def inspect_stored(
    head: bytes, *, file_name: str, options: ImportOptions, complete: bool, limits: Limits
) -> Inspected:
    """What the first bytes of a stored, perhaps compressed file tell; raises FileRefusedError."""
    compression = compression_of(head)
    if compression is not None:
        head, complete = _decompressed_head(head, compression, limits, complete=complete)
    inspected = inspect_head(head, file_name=file_name, options=options, complete=complete)
    return replace(inspected, format=replace(inspected.format, compression=compression))


def inspect_head(
    head: bytes, *, file_name: str, options: ImportOptions, complete: bool
) -> Inspected:
    """What the first decompressed bytes tell; raises FileRefusedError."""
    refuse_kind(head)
    encoding = encoding_of(head, options.encoding, complete=complete)
    text = Transcoder(encoding.codec, skip_bytes=encoding.bom_bytes).feed(head, final=complete)
    if not complete and b"\n" in text:
        text = text[: text.rfind(b"\n") + 1]
    dialect = dialect_of(text, options)
    header, end = split_header(text, dialect, complete=complete)
    quote = dialect.quote
    found = FormatFound(
        name=FileFormat.CSV,
        encoding=encoding.codec,
        delimiter=dialect.delimiter.decode(),
        quote=quote.decode() if quote else None,
    )
    return Inspected(
        found, encoding, checked_names(header), dialect, end, text.count(b"\n", 0, end)
    )


def _decompressed_head(
    head: bytes, compression: str, limits: Limits, *, complete: bool
) -> tuple[bytes, bool]:
    """The head decompressed, as far as it goes, and whether it is the whole file."""
    pieces: list[bytes] = []
    size = 0
    codec = decompressor(compression, limits)
    for piece in codec.feed(head):
        pieces.append(piece)
        size += len(piece)
        if size >= limits.block_bytes:
            return b"".join(pieces), False
    if complete:
        codec.finish()
    return b"".join(pieces), complete


class FileSource:
    """A stored file; `opened` reads its head."""

    def __init__(self, stored: ByteSource, inspected: Inspected, limits: Limits) -> None:
        self._stored = stored
        self._inspected = inspected
        self._limits = limits

    @property
    def columns(self) -> tuple[str, ...]:
        """The header's names."""
        return self._inspected.columns

    @property
    def format(self) -> FormatFound:
        """What the file is."""
        return self._inspected.format

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

    async def frames(self) -> AsyncIterator[Frame]:
        """The rows after the header, block by block."""
        inspected = self._inspected
        reader = CsvReader(inspected.columns, inspected.dialect)
        cutter = BlockCutter(inspected.dialect, self._limits, first_line=inspected.header_lines + 1)
        skip = inspected.header_bytes
        async with ahead(self._text()) as pieces:
            async for text, final, stored_bytes in pieces:
                dropped = min(skip, len(text))
                skip -= dropped
                frame = await asyncio.to_thread(_frame, cutter, reader, text[dropped:], final)
                yield Frame(
                    cells=frame.cells,
                    lines=frame.lines,
                    refused=frame.refused,
                    may_hold_nul=frame.may_hold_nul,
                    bytes_read=stored_bytes,
                )

    async def _text(self) -> AsyncIterator[tuple[bytes, bool, int]]:
        """UTF-8 in pieces of about a block, whether it is the last, and stored bytes so far."""
        inspected = self._inspected
        codec = decompressor(inspected.format.compression, self._limits)
        transcoder = Transcoder(inspected.encoding.codec, skip_bytes=inspected.encoding.bom_bytes)
        parts: list[bytes] = []
        size = stored_bytes = 0
        async for chunk in _gathered(self._stored):
            stored_bytes += len(chunk)
            pieces = codec.feed(chunk)
            while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
                parts.append(piece)
                size += len(piece)
                if size >= self._limits.block_bytes:
                    text = await asyncio.to_thread(_transcode, transcoder, parts)
                    parts, size = [], 0
                    yield text, False, stored_bytes
        codec.finish()
        yield transcoder.feed(b"".join(parts), final=True), True, stored_bytes


def _frame(cutter: BlockCutter, reader: CsvReader, text: bytes, final: bool) -> Frame:  # noqa: FBT001
    return reader.read(cutter.feed(text, final=final))


def _transcode(transcoder: Transcoder, parts: list[bytes]) -> bytes:
    return transcoder.feed(b"".join(parts))


async def _gathered(stored: ByteSource) -> AsyncIterator[bytes]:
    """The stored chunks in pieces of about `FEED_BYTES`, so that few threads are called."""
    parts: list[bytes] = []
    size = 0
    async for chunk in stored.chunks():
        parts.append(bytes(chunk))
        size += len(chunk)
        if size >= FEED_BYTES:
            yield b"".join(parts)
            parts, size = [], 0
    if parts:
        yield b"".join(parts)


async def _read_head(stored: ByteSource, limits: Limits) -> tuple[bytes, bool]:
    parts: list[bytes] = []
    size = 0
    chunks: AsyncIterator[bytes] = _gathered(stored)
    async for chunk in chunks:
        parts.append(chunk)
        size += len(chunk)
        if size > limits.block_bytes:
            return b"".join(parts), False
    return b"".join(parts), True
