"""A sheet of a workbook as a source: its header by the first rows, its cells by their own types."""

import asyncio
import csv
import io
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import polars as pl

from services.ingest.domain.options import FileFormat, ImportOptions
from services.ingest.domain.outcome import FormatFound, RejectCode
from services.ingest.errors import EmptyFileError
from services.ingest.plan.columns import ColumnPlan
from services.ingest.plan.source_columns import SourceColumn, Ways
from services.ingest.read.children import child_reading, said
from services.ingest.read.csv.header import Header, header_of, refuse_doubtful
from services.ingest.read.csv.quoting import Dialect
from services.ingest.read.csv.sample import Record, Sample
from services.ingest.read.footer import without_last
from services.ingest.read.frame import CellFault, Frame, RefusedRow
from services.ingest.read.head import Head
from services.ingest.read.source import StoredBytes, unpacked_file

MODULE = "services.ingest.read.sheets"
WAYS = Ways(reports=True)
RAW_LIMIT = 65_536
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_FIRST_PARTS = (b"[Content_Types].xml", b"_rels/", b"docProps/", b"customXml/", b"xl/")
_ODS = b"mimetypeapplication/vnd.oasis.opendocument.spreadsheet"
_OTHER_OFFICE = (b"word/", b"ppt/", b"visio/")


@dataclass(frozen=True, slots=True)
class SheetFile:
    """A sheet. `header_row`: its number, or 0 without a header; the rows begin behind it."""

    stored: StoredBytes
    head: Head
    sheet: str
    found: FormatFound
    columns: tuple[SourceColumn, ...]
    header_row: int
    null_values: frozenset[str]
    """Cells that mean NULL, errors such as `#N/A` too."""
    sheets: tuple[str, ...]
    """The names of the workbook's sheets, of which this is one."""
    ways: Ways = WAYS
    _merged: list[str] = field(default_factory=list)

    @property
    def format(self) -> FormatFound:
        """What the file is; its merged ranges once it was read to its end."""
        return replace(self.found, merged_cells=tuple(self._merged))

    @property
    def size_bytes(self) -> int:
        """The size of the file."""
        return self.stored.size_bytes

    async def frames(self, plan: ColumnPlan) -> AsyncIterator[Frame]:
        """The rows, batch by batch; `lines` are their numbers in the sheet."""
        async for frame in without_last(self._frames(plan), self.found.footer_lines):
            yield frame

    async def _frames(self, plan: ColumnPlan) -> AsyncIterator[Frame]:
        async with child_reading(
            MODULE, unpacked_file(self.stored, self.head), {"sheet": self.sheet}, self.head.limits
        ) as messages:
            async for message in messages:
                batch = said(message)
                if "merged" in batch:
                    self._merged[:] = batch["merged"]
                elif "numbers" in batch:
                    yield await asyncio.to_thread(self._frame, batch, plan)

    def _frame(self, batch: dict[str, Any], plan: ColumnPlan) -> Frame:
        width = len(self.columns)
        cells = _table(batch["columns"], width, height=len(batch["numbers"]))
        lines = pl.Series(batch["numbers"], dtype=pl.Int64)
        rows = (lines > self.header_row).arg_true()
        too_wide = _filled_beyond(batch["columns"], width, rows)
        kept = rows.filter(~rows.is_in(too_wide)) if too_wide else rows
        at = {row: place for place, row in enumerate(kept.to_list())}
        faults = [
            CellFault(at[row], plan.names[place], RejectCode.TYPE_MISMATCH, message)
            for row, place, message in batch["faults"]
            if row in at and place < width
            if batch["columns"][place][row] not in self.null_values
        ]
        taken = cells[kept]
        taken.columns = list(plan.names)
        if plan.infers and faults:  # what a cell's error looks like says nothing of its column
            taken = _without(taken, faults)
        texts = {
            plan.names[int(place)]: next((at[row] for row in found if row in at), None)
            for place, found in batch["texts"].items()
            if int(place) < width
        }
        return Frame(
            cells=taken,
            lines=lines.gather(kept),
            refused=tuple(self._too_wide(batch, row, lines) for row in too_wide),
            faults=tuple(faults),
            strings={name: row for name, row in texts.items() if row is not None},
            bytes_read=int(batch["share"] * self.size_bytes),
        )

    def _too_wide(self, batch: dict[str, Any], row: int, lines: pl.Series) -> RefusedRow:
        cells = [column[row] for column in batch["columns"]]
        while cells[-1] is None:
            cells.pop()
        text = io.StringIO()
        csv.writer(text, lineterminator="").writerow(cells)
        return RefusedRow(
            line=lines[row],
            code=RejectCode.TOO_MANY_FIELDS,
            message=f"{len(cells)} cells, but the header has {len(self.columns)} columns; where it"
            " stands further down, `header_line` names its row",
            raw=text.getvalue()[:RAW_LIMIT],
        )


def _table(columns: Sequence[Sequence[str | None]], width: int, *, height: int) -> pl.DataFrame:
    """The first columns, as many as the header has; those that the batch lacks are blank."""
    return pl.DataFrame(
        [
            pl.Series(
                str(place),
                columns[place] if place < len(columns) else [None] * height,
                dtype=pl.String,
            )
            for place in range(width)
        ]
    )


def _filled_beyond(
    columns: Sequence[Sequence[str | None]], width: int, rows: pl.Series
) -> list[int]:
    """The rows with a cell beyond the header's last column."""
    beyond = columns[width:]
    if not beyond:
        return []
    return [row for row in rows.to_list() if any(column[row] is not None for column in beyond)]


def _without(cells: pl.DataFrame, faults: Sequence[CellFault]) -> pl.DataFrame:
    by_column: dict[str, list[int]] = {}
    for fault in faults:
        by_column.setdefault(fault.column, []).append(fault.row)
    return cells.with_columns(
        cells[name].scatter(rows, None).alias(name) for name, rows in by_column.items()
    )


def header_in(batch: dict[str, Any], options: ImportOptions, *, known: frozenset[str]) -> Header:
    """The header among the first rows, found as in delimited text.

    Raises HeaderDoubtfulError, OptionError, TooManyColumnsError.
    """
    rows = list(zip(*batch["columns"], strict=True))
    width = max((at for row in rows for at, cell in enumerate(row, 1) if cell), default=1)
    records = tuple(
        _record(number, row[:width]) for number, row in zip(batch["numbers"], rows, strict=True)
    )
    header = header_of(Sample(Dialect(), records), options, known=known)
    refuse_doubtful(header, options, known)
    return header


def _record(number: int, row: Sequence[str | None]) -> Record:
    fields = tuple(cell.encode() if cell else None for cell in row)
    if sum(field is not None for field in fields) == 1:  # a title, however wide its row is
        fields = fields[: max(at for at, field in enumerate(fields, 1) if field)]
    return Record(0, 0, number, fields, b" ".join(field or b"" for field in fields))


def named(texts: Sequence[str]) -> Sequence[str]:
    """The names of a header up to the last one that is not blank."""
    return texts[: max((at for at, text in enumerate(texts, 1) if text), default=0)]


class SheetFormat:
    """Workbooks of Excel and LibreOffice."""

    names = frozenset({FileFormat.XLSX, FileFormat.XLS, FileFormat.XLSB, FileFormat.ODS})

    def recognises(self, head: Head) -> bool:
        """A ZIP file with a workbook's parts, or a compound file, as Excel wrote it before."""
        start = head.data[:65_536]
        if not start.startswith(b"PK\x03\x04"):
            return start.startswith(OLE)
        name = start[30:]  # of the first part, behind its header
        workbook = name.startswith(_FIRST_PARTS) and not any(
            part in start for part in _OTHER_OFFICE
        )
        return workbook or name.startswith(_ODS)

    async def opened(self, stored: StoredBytes, head: Head, options: ImportOptions) -> SheetFile:
        """The named sheet, or the only one with cells; raises FileRefusedError."""
        async with child_reading(
            MODULE, unpacked_file(stored, head), {"sheet": options.sheet}, head.limits
        ) as messages:
            book = said(await anext(messages))
            first = said(await anext(messages))
        if not first.get("numbers"):
            raise EmptyFileError(f"the sheet {book['sheet']!r} is empty")
        header = header_in(first, options, known=head.known)
        return SheetFile(
            stored=stored,
            head=head,
            sheet=book["sheet"],
            found=head.format_found(
                FileFormat(book["kind"]),
                sheet=book["sheet"],
                header_line=None if header.record is None else header.record.line,
                skipped=0 if header.record is None else header.record.line - 1,
                footer_lines=options.footer_lines,
            ),
            columns=header.columns(named(header.texts)),
            header_row=0 if header.record is None else header.record.line,
            null_values=frozenset(options.null_values),
            sheets=tuple(sheet["name"] for sheet in book["sheets"]),
        )


SHEETS = SheetFormat()
