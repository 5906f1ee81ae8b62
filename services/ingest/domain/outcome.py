"""What became of an import's rows: counts, rejects, reasons, the format that was found."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from services.ingest.domain.options import FileFormat, Numbers
from shared.contracts.ingest import Profile


class RejectCode(StrEnum):
    """Why a row was refused."""

    TYPE_MISMATCH = "type_mismatch"
    OUT_OF_RANGE = "out_of_range"
    TOO_LONG = "too_long"
    NOT_NULL = "not_null"
    DUPLICATE_IN_FILE = "duplicate_in_file"
    DUPLICATE_IN_TABLE = "duplicate_in_table"
    TOO_MANY_FIELDS = "too_many_fields"
    TOO_FEW_FIELDS = "too_few_fields"
    BAD_ENCODING = "bad_encoding"
    NUL_BYTE = "nul_byte"
    STRAY_QUOTE = "stray_quote"
    AMBIGUOUS_QUOTE = "ambiguous_quote"
    BELOW_MIN = "below_min"
    ABOVE_MAX = "above_max"
    TOO_SHORT = "too_short"
    PATTERN_MISMATCH = "pattern_mismatch"
    NOT_IN_ENUM = "not_in_enum"
    UNKNOWN_REFERENCE = "unknown_reference"


@dataclass(frozen=True, slots=True)
class RowCounts:
    """Rows of an import; `loaded` = `inserted` + `updated`.

    `rejected` are those that are still open. `read` is `loaded` + `rejected` + `corrected` +
    `skipped`, and of an upsert that takes one row of several with one key the others, which are
    superseded.
    """

    read: int = 0
    loaded: int = 0
    rejected: int = 0
    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    """Records that a replace or an undo removed."""
    corrected: int = 0
    """Rows that were refused, and entered by a correction later."""
    skipped: int = 0
    """Rows of a correction that are in already."""


@dataclass(frozen=True, slots=True)
class FormatFound:
    """What a file turned out to be."""

    name: FileFormat
    encoding: str | None = None
    delimiter: str | None = None
    quote: str | None = None
    compression: str | None = None
    """`gzip`, `zstd`, `bzip2`, `xz`, `zip`, `tar` or None."""
    sheet: str | None = None
    member: str | None = None
    merged_cells: tuple[str, ...] = ()
    """The first merged ranges of a sheet, known once it was read to its end."""
    header_line: int | None = None
    """The line of the header; None where there is none."""
    skipped: int = 0
    """Lines before the header."""
    blank_rows: int = 0
    repeated_headers: int = 0
    byte_order_marks: int = 0
    """Marks before records, as in files that were joined."""
    rule_lines: int = 0
    """Lines drawn between rows, as in `+----+-----+`."""
    footer_lines: int = 0
    escape: str | None = None
    trim: str | None = None
    record_path: str | None = None
    null_values: tuple[str, ...] = ()
    report: bool = False
    """Whether it is a report of refused rows."""
    decimal: str | None = None
    thousands: str | None = None
    numbers: Numbers | None = None
    date_formats: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class InferredColumn:
    """A column made by `create_table`, its type, and the evidence against the narrower one.

    Of a table that was there: a column that the file calls otherwise, one whose numbers may be read
    otherwise, a column of the file that goes nowhere, of the type `ignored`, and one that a replace
    fills from nothing, `missing`. `source` is the name in the file, where that is another.
    """

    column: str
    type: str
    because: str
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Reject:
    """One reason against one row; a row with several has several, one after the other.

    `cells` is the row's original text by file column (empty when it could not be split, and then
    `raw` holds the line). `value` is the offending cell, cut to 200 characters.
    """

    line: int
    column: str | None
    code: RejectCode
    message: str
    value: str | None
    cells: tuple[str | None, ...] = ()
    raw: str | None = None


@dataclass(frozen=True, slots=True)
class Reason:
    """How often rows were refused for one reason in one column; `first_line` is the first."""

    column: str | None
    code: RejectCode
    count: int
    first_line: int


@dataclass(frozen=True, slots=True)
class KeptReject:
    """A reject as the JSON view shows it; `ordinal` is its place, from 1."""

    ordinal: int
    line: int
    column: str | None
    code: str
    message: str
    value: str | None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a running import is."""

    rows_read: int
    rows_rejected: int
    bytes_read: int
    bytes_total: int | None
    reasons: tuple[Reason, ...] = ()
    """Why rows were refused so far, most frequent first."""


@dataclass(frozen=True, slots=True)
class Intent:
    """What must follow the commit of a final state: a mail, a catalog edge, a table dropped."""

    kind: str
    fields: Mapping[str, object]
    """JSON values."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a load did, known before its COMMIT; the fence writes it to the run's row."""

    rows: RowCounts
    bytes_read: int
    format: FormatFound | None
    inferred: tuple[InferredColumn, ...] = ()
    reasons: tuple[Reason, ...] = ()
    columns: tuple[tuple[str, str], ...] = ()
    """(of the source, of the table) for each column that was read."""
    table_oid: int | None = None
    intents: tuple[Intent, ...] = ()
    """What else must follow its commit."""
    reading: bytes | None = None
    """As JSON how the rows were read, where some were refused (`load.reading`)."""
    profile: Profile | None = None
    """What is in the rows; None where nobody looked at them."""
