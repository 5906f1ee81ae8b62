"""A delimited file as a source: its dialect and header by its head, its rows by blocks."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

from services.ingest.domain.options import FileFormat, ImportOptions
from services.ingest.domain.outcome import FormatFound
from services.ingest.plan.columns import ColumnPlan
from services.ingest.plan.names import report_columns
from services.ingest.plan.source_columns import SourceColumn, Ways
from services.ingest.read.charset import EncodingFound
from services.ingest.read.csv.blocks import BlockCutter, Cutter
from services.ingest.read.csv.dialect import BACKSLASH, Reading, reading_of, swapped_of
from services.ingest.read.csv.escaped import EscapedCutter
from services.ingest.read.csv.frames import CsvReader
from services.ingest.read.csv.header import refuse_doubtful
from services.ingest.read.csv.layout import Layout
from services.ingest.read.csv.quoting import Dialect
from services.ingest.read.csv.sample import typed_fields
from services.ingest.read.errors import RecordTooLargeError
from services.ingest.read.footer import without_last
from services.ingest.read.frame import Frame
from services.ingest.read.head import Head
from services.ingest.read.pieces import VALUE_MARKS, in_even_pieces
from services.ingest.read.source import ReadAgainError, StoredBytes
from services.ingest.read.stored import (
    OtherEncodingError,
    StoredText,
)
from shared.process.threads import beside_loop
from shared.store.copying import ahead

WAYS = Ways(reports=True)
_SEPARATOR_LINE = re.compile(rb'"?sep=([^\r\n"]{1,4})"?[^\S\n]*(?:\n|$)', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class CsvFile:
    """A CSV file. `skipped_bytes` and `skipped_lines`: UTF-8 text up to its first row."""

    text: StoredText
    format: FormatFound
    columns: tuple[SourceColumn, ...]
    dialect: Dialect
    layout: Layout
    skipped_bytes: int
    skipped_lines: int
    ways: Ways = WAYS

    @property
    def size_bytes(self) -> int:
        """The size of the file."""
        return self.text.stored.size_bytes

    async def frames(self, plan: ColumnPlan) -> AsyncIterator[Frame]:
        """The rows, block by block; raises FileRefusedError, ReadAgainError."""
        file = self
        if plan.takes_unsplit:
            file = replace(self, layout=replace(self.layout, report=False))
        async for frame in without_last(file._frames(), self.format.footer_lines):  # noqa: SLF001
            yield frame

    async def _frames(self) -> AsyncIterator[Frame]:
        blocks = _Blocks(self)
        try:
            async with ahead(self.text.pieces()) as pieces:
                async for piece in pieces:
                    parts = [piece.text]
                    whole = replace(piece, text=b"")
                    del piece  # else its text would stay in memory while the frame waits
                    while parts:
                        text = parts.pop()
                        final = whole.final and not parts
                        frame, behind = await beside_loop(len(text), blocks.read, text, final=final)
                        parts.extend(reversed(behind))
                        del text, behind
                        yield replace(
                            frame, bytes_read=whole.bytes_read, text_bytes=whole.text_bytes
                        )
                        del frame
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

    def __init__(self, file: CsvFile) -> None:
        self._reader = CsvReader(file.layout, file.dialect)
        cutter = EscapedCutter if file.dialect.backslash else BlockCutter
        self._cutter: Cutter = cutter(
            file.dialect, file.text.limits, first_line=file.skipped_lines + 1
        )
        self._skip = file.skipped_bytes
        self._marks = file.text.marks

    def read(self, text: bytes, *, final: bool) -> tuple[Frame, list[bytes]]:
        """The frame of the next text, and what has to be read behind it before any other text."""
        skipped = min(self._skip, len(text))
        self._skip -= skipped
        block = self._cutter.feed(text[skipped:], final=final)
        behind = in_even_pieces(block.behind, self._marks) if block.behind else []
        return self._reader.read(block), behind


class CsvFormat:
    """Delimited text; what no other format recognises."""

    name = FileFormat.CSV

    def recognises(self, head: Head) -> bool:
        """Any text."""
        return bool(head.text)

    def opened(self, stored: StoredBytes, head: Head, options: ImportOptions) -> CsvFile:
        """By the named dialect and header, or those that fit the head best.

        Raises FileRefusedError.
        """
        text = head.text
        if not head.complete:
            end = text.rfind(b"\n") + 1
            text = text[:end] if end else text
        bare_cr = b"\r" in text and b"\n" not in text
        if bare_cr:
            text = text.replace(b"\r", b"\n")
        if not head.complete and b"\n" not in text:
            raise RecordTooLargeError("the first line, which names the columns, never ends")
        separator = _SEPARATOR_LINE.match(text)
        reading = reading_of(
            text,
            options,
            known=head.known,
            start=separator.end() if separator else 0,
            line=2 if separator else 1,
            named=separator[1].decode(errors="replace") if separator else None,
        )
        refuse_doubtful(reading.header, options, head.known)
        return _file(stored, head, options, reading, bare_cr=bare_cr)


def _file(
    stored: StoredBytes, head: Head, options: ImportOptions, reading: Reading, *, bare_cr: bool
) -> CsvFile:
    dialect, header, records = reading.dialect, reading.header, reading.sample.records
    record = header.record
    columns = header.columns()
    names = tuple(column.name for column in columns)
    first = records[header.at]
    lines_of_header = 0 if record is None else record.raw.count(b"\n") + 1
    return CsvFile(
        text=StoredText.of(
            stored,
            head,
            swapped=swapped_of(dialect.written),
            bare_cr=bare_cr,
            # The places of quotes are bounded by the cutter that looks for them.
            marks=VALUE_MARKS if dialect.backslash else dialect.delimiter,
        ),
        format=head.format_found(
            FileFormat.CSV,
            encoding=head.encoding.codec,
            delimiter=dialect.written,
            quote=dialect.quote.decode() if dialect.quote else None,
            header_line=None if record is None else record.line,
            skipped=first.line - 1,
            footer_lines=options.footer_lines,
            escape=BACKSLASH if dialect.backslash else None,
            trim="all" if dialect.trim else "none",
            null_values=options.null_values,
            report=bool(report_columns(names)),
        ),
        columns=columns,
        dialect=dialect,
        layout=Layout(
            names=names,
            trailing=header.trailing,
            leading=header.leading,
            ruled=reading.sample.ruled,
            fill_short=options.fill_short,
            skip_blank=True,
            header_cells=_cells(reading),
            quote_guessed=options.quote is None and dialect.quote is not None,
            numeric=typed_fields(records[header.rows_from :], max(header.widths)),
            report=bool(report_columns(names)),
        ),
        skipped_bytes=first.start if record is None else record.end,
        skipped_lines=first.line - 1 + lines_of_header,
    )


def _cells(reading: Reading) -> tuple[str | None, ...]:
    header = reading.header
    fields = () if header.record is None else header.record.fields[header.leading :]
    fields = fields[: header.width]
    return tuple(None if field is None else field.decode(errors="replace") for field in fields)


CSV = CsvFormat()
