"""Where the header of a delimited file stands, and what stands before and behind it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from services.ingest.domain.options import ImportOptions
from services.ingest.errors import EmptyFileError, OptionError, TooManyColumnsError
from services.ingest.plan.names import COLUMN_LIMIT, named_columns, numbered_names
from services.ingest.plan.source_columns import SourceColumn
from services.ingest.read.csv.quoting import FIELDS_LIMIT
from services.ingest.read.csv.sample import Record, Sample, is_number_or_date, typed_fields
from services.ingest.read.errors import HeaderDoubtfulError, RecordTooLargeError, WrongFileKindError

PREAMBLE_RECORDS = 50
DOUBTED_RECORDS = 10
"""Behind so many the names of the columns are not looked for."""
ROWS_SHARE = 0.8
"""So many of the records behind a preamble and its header must be like the header."""
LEADING = (b"|", b"\t")
"""Delimiters with which programs begin lines."""
_RECORD_SEPARATOR = b"\x1e"
NO_HEADER = "none"
AUTO = "auto"


@dataclass(frozen=True, slots=True)
class Header:
    """The record that names the columns, at the place `at` of the sample; None without one."""

    record: Record | None
    at: int
    width: int
    """How many columns there are."""
    trailing: bool
    """Records end with one more delimiter."""
    leading: bool
    """Records begin with a delimiter."""
    fits: bool
    """Whether most rows have as many fields as the header."""

    doubts: Mapping[int, str] = field(default_factory=dict)
    """Columns, by place, and what else the header may be, if they turn out to be text."""

    @property
    def rows_from(self) -> int:
        """The place in the sample at which the rows begin."""
        return self.at if self.record is None else self.at + 1

    @property
    def widths(self) -> tuple[int, ...]:
        """How many fields a record may have."""
        least = self.leading + self.width
        return (least, least + 1) if self.trailing else (least,)

    @property
    def texts(self) -> tuple[str, ...]:
        """The names."""
        return () if self.record is None else self.record.texts[self.leading :][: self.width]

    def columns(self, texts: Sequence[str] | None = None) -> tuple[SourceColumn, ...]:
        """The columns with these names, or by default with all that it has."""
        if self.record is None:
            return named_columns(numbered_names(self.width))
        columns = named_columns(self.texts if texts is None else texts)
        return tuple(
            replace(column, doubt=self.doubts.get(at)) for at, column in enumerate(columns)
        )


def header_of(sample: Sample, options: ImportOptions, *, known: frozenset[str]) -> Header:
    """The header by its option, or the first record that is no preamble.

    Raises EmptyFileError, WrongFileKindError, RecordTooLargeError, TooManyColumnsError,
    OptionError.
    """
    records = sample.records
    if not records:
        raise EmptyFileError("the file is empty")
    if options.header_line == NO_HEADER:
        width = sample.width()
        rows = [record for record in records if len(record.fields) == width]
        trailing = width > 1 and all(record.fields[-1] is None for record in rows)
        _refuse_too_many(width)
        return Header(None, 0, width - trailing, trailing, leading=False, fits=True)
    at = _place(sample, options, known)
    header = records[at]
    if not header.fields:
        raise RecordTooLargeError(
            f"the header on line {header.line} opens a quote that is not closed properly: name the"
            " `delimiter`, or send `quote=none` or `escape=backslash`"
        )
    if _RECORD_SEPARATOR in header.raw:
        raise WrongFileKindError(
            "the records end with the control character U+001E, which is no line end: save the file"
            " with line ends first"
        )
    _refuse_too_many(len(header.fields))
    width = sample.width(behind=at + 1) or len(header.fields)
    rows = [record for record in records[at + 1 :] if len(record.fields) == width]
    trailing = (
        width > 1
        and bool(rows)
        and all(record.fields[-1] is None for record in rows)
        and (len(header.fields) == width - 1 or header.fields[-1] is None)
        and len(header.fields) in (width - 1, width)
    )
    columns = width - 1 if trailing else len(header.fields)
    leading = (
        sample.dialect.delimiter in LEADING
        and columns > 1
        and bool(rows)
        and all(record.fields[0] is None for record in (header, *rows))
    )
    fits = trailing or len(header.fields) == width
    found = Header(header, at, columns - leading, trailing, leading, fits=fits)
    if options.header_line == AUTO and not known.issuperset(found.texts):
        doubts = _other_lines(records, found)
        if found.width == 1 and options.delimiter is None and (words := _words(records[at:])):
            doubts[0] = words
        return replace(found, doubts=doubts)
    return found


def _words(records: Sequence[Record]) -> str | None:
    """What parts lines that have no delimiter, but as many words each."""
    counts = {len(record.raw.split()) for record in records}
    if len(counts) > 1 or counts == {1}:
        return None
    if any(b"  " in record.raw.strip() for record in records):
        return (
            f"each line has {counts.pop()} words: if they are columns of a fixed width, save the"
            " file with a delimiter first"
        )
    return f"each line has {counts.pop()} words: if they are columns, send `delimiter=space`"


def _other_lines(records: Sequence[Record], header: Header) -> dict[int, str]:
    """Columns → the line that may name them: rows of text alone, as wide as the table, are above.

    Nothing tells `Generated:,2024-01-05` above `name,amount` from a header and a row, but that
    the column has numbers from there on.
    """
    wide = [each for each in records[header.rows_from :] if len(each.fields) in header.widths]
    rows = [record.texts[header.leading :][: header.width] for record in wide]
    doubts: dict[int, str] = {}
    for at in range(header.width):
        cells = [row[at] for row in rows]
        last = next(
            (
                place
                for place in reversed(range(len(cells)))
                if cells[place] and not is_number_or_date(cells[place])
            ),
            len(cells),
        )
        behind = sum(bool(cell) for cell in cells[last + 1 :])
        if last < DOUBTED_RECORDS and behind > last and _may_name(rows[last]):
            line = wide[last].line
            doubts[at] = f"if line {line} holds the names of the columns, send `header_line={line}`"
    return doubts


def _may_name(texts: Sequence[str]) -> bool:
    """Whether a record has words alone, each once."""
    return (
        all(any(map(str.isalpha, text)) for text in texts)
        and len(set(texts)) == len(texts)
        and not any(is_number_or_date(text) for text in texts)
    )


def _refuse_too_many(fields: int) -> None:
    if fields > FIELDS_LIMIT:
        raise TooManyColumnsError(
            f"the header has more than {FIELDS_LIMIT:,} columns; a table has at most"
            f" {COLUMN_LIMIT:,}"
        )


def refuse_doubtful(header: Header, options: ImportOptions, known: frozenset[str]) -> None:
    """Raise HeaderDoubtfulError where most names are numbers or dates that nobody knows."""
    names = [name for name in header.texts if name]
    numbers = [name for name in names if is_number_or_date(name)]
    if options.header_line != AUTO or known.issuperset(names):
        return
    if len(numbers) * 2 > len(header.texts):
        shown = ", ".join(f"'{name}'" for name in header.texts[:10])
        raise HeaderDoubtfulError.of(
            "header_line",
            HeaderDoubtfulError.code,
            f"the first line ({shown}) looks like a row, not like names: send `header_line=none`"
            " if there are none, or `header_line=1` if these are the names",
        )


def _place(sample: Sample, options: ImportOptions, known: frozenset[str]) -> int:
    records = sample.records
    if options.header_line != AUTO:
        line = int(options.header_line)
        for at, record in enumerate(records):
            if record.line == line:
                return at
        raise OptionError.of(
            "header_line", "invalid_option", f"there is no header on line {line} of the file"
        )
    width = sample.width()
    first = next(
        (
            at
            for at, record in enumerate(records)
            if record.filled or _is_unsplit(record, sample, width)
        ),
        0,
    )
    width = sample.width(behind=first + 1)
    if width < 2 or not records[first].fields:
        return first
    for at, record in enumerate(records[: first + PREAMBLE_RECORDS]):
        if len(record.fields) == width and _is_named(sample, at, width):
            return at if at > first and _is_header(sample, at, width, known) else first
        if _is_unsplit(record, sample, width) or not _is_preamble(record, width):
            return first
    return first


def _is_unsplit(record: Record, sample: Sample, width: int) -> bool:
    """Whether a record that cannot be split has the delimiters of a row."""
    delimiters = record.raw.count(sample.dialect.delimiter)
    return not record.fields and 1 < width <= delimiters + 1


def _is_named(sample: Sample, at: int, width: int) -> bool:
    """Whether a record has a name for every field, but for one that is empty in every row."""
    record, rows = sample.records[at], sample.records[at + 1 :]
    unnamed = {place for place, text in enumerate(record.texts) if not text}
    return not unnamed or (
        unnamed <= {0, width - 1}
        and len(unnamed) < width
        and not any(
            row.texts[place] for row in rows for place in unnamed if len(row.fields) > place
        )
    )


def _is_preamble(record: Record, width: int) -> bool:
    """Whether a record cannot be a header: a line of text, or a title padded with delimiters."""
    if len(record.fields) <= 1 or not record.filled:
        return True
    texts = record.texts
    return width > 2 and bool(texts[0]) and record.filled <= width // 2


def _is_header(sample: Sample, at: int, width: int, known: frozenset[str]) -> bool:
    """Whether a record behind a preamble is one of names, beyond doubt."""
    records, header = sample.records, sample.records[at]
    rows = [record for record in records[at + 1 :] if len(record.fields) == width]
    if len(rows) < ROWS_SHARE * len(records[at + 1 :]) or not rows:
        return False
    # In running text a blank follows a comma.
    if any(field and field.startswith(b" ") for field in header.fields[1:]):
        return False
    if any(is_number_or_date(text) for text in header.texts):
        return False
    if known and known.issuperset(header.texts):
        return True
    before = records[:at]
    titles = any(len(record.raw.split()) > 1 or b":" in record.raw for record in before)
    gap = header.line - before[-1].line > 1 + before[-1].raw.count(b"\n")
    return titles or gap or bool(typed_fields(rows, width))
