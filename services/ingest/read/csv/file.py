"""A delimited file as a source: its dialect and header by its head, its rows by blocks."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

from services.ingest.domain import FileFormat, FormatFound, ImportOptions
from services.ingest.plan.columns import ColumnPlan
from services.ingest.plan.source_columns import SourceColumn, Ways
from services.ingest.read.charset import EncodingFound, Transcoder
from services.ingest.read.csv.blocks import BlockCutter
from services.ingest.read.csv.dialect import dialect_of, split_header, swapped
from services.ingest.read.csv.frames import CsvReader
from services.ingest.read.csv.quoting import Dialect
from services.ingest.read.frame import Frame
from services.ingest.read.head import Head
from services.ingest.read.source import ReadAgainError, StoredBytes
from services.ingest.read.stored import OtherEncodingError, Piece, StoredText
from shared.store.copying import ahead

WAYS = Ways(reports=True)


@dataclass(frozen=True, slots=True)
class CsvFile:
    """A CSV file. `header_bytes` and `header_lines`: UTF-8 text up to its first row."""

    text: StoredText
    format: FormatFound
    columns: tuple[SourceColumn, ...]
    dialect: Dialect
    header_bytes: int
    header_lines: int
    ways: Ways = WAYS

    @property
    def size_bytes(self) -> int:
        """The size of the file."""
        return self.text.stored.size_bytes

    async def frames(self, plan: ColumnPlan) -> AsyncIterator[Frame]:
        """The rows, block by block; raises FileRefusedError, ReadAgainError."""
        blocks = _Blocks(self, plan)
        try:
            async with ahead(self.text.pieces()) as pieces:
                async for piece in pieces:
                    yield await asyncio.to_thread(blocks.read, piece)
        except OtherEncodingError as other:
            raise ReadAgainError(self._in_encoding(other.encoding)) from other

    def _in_encoding(self, encoding: EncodingFound) -> "CsvFile":
        return replace(
            self,
            text=replace(self.text, encoding=encoding),
            format=replace(self.format, encoding=encoding.codec),
        )


class _Blocks:
    """One reading of a file behind its header."""

    def __init__(self, file: CsvFile, plan: ColumnPlan) -> None:
        self._reader = CsvReader(plan.names, file.dialect)
        self._cutter = BlockCutter(file.dialect, file.text.limits, first_line=file.header_lines + 1)
        self._skip = file.header_bytes

    def read(self, piece: Piece) -> Frame:
        skipped = min(self._skip, len(piece.text))
        self._skip -= skipped
        block = self._cutter.feed(piece.text[skipped:], final=piece.final)
        return replace(self._reader.read(block), bytes_read=piece.bytes_read)


class CsvFormat:
    """Delimited text; what no other format recognises."""

    name = FileFormat.CSV

    def recognises(self, head: Head) -> bool:
        """Any text."""
        return bool(head.text)

    def opened(self, stored: StoredBytes, head: Head, options: ImportOptions) -> CsvFile:
        """By the named delimiter and quote, or those that split the head best.

        Raises FileRefusedError.
        """
        text = head.text
        if (character := swapped(options)) is not None:
            text = Transcoder("utf-8", swapped=character).feed(text, final=head.complete)
        if not head.complete and b"\n" in text:
            text = text[: text.rfind(b"\n") + 1]
        bare_cr = b"\r" in text and b"\n" not in text
        if bare_cr:
            text = text.replace(b"\r", b"\n")
        dialect = dialect_of(text, options)
        header, end = split_header(text, dialect, complete=head.complete)
        return CsvFile(
            text=StoredText.of(stored, head, swapped=character, bare_cr=bare_cr),
            format=head.format_found(
                self.name,
                encoding=head.encoding.codec,
                delimiter=dialect.written,
                quote=dialect.quote.decode() if dialect.quote else None,
            ),
            columns=tuple(SourceColumn(name.strip()) for name in header),
            dialect=dialect,
            header_bytes=end,
            header_lines=text.count(b"\n", 0, end),
        )


CSV = CsvFormat()
