"""Blocks of delimited text become frames; polars reads whatever is plain, which is nearly all.

A block is plain when polars takes it and its delimiters add up. In any other block the records
that are not (ragged, undecodable, blank) are found from the positions of delimiters, newlines
and quotes, and taken out; polars reads the rest.
"""

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import replace

import polars as pl
from polars.exceptions import PolarsError

from services.ingest.domain import RejectCode
from services.ingest.read.csv.blocks import (
    RAW_LIMIT,
    Block,
    Run,
    byte_series,
)
from services.ingest.read.csv.quoting import LF, SWAPPED, Dialect
from services.ingest.read.frame import Frame, RefusedRow

_LONE_CR = re.compile(rb"\r(?!\n)")
_PRIVATE_CHARACTERS = [chr(code) for code in range(0xE000, 0xF900)]
RAW_COLUMN = "_raw"
"""Where the report of refused rows keeps those that could not be split."""


class CsvReader:
    """Reads blocks into frames of `String` columns named by the header; use it in a thread."""

    def __init__(self, header: Sequence[str], dialect: Dialect) -> None:
        self._header = tuple(header)
        self._dialect = dialect
        self._schema = pl.Schema(dict.fromkeys(self._header, pl.String()))

    def read(self, block: Block) -> Frame:
        """The frame of one block, rows in the order of their lines."""
        text = b"".join(run.text for run in block.runs)
        cells, lines, refused = self._read_regular(text, block.runs)
        if block.irregular:
            cells, lines, refused = self._with_irregular(block, cells, lines, refused)
        if self._dialect.swapped is not None:
            cells, refused = self._swapped_back(self._dialect.swapped, cells, refused)
        if RAW_COLUMN in self._header:
            cells, lines, refused = self._still_raw(cells, lines, refused)
        may_hold_nul = b"\0" in text or any(b"\0" in record.raw for record in block.irregular)
        return Frame(cells=cells, lines=lines, refused=tuple(refused), may_hold_nul=may_hold_nul)

    def _still_raw(
        self, cells: pl.DataFrame, lines: pl.Series, refused: list[RefusedRow]
    ) -> tuple[pl.DataFrame, pl.Series, list[RefusedRow]]:
        """Refuse rows of a report of ours that nobody has moved out of `_raw` into the columns.

        Their columns are all empty, so they would load as a row of nulls.
        """
        own = [name for name in self._header if not name.startswith("_")]
        raw = cells.select(
            pl.col(RAW_COLUMN).is_not_null() & pl.all_horizontal(pl.col(own).is_null())
        ).to_series()
        if not raw.any():
            return cells, lines, refused
        message = f"the row still stands in {RAW_COLUMN}: put its cells into their columns"
        found = zip(lines.filter(raw), cells[RAW_COLUMN].filter(raw), strict=True)
        refused = [
            *refused,
            *(RefusedRow(line, RejectCode.TOO_FEW_FIELDS, message, text) for line, text in found),
        ]
        refused.sort(key=lambda row: row.line)
        return cells.filter(~raw), lines.filter(~raw), refused

    def _swapped_back(
        self, written: str, cells: pl.DataFrame, refused: list[RefusedRow]
    ) -> tuple[pl.DataFrame, list[RefusedRow]]:
        """The delimiter as it was written, in quoted cells and in what could not be split."""
        mark = SWAPPED.decode()
        back = pl.all().str.replace_all(mark, written, literal=True)
        return cells.select(back), [
            replace(row, raw=row.raw.replace(mark, written)) for row in refused
        ]

    def _read_regular(
        self, text: bytes, runs: Sequence[Run]
    ) -> tuple[pl.DataFrame, pl.Series, list[RefusedRow]]:
        line_starts = physical_lines(runs)
        if not text:
            return pl.DataFrame(schema=self._schema), line_starts, []
        cells = self._read_plain(text)
        if cells is not None and cells.height == len(line_starts):
            return cells, line_starts, []
        return self._read_by_structure(text, line_starts, cells)

    def _read_plain(self, text: bytes) -> pl.DataFrame | None:
        """What polars makes of the text, if that is surely right, else None."""
        try:
            cells = self._polars(text)
        except PolarsError:
            return None
        # polars refuses long records, and fills short ones with nulls from the right: no null in
        # the last column, no short record.
        if not cells.to_series(-1).null_count():
            return cells
        delimiter = self._dialect.delimiter
        inside = 0
        if self._dialect.quote is not None and self._dialect.quote in text:
            counts = cells.select(
                pl.sum_horizontal(
                    pl.all().str.count_matches(delimiter.decode(), literal=True).sum()
                )
            )
            inside = int(counts.item() or 0)
        between = text.count(delimiter) - inside
        if between != cells.height * (len(self._header) - 1):
            return None
        # A blank line of a file with one column looks like a null.
        if len(self._header) == 1 and cells.to_series().null_count():
            return None
        return cells

    def _polars(self, text: bytes) -> pl.DataFrame:
        """The cells as polars reads them, which would drop a carriage return within a line."""
        if b"\r" not in text or text.count(b"\r") == text.count(b"\r\n"):
            return self._polars_without_cr(text)
        mark = next(mark for mark in _PRIVATE_CHARACTERS if mark.encode() not in text)
        cells = self._polars_without_cr(_LONE_CR.sub(mark.encode(), text))
        return cells.select(pl.all().str.replace_all(mark, "\r", literal=True))

    def _polars_without_cr(self, text: bytes) -> pl.DataFrame:
        quote = self._dialect.quote
        return pl.read_csv(
            text,
            has_header=False,
            schema=self._schema,
            separator=self._dialect.delimiter.decode(),
            quote_char=quote.decode() if quote else None,
            raise_if_empty=False,
        )

    def _read_by_structure(
        self, text: bytes, line_starts: pl.Series, cells: pl.DataFrame | None
    ) -> tuple[pl.DataFrame, pl.Series, list[RefusedRow]]:
        records = structure_of(text, self._dialect, line_starts)
        if cells is not None and cells.height == records.height:
            return cells, records["line"], []
        readable = decodable(text, records)
        refused = [
            _undecodable(line, text[start:end])
            for start, end, _, _, line in records.filter(~readable).rows()
        ]
        records = records.filter(readable & ~records["blank"])
        right = pl.col("fields") == len(self._header)
        refused += [
            self._refused_for_width(line, fields, text[start:end])
            for start, end, fields, _, line in records.filter(~right).rows()
        ]
        kept = records.filter(right)
        refused.sort(key=lambda row: row.line)
        plain = _joined(text, kept)
        cells = pl.DataFrame(schema=self._schema)
        if plain:
            try:
                cells = self._polars(plain)
            except PolarsError:
                cells = self._slowly(plain)
            if cells.height != kept.height:
                cells = self._slowly(plain)
        return cells, kept["line"], refused

    def _refused_for_width(self, line: int, fields: int, raw: bytes) -> RefusedRow:
        many = fields > len(self._header)
        return RefusedRow(
            line=line,
            code=RejectCode.TOO_MANY_FIELDS if many else RejectCode.TOO_FEW_FIELDS,
            message=f"{fields} fields, but the header has {len(self._header)}",
            raw=_readable(raw),
        )

    def _slowly(self, plain: bytes) -> pl.DataFrame:
        """Python's reader, for regular text that polars does not take."""
        quote = self._dialect.quote
        reader = csv.reader(
            io.StringIO(plain.decode(), newline=""),
            delimiter=self._dialect.delimiter.decode(),
            quotechar=quote.decode() if quote else None,
            quoting=csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE,
        )
        csv.field_size_limit(len(plain) + 1)
        return pl.DataFrame(
            [[cell or None for cell in row] for row in reader], schema=self._schema, orient="row"
        )

    def _with_irregular(
        self, block: Block, cells: pl.DataFrame, lines: pl.Series, refused: list[RefusedRow]
    ) -> tuple[pl.DataFrame, pl.Series, list[RefusedRow]]:
        """Put the irregular records among the others, by their lines."""
        rows: list[list[str | None]] = []
        row_lines: list[int] = []
        for record in block.irregular:
            if record.fields is None:
                reason = record.reason or "the row cannot be split"
                raw = _readable(record.raw)
                refused.append(RefusedRow(record.line, _code_of(reason), reason, raw))
            elif not _is_text(record.fields):
                refused.append(_undecodable(record.line, record.raw))
            elif len(record.fields) != len(self._header):
                refused.append(self._refused_for_width(record.line, len(record.fields), record.raw))
            else:
                rows.append([None if cell is None else cell.decode() for cell in record.fields])
                row_lines.append(record.line)
        refused.sort(key=lambda row: row.line)
        if rows:
            more = pl.DataFrame(rows, schema=self._schema, orient="row")
            lines = pl.concat([lines, pl.Series(row_lines, dtype=pl.Int64)])
            order = lines.arg_sort()
            cells, lines = pl.concat([cells, more])[order], lines.gather(order)
        return cells, lines, refused


def _code_of(reason: str) -> RejectCode:
    return RejectCode.TOO_LONG if "longer" in reason else RejectCode.TOO_FEW_FIELDS


def _is_text(fields: Sequence[bytes | None]) -> bool:
    try:
        for field in fields:
            if field is not None:
                field.decode()
    except UnicodeDecodeError:
        return False
    return True


def physical_lines(runs: Sequence[Run]) -> pl.Series:
    """The number of every physical line in the runs' joined text, `Int64`."""
    parts = [pl.int_range(run.first_line, run.end_line, eager=True) for run in runs]
    return pl.concat(parts) if parts else pl.Series([], dtype=pl.Int64)


def structure_of(text: bytes, dialect: Dialect, line_starts: pl.Series) -> pl.DataFrame:
    """The records of text whose quotes are all regular and which ends with a newline.

    One row per record: `start`, `end` (without the newline), `fields`, `blank`, `line`.
    """
    codes = byte_series(text)
    newlines = (codes == LF[0]).arg_true()
    delimiters = (codes == dialect.delimiter[0]).arg_true()
    index = pl.int_range(len(newlines), eager=True)
    if dialect.quote is not None and dialect.quote in text:
        quotes = (codes == dialect.quote[0]).arg_true()
        outside = quotes.search_sorted(newlines) % 2 == 0
        newlines, index = newlines.filter(outside), index.filter(outside)
        delimiters = delimiters.filter(quotes.search_sorted(delimiters) % 2 == 0)
    before = delimiters.search_sorted(newlines).cast(pl.Int64)
    fields = before - before.shift(1, fill_value=0) + 1
    ends = newlines.cast(pl.Int64)
    starts = ends.shift(1, fill_value=-1) + 1
    line_index = index.shift(1, fill_value=-1) + 1
    length = ends - starts
    blank = (length == 0) | ((length == 1) & (codes.gather(starts) == ord("\r")))
    return pl.DataFrame(
        {
            "start": starts,
            "end": ends,
            "fields": fields,
            "blank": blank,
            "line": line_starts.gather(line_index),
        }
    )


def decodable(text: bytes, records: pl.DataFrame) -> pl.Series:
    """For each record of `structure_of`, whether it is UTF-8."""
    try:
        text.decode()
    except UnicodeDecodeError:
        spans = records.select("start", "end").rows()
        return pl.Series([_is_text((text[start:end],)) for start, end in spans], dtype=pl.Boolean)
    return pl.repeat(value=True, n=records.height, dtype=pl.Boolean, eager=True)


def _undecodable(line: int, raw: bytes) -> RefusedRow:
    try:
        raw.decode()
        byte = None
    except UnicodeDecodeError as error:
        byte = raw[error.start]
    what = "a character" if byte is None else f"the byte 0x{byte:02X}"
    message = f"{what} is no text in the file's encoding"
    return RefusedRow(line, RejectCode.BAD_ENCODING, message, _readable(raw))


def _readable(raw: bytes) -> str:
    r"""Raw text for people: bytes that are no text stand as `\xNN`."""
    return raw[:RAW_LIMIT].rstrip(b"\r\n").decode(errors="backslashreplace")


def _joined(text: bytes, kept: pl.DataFrame) -> bytes:
    """The kept records' bytes, copied in as few slices as they allow."""
    if not kept.height:
        return b""
    starts, stops = kept["start"], kept["end"] + 1
    breaks = (starts.slice(1) != stops.head(kept.height - 1)).arg_true()
    first = [0, *(breaks + 1).to_list()]
    last = [*breaks.to_list(), kept.height - 1]
    slices = zip(starts.gather(first).to_list(), stops.gather(last).to_list(), strict=True)
    return b"".join(text[start:stop] for start, stop in slices)
