"""A JSON array or NDJSON file as a source: its first columns by its head, its rows by elements."""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

from services.ingest.domain.options import FileFormat, ImportOptions
from services.ingest.domain.outcome import FormatFound
from services.ingest.plan.columns import ColumnPlan
from services.ingest.plan.names import named_columns, numbered_names
from services.ingest.plan.source_columns import SourceColumn, Ways
from services.ingest.read.charset import EncodingFound
from services.ingest.read.csv.header import AUTO
from services.ingest.read.errors import RecordPathNeededError
from services.ingest.read.footer import without_last
from services.ingest.read.frame import Frame
from services.ingest.read.head import Head
from services.ingest.read.json.beginning import head_array, head_columns
from services.ingest.read.json.frames import (
    JsonReader,
    LateColumnError,
    SeveralValuesError,
)
from services.ingest.read.json.shape import Layout, Shape, shape_of
from services.ingest.read.json.skipping import has_too_many_values
from services.ingest.read.source import ReadAgainError, StoredBytes
from services.ingest.read.stored import OtherEncodingError, Piece, StoredText
from shared.store.copying import ahead

WAYS = Ways(open_ended=True, reports=True)
_ARRAY = re.compile(rb"\s*\[\s*(?:\{\s*[\"}]|\]|\[)")
_OBJECT = re.compile(rb"\s*\{\s*[\"}]")


@dataclass(frozen=True, slots=True)
class JsonFile:
    """A JSON file; `columns` are the keys in its head, and those that turned up late."""

    text: StoredText
    format: FormatFound
    columns: tuple[SourceColumn, ...]
    shape: Shape
    skipped_bytes: int = 0
    """UTF-8 text up to the array of the records."""
    header: tuple[str, ...] | None = None
    """The names of the columns where the records are arrays."""
    ways: Ways = WAYS

    @property
    def size_bytes(self) -> int:
        """The size of the file."""
        return self.text.stored.size_bytes

    async def frames(self, plan: ColumnPlan) -> AsyncIterator[Frame]:
        """The elements, piece by piece; raises FileRefusedError, ReadAgainError."""
        async for frame in without_last(self._frames(plan), self.format.footer_lines):
            yield frame

    async def _frames(self, plan: ColumnPlan) -> AsyncIterator[Frame]:
        elements = _Elements(self, plan)
        try:
            async with ahead(self.text.pieces()) as pieces:
                async for piece in pieces:
                    yield await asyncio.to_thread(elements.read, piece)
        except LateColumnError as late:
            columns = (*self.columns, SourceColumn(late.column))
            raise ReadAgainError(replace(self, columns=columns)) from late
        except SeveralValuesError as several:
            shape = replace(self.shape, layout=Layout.NUMBERED)
            raise ReadAgainError(replace(self, shape=shape)) from several
        except OtherEncodingError as other:
            raise ReadAgainError(self._in_encoding(other.encoding)) from other

    def _in_encoding(self, encoding: EncodingFound) -> "JsonFile":
        return replace(
            self,
            text=replace(self.text, encoding=encoding),
            format=replace(self.format, encoding=encoding.codec),
        )


class _Elements:
    """One reading of a file from its first record on."""

    def __init__(self, file: JsonFile, plan: ColumnPlan) -> None:
        cutter = file.shape.cutter(file.text.limits)
        first = file.format.header_line is not None
        self._reader = JsonReader(plan, cutter, file.header, header_first=first)
        self._skip = file.skipped_bytes

    def read(self, piece: Piece) -> Frame:
        skipped = min(self._skip, len(piece.text))
        self._skip -= skipped
        frame = self._reader.read(piece.text[skipped:], final=piece.final)
        return replace(frame, bytes_read=piece.bytes_read, text_bytes=piece.text_bytes)


@dataclass(frozen=True, slots=True)
class JsonFormat:
    """JSON text of one of two kinds."""

    name: FileFormat
    suffixes: frozenset[str]

    def recognises(self, head: Head) -> bool:
        """By the first characters, else by the suffix."""
        begin = head.text
        if not (_ARRAY.match(begin) or _OBJECT.match(begin)):
            return head.suffix in self.suffixes
        lines = head.suffix in NDJSON.suffixes and not _ARRAY.match(begin)
        try:
            text, complete = _looked_through(head)
            shape = shape_of(text, path=None, lines=lines, complete=complete, known=head.known)
        except RecordPathNeededError:  # a document, and the options may say where
            in_lines = False
        else:
            in_lines = shape.layout in (Layout.LINES, Layout.NUMBERED)
        return in_lines == (self.name is FileFormat.NDJSON)

    def opened(self, stored: StoredBytes, head: Head, options: ImportOptions) -> JsonFile:
        """By the keys of the elements in the head; raises FileRefusedError."""
        text, complete = _looked_through(head)
        lines = self.name is FileFormat.NDJSON
        shape = shape_of(
            text, path=options.record_path, lines=lines, complete=complete, known=head.known
        )
        behind = text[shape.start :]
        header = head_array(
            behind,
            shape.cutter(head.limits),
            complete=complete,
            named=options.header_line == AUTO,
        )
        numbered = header is not None and options.header_line == "none"
        if header is None:
            names = head_columns(behind, shape.cutter(head.limits), complete=complete)
            columns = tuple(SourceColumn(name) for name in names)
        else:
            columns = named_columns(numbered_names(len(header)) if numbered else header)
        return JsonFile(
            text=StoredText.of(stored, head),
            format=head.format_found(
                self.name,
                encoding=head.encoding.codec,
                record_path=shape.path,
                header_line=None if header is None or numbered else 1,
                footer_lines=options.footer_lines,
            ),
            columns=columns,
            shape=shape,
            skipped_bytes=len(text[: shape.start].encode("utf-8", "surrogateescape")),
            header=None if header is None else tuple(column.name for column in columns),
            ways=WAYS if header is None else Ways(reports=True),
        )


def _looked_through(head: Head) -> tuple[str, bool]:
    """The head's text, as far as its values do not take too much memory; whether it is all."""
    text = head.decoded
    while has_too_many_values(text):
        text = text[: len(text) // 2]
    return text, head.complete and text is head.decoded


JSON = JsonFormat(FileFormat.JSON, frozenset({"json"}))
NDJSON = JsonFormat(FileFormat.NDJSON, frozenset({"ndjson", "jsonl"}))
