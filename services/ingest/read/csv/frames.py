"""Blocks of delimited text become frames; polars reads whatever is plain, which is nearly all.

A block is plain when polars takes it and its delimiters add up. In any other block the records
that are not (ragged, undecodable, blank) are found from the positions of delimiters, newlines
and quotes, and taken out; polars reads the rest.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import polars as pl
from polars.exceptions import PolarsError

from services.ingest.domain.outcome import RejectCode
from services.ingest.plan.names import REPORT_COLUMNS, report_columns
from services.ingest.read.csv.blocks import RAW_LIMIT, Block, IrregularRecord, Run
from services.ingest.read.csv.layout import Layout
from services.ingest.read.csv.quoting import FIELDS_LIMIT, LF, SWAPPED, Dialect, Split, Splitter
from services.ingest.read.csv.short import short_cells
from services.ingest.read.csv.structure import (
    RULE,
    ambiguous,
    decodable,
    fits_by_lines,
    is_text,
    joined,
    physical_lines,
    structure_of,
)
from services.ingest.read.frame import Frame, LeftOut, RefusedRow

_LONE_CR = re.compile(rb"\r(?!\n)")
_PRIVATE_CHARACTERS = [chr(code) for code in range(0xE000, 0xF900)]
_LEADING, _TRAILING = "\0leading", "\0trailing"
"""The fields before the first and behind the last delimiter; no header has these names."""
RAW_COLUMN = REPORT_COLUMNS[-1]
"""Where the report of refused rows keeps those that could not be split."""


@dataclass(frozen=True, slots=True)
class _Rows:
    cells: pl.DataFrame
    lines: pl.Series
    refused: tuple[RefusedRow, ...] = ()
    blank: int = 0
    rules: int = 0

    def filter(self, kept: pl.Series) -> "_Rows":
        return replace(self, cells=self.cells.filter(kept), lines=self.lines.filter(kept))

    def refuse(self, rows: Sequence[RefusedRow]) -> "_Rows":
        refused = sorted((*self.refused, *rows), key=lambda row: row.line)
        return replace(self, refused=tuple(refused))


class CsvReader:
    """Reads blocks into frames of `String` columns named by the layout; use it in a thread."""

    def __init__(self, layout: Layout, dialect: Dialect) -> None:
        self._layout = layout
        self._dialect = dialect
        names = (_LEADING,) * layout.leading + layout.names + (_TRAILING,) * layout.trailing
        self._schema = pl.Schema(dict.fromkeys(names, pl.String()))

    def read(self, block: Block) -> Frame:
        """The frame of one block, rows in the order of their lines."""
        text = b"".join(run.text for run in block.runs)
        rows = self._read_regular(text, block.runs)
        if self._dialect.trim:
            rows = replace(rows, cells=_trimmed(rows.cells, self._dialect.blanks.decode()))
        if block.irregular:
            rows = self._with_irregular(block.irregular, rows)
        if self._layout.ruled:
            rows = _without_rules(rows)
        if self._layout.leading:
            rows = self._without_edge(rows, _LEADING)
        if self._layout.trailing:
            rows = self._without_edge(rows, _TRAILING)
        if self._dialect.swapped is not None:
            rows = self._swapped_back(self._dialect.swapped, rows)
        if self._layout.report and RAW_COLUMN in self._layout.names:
            rows = self._still_raw(rows)
        rows, headers = self._without_headers(rows)
        if self._layout.skip_blank:
            rows = _without_blank(rows)
        return Frame(
            cells=rows.cells,
            lines=rows.lines,
            refused=rows.refused,
            may_hold_nul=b"\0" in text or any(b"\0" in record.raw for record in block.irregular),
            # Looking for one byte first takes a thirtieth of the time.
            may_hold_formulas=(b"=" in text and b'="' in text)
            or any(b'="' in each.raw for each in block.irregular),
            left_out=LeftOut(rows.blank, headers, block.byte_order_marks, rows.rules),
        )

    def _still_raw(self, rows: _Rows) -> _Rows:
        """Refuse rows of a report of ours that nobody has moved out of `_raw` into the columns.

        Their columns are all empty, so they would load as a row of nulls.
        """
        report = report_columns(self._layout.names)
        own = [name for name in self._layout.names if name not in report]
        raw = rows.cells.select(
            pl.col(RAW_COLUMN).is_not_null() & pl.all_horizontal(pl.col(own).is_null())
        ).to_series()
        if not raw.any():
            return rows
        message = f"the row still stands in {RAW_COLUMN}: put its cells into their columns"
        texts = zip(rows.lines.filter(raw), rows.cells[RAW_COLUMN].filter(raw), strict=True)
        return rows.filter(~raw).refuse(
            [RefusedRow(line, RejectCode.TOO_FEW_FIELDS, message, text) for line, text in texts]
        )

    def _swapped_back(self, written: str, rows: _Rows) -> _Rows:
        """The delimiter as it was written, in quoted cells and in what could not be split."""
        mark = SWAPPED.decode()
        return replace(
            rows,
            cells=rows.cells.select(pl.all().str.replace_all(mark, written, literal=True)),
            refused=tuple(replace(r, raw=r.raw.replace(mark, written)) for r in rows.refused),
        )

    def _without_edge(self, rows: _Rows, edge: str) -> _Rows:
        """The rows without the empty field before their first, or behind their last delimiter."""
        filled = rows.cells[edge].is_not_null()
        if filled.any():
            fault = self._wrong_width(len(self._layout.names) + 1)
            delimiter = self._dialect.delimiter.decode()
            bad = zip(rows.lines.filter(filled), rows.cells.filter(filled).rows(), strict=True)
            refused = [
                RefusedRow(line, *fault, raw=delimiter.join(cell or "" for cell in row))
                for line, row in bad
            ]
            rows = rows.filter(~filled).refuse(refused)
        return replace(rows, cells=rows.cells.drop(edge))

    def _without_headers(self, rows: _Rows) -> tuple[_Rows, int]:
        """The rows without those that repeat the header, and how many there were."""
        header = self._layout.header_cells
        if not header:
            return rows, 0
        first = rows.cells.to_series(0)
        if not (first.is_null() if header[0] is None else first == header[0]).any():
            return rows, 0
        cells = zip(self._layout.names, header, strict=True)
        again = rows.cells.select(
            pl.all_horizontal(pl.col(name).eq_missing(pl.lit(cell)) for name, cell in cells)
        ).to_series()
        return rows.filter(~again), int(again.sum())

    def _read_regular(self, text: bytes, runs: Sequence[Run]) -> _Rows:
        line_starts = physical_lines(runs)
        if not text:
            return _Rows(pl.DataFrame(schema=self._schema), line_starts)
        cells = short_cells(text, self._dialect, self._schema)
        if cells is None:
            cells = self._read_plain(text)
        if cells is not None and cells.height == len(line_starts):
            return _Rows(cells, line_starts)
        return self._read_by_structure(text, line_starts, cells)

    def _read_plain(self, text: bytes) -> pl.DataFrame | None:
        """What polars makes of the text, if that is surely right, else None."""
        # polars makes a column for each field of the first line, whatever the schema says.
        if text.count(self._dialect.delimiter, 0, text.find(LF)) > FIELDS_LIMIT:
            return None
        try:
            cells = self._polars(text)
        except PolarsError:
            return None
        # polars refuses long records, and fills short ones with nulls from the right: no null in
        # the last column, no short record.
        if self._layout.fill_short or not cells.to_series(-1).null_count():
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
        if between != cells.height * (self._layout.width - 1):
            return None
        # A blank line of a file with one column looks like a null.
        if self._layout.width == 1 and cells.to_series().null_count():
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
    ) -> _Rows:
        records = structure_of(text, self._dialect, line_starts)
        doubtful = ambiguous(text, records, self._dialect, self._layout)
        if cells is not None and cells.height == records.height and not doubtful.any():
            return _Rows(cells, records["line"])
        readable = decodable(text, records)
        refused = [
            _undecodable(line, text[start:end])
            for start, end, line in _spans(records.filter(~readable))
        ]
        for start, end, line in _spans(records.filter(readable & doubtful)):
            refused += _both_readings(line, text[start:end])
        rest = records.filter(readable & ~records["blank"] & ~doubtful)
        right = rest["fields"].is_between(self._layout.least_width, self._layout.width)
        blank, rules = int(records["blank"].sum()), 0
        for start, end, line, fields in _spans(rest.filter(~right), "fields"):
            raw = text[start:end]
            if self._is_blank(raw):
                blank += 1
            elif self._is_rule(raw):
                rules += 1
            else:
                refused.append(self._refused_for_width(line, raw, fields))
        kept = rest.filter(right)
        cells = self._joined_cells(joined(text, kept), kept.height)
        return _Rows(cells, kept["line"], blank=blank, rules=rules).refuse(refused)

    def _joined_cells(self, plain: bytes, height: int) -> pl.DataFrame:
        if not plain:
            return pl.DataFrame(schema=self._schema)
        try:
            cells = self._polars(plain)
        except PolarsError:
            return self._slowly(plain)
        return cells if cells.height == height else self._slowly(plain)

    def _is_blank(self, raw: bytes) -> bool:
        return self._layout.skip_blank and not raw.strip(self._dialect.delimiter + b" \t\r\n")

    def _is_rule(self, raw: bytes) -> bool:
        return self._layout.ruled and RULE.fullmatch(raw) is not None

    def _refused_for_width(self, line: int, raw: bytes, fields: int) -> RefusedRow:
        return RefusedRow(line, *self._wrong_width(fields), raw=_readable(raw))

    def _wrong_width(self, fields: int) -> tuple[RejectCode, str]:
        width = len(self._layout.names)
        count = f"more than {FIELDS_LIMIT}" if fields == FIELDS_LIMIT + 1 else str(fields)
        message = f"{count} field{'s' * (fields != 1)}, but the header has {width}"
        if fields > width:
            if width == 1:
                message += (
                    "; where the delimiter is text, name another one, such as `delimiter=tab`, and"
                    " where the header stands further down, `header_line`"
                )
            return RejectCode.TOO_MANY_FIELDS, message
        return (
            RejectCode.TOO_FEW_FIELDS,
            f"{message}; `fill_short=true` takes missing last ones for NULL",
        )

    def _slowly(self, plain: bytes) -> pl.DataFrame:
        """The cells of regular text that polars does not take."""
        splitter, position = Splitter(self._dialect), 0
        rows: list[list[str | None]] = []
        while position < len(plain):
            record = splitter.split(plain, position, final=True)
            assert isinstance(record, Split)
            rows.append(self._texts(record.fields))
            position = record.end
        return pl.DataFrame(rows, schema=self._schema, orient="row")

    def _texts(self, fields: Sequence[bytes | None]) -> list[str | None]:
        texts = [None if field is None else field.decode() for field in fields]
        return texts + [None] * (len(self._schema) - len(texts))

    def _with_irregular(self, records: Sequence[IrregularRecord], rows: _Rows) -> _Rows:
        """Put the irregular records among the others, by their lines."""
        cells: list[list[str | None]] = []
        lines: list[int] = []
        refused: list[RefusedRow] = []
        blank = rows.blank
        for record in records:
            fields, fault = record.fields, record.fault
            if not is_text(fields or (record.raw,)):
                refused.append(_undecodable(record.line, record.raw))
            elif fields is None:
                assert fault is not None
                raw = _readable(record.raw)
                refused.append(RefusedRow(record.line, fault.code, fault.message, raw))
            elif self._is_ambiguous(record):
                refused += _both_readings(record.line, record.raw)
            elif self._layout.least_width <= len(fields) <= self._layout.width:
                cells.append(self._texts(fields))
                lines.append(record.line)
            elif self._is_blank(record.raw):
                blank += 1
            else:
                refused.append(self._refused_for_width(record.line, record.raw, len(fields)))
        rows = replace(rows.refuse(refused), blank=blank)
        if not cells:
            return rows
        all_lines = pl.concat([rows.lines, pl.Series(lines, dtype=pl.Int64)])
        order = all_lines.arg_sort()
        more = pl.DataFrame(cells, schema=self._schema, orient="row")
        return replace(
            rows, cells=pl.concat([rows.cells, more])[order], lines=all_lines.gather(order)
        )

    def _is_ambiguous(self, record: IrregularRecord) -> bool:
        return (
            self._layout.quote_guessed
            and LF in record.raw
            and len(record.raw) < RAW_LIMIT
            and fits_by_lines(record.raw, self._dialect, self._layout)
        )


def _trimmed(cells: pl.DataFrame, blanks: str) -> pl.DataFrame:
    """The cells without blanks around them; what is empty then is null."""
    stripped = cells.select(pl.all().str.strip_chars(blanks))
    return stripped.select(pl.when(pl.all() != "").then(pl.all()))


def _without_rules(rows: _Rows) -> _Rows:
    """The rows without lines drawn between them that have as many fields, as `|---|---|` has."""
    rules = rows.cells.select(
        pl.all_horizontal(pl.all().is_null() | pl.all().str.contains("^[-=:]{3,}$"))
        & pl.any_horizontal(pl.all().is_not_null())
    ).to_series()
    return replace(rows.filter(~rules), rules=rows.rules + int(rules.sum()))


def _without_blank(rows: _Rows) -> _Rows:
    """The rows without those of nothing but empty cells."""
    if not rows.cells.height or min(column.null_count() for column in rows.cells) == 0:
        return rows
    blank = rows.cells.select(pl.all_horizontal(pl.all().is_null())).to_series()
    return replace(rows.filter(~blank), blank=rows.blank + int(blank.sum()))


def _spans(records: pl.DataFrame, *more: str) -> list[tuple[int, ...]]:
    return records.select("start", "end", "line", *more).rows()


def _both_readings(line: int, raw: bytes) -> list[RefusedRow]:
    message = (
        "the line fits with its quote and without: send `quote=none` if quotes are text, or the"
        " quote by name if they stand around fields"
    )
    return [
        RefusedRow(line + at, RejectCode.AMBIGUOUS_QUOTE, message, _readable(part))
        for at, part in enumerate(raw.rstrip(b"\r\n").split(LF))
    ]


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
