"""A JSON array or NDJSON file as a source: its first columns by its head, its rows by elements."""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

from services.ingest.domain import FileFormat, FormatFound, ImportOptions
from services.ingest.plan.columns import ColumnPlan
from services.ingest.plan.source_columns import SourceColumn, Ways
from services.ingest.read.charset import EncodingFound
from services.ingest.read.frame import Frame
from services.ingest.read.head import Head
from services.ingest.read.json.frames import JsonReader, LateColumnError, head_columns
from services.ingest.read.source import ReadAgainError, StoredBytes
from services.ingest.read.stored import OtherEncodingError, Piece, StoredText
from shared.store.copying import ahead

WAYS = Ways(open_ended=True, reports=True)
_ARRAY = re.compile(rb"\s*\[\s*(?:\{\s*[\"}]|\])")
_OBJECT = re.compile(rb"\s*\{\s*[\"}]")


@dataclass(frozen=True, slots=True)
class JsonFile:
    """A JSON file; `columns` are the keys in its head, and those that turned up late."""

    text: StoredText
    format: FormatFound
    columns: tuple[SourceColumn, ...]
    ways: Ways = WAYS

    @property
    def size_bytes(self) -> int:
        """The size of the file."""
        return self.text.stored.size_bytes

    async def frames(self, plan: ColumnPlan) -> AsyncIterator[Frame]:
        """The elements, piece by piece; raises FileRefusedError, ReadAgainError."""
        reader = JsonReader(self.format.name, plan, self.text.limits)

        def read(piece: Piece) -> Frame:
            frame = reader.read(piece.text, final=piece.final)
            return replace(frame, bytes_read=piece.bytes_read)

        try:
            async with ahead(self.text.pieces()) as pieces:
                async for piece in pieces:
                    yield await asyncio.to_thread(read, piece)
        except LateColumnError as late:
            columns = (*self.columns, SourceColumn(late.column))
            raise ReadAgainError(replace(self, columns=columns)) from late
        except OtherEncodingError as other:
            raise ReadAgainError(self._in_encoding(other.encoding)) from other

    def _in_encoding(self, encoding: EncodingFound) -> "JsonFile":
        return replace(
            self,
            text=replace(self.text, encoding=encoding),
            format=replace(self.format, encoding=encoding.codec),
        )


@dataclass(frozen=True, slots=True)
class JsonFormat:
    """JSON text of one of two kinds."""

    name: FileFormat
    begins: re.Pattern[bytes]
    suffixes: frozenset[str]

    def recognises(self, head: Head) -> bool:
        """By the first characters, else by the suffix."""
        text = head.text
        if _ARRAY.match(text) or _OBJECT.match(text):
            return self.begins.match(text) is not None
        return head.suffix in self.suffixes

    def opened(self, stored: StoredBytes, head: Head, options: ImportOptions) -> JsonFile:
        """By the keys of the elements in the head; raises FileRefusedError."""
        del options
        names = head_columns(head.text, self.name, head.limits, complete=head.complete)
        return JsonFile(
            text=StoredText.of(stored, head),
            format=head.format_found(self.name, encoding=head.encoding.codec),
            columns=tuple(SourceColumn(name) for name in names),
        )


JSON = JsonFormat(FileFormat.JSON, _ARRAY, frozenset({"json"}))
NDJSON = JsonFormat(FileFormat.NDJSON, _OBJECT, frozenset({"ndjson", "jsonl"}))
