"""What an import is, free of HTTP, SQL and queues."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NewType

from pydantic import TypeAdapter

from shared.contracts.auth import Caller
from shared.contracts.problem import ProblemDocument

ImportId = NewType("ImportId", int)


class ImportKind(StrEnum):
    """Where an import's rows come from, and where they go (a table, or the catalog)."""

    FILE = "file"
    DATABASE = "database"
    CATALOG_FILE = "catalog_file"
    CATALOG_DATABASE = "catalog_database"


class State(StrEnum):
    """Where an import is in its life; the last three are final."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether nothing more happens by itself."""
        return self not in (State.QUEUED, State.RUNNING)


class Mode(StrEnum):
    """What happens to the rows that are in the table already."""

    APPEND = "append"
    UPSERT = "upsert"
    REPLACE = "replace"


class OnError(StrEnum):
    """What one bad row does to the import."""

    SKIP = "skip"
    ABORT = "abort"


class OnDuplicate(StrEnum):
    """Which of several rows with one key of an upsert is loaded."""

    REFUSE = "refuse"
    """The first; the others are refused."""
    FIRST = "first"
    LAST = "last"


class OnBlank(StrEnum):
    """What an empty cell of an upsert does to the record's value."""

    CLEAR = "clear"
    KEEP = "keep"


class OnNewColumn(StrEnum):
    """What becomes of a column that the table has not."""

    REFUSE = "refuse"
    IGNORE = "ignore"


class Numbers(StrEnum):
    """What may stand around the digits of a number."""

    PLAIN = "plain"
    LENIENT = "lenient"
    """Currency signs, groups of digits, parentheses, a minus behind, percent."""


class MailState(StrEnum):
    """What became of a mail to an address that is not the submitter's own."""

    SENT = "sent"
    GATHERED = "gathered"
    STOPPED = "stopped"


class FileFormat(StrEnum):
    """What is in a file."""

    AUTO = "auto"
    CSV = "csv"
    JSON = "json"
    NDJSON = "ndjson"
    XLSX = "xlsx"
    XLS = "xls"
    XLSB = "xlsb"
    ODS = "ods"
    PARQUET = "parquet"
    ARROW = "arrow"

    @property
    def is_text(self) -> bool:
        """Whether its rows are lines of text."""
        return self in (FileFormat.CSV, FileFormat.JSON, FileFormat.NDJSON)


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


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """How to read a file (or query) and what to do with its rows; as the caller gave them."""

    mode: Mode = Mode.APPEND
    key: tuple[str, ...] = ()
    on_error: OnError = OnError.SKIP
    max_errors: int | None = None
    dry_run: bool = False
    create_table: bool = False
    format: FileFormat = FileFormat.AUTO
    delimiter: str | None = None
    quote: str | None = None
    encoding: str | None = None
    null_values: tuple[str, ...] = ()
    date_format: str | None = None
    """One format, or several with `|` between them."""
    century_from: int | None = None
    """The first of the hundred years of two-digit years."""
    decimal: str | None = None
    """`.` or `,`; None leaves it to the file."""
    thousands: str | None = None
    numbers: Numbers = Numbers.PLAIN
    sheet: str | None = None
    """A sheet of a workbook, by its name or its number from 1."""
    member: str | None = None
    """A file in an archive."""
    mapping: Mapping[str, str | None] = field(default_factory=dict)
    """File column → table column; None drops it."""
    types: Mapping[str, str] = field(default_factory=dict)
    """With `create_table`: column → type, as a field type is written."""
    on_duplicate: OnDuplicate = OnDuplicate.REFUSE
    on_blank: OnBlank = OnBlank.CLEAR
    on_new_column: OnNewColumn = OnNewColumn.REFUSE
    allow_empty: bool = False
    header_line: str = "auto"
    """`auto`, `none`, or the number of its line."""
    footer_lines: int = 0
    fill_short: bool = False
    force_encoding: bool = False
    escape: str = "none"
    """`none` or `backslash`."""
    comment: str | None = None
    trim: str = "auto"
    """`auto`, `all` or `none`."""
    record_path: str | None = None


OPTIONS = TypeAdapter(ImportOptions)
"""Options to JSON and back."""


@dataclass(frozen=True, slots=True)
class RowCounts:
    """Rows of an import; `loaded` = `inserted` + `updated`.

    `read` is `loaded` + `rejected`, and of an upsert that takes one row of several with one key
    the others, which are superseded.
    """

    read: int = 0
    loaded: int = 0
    rejected: int = 0
    inserted: int = 0
    updated: int = 0


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

    Of a catalog file: a column that it need not have, of the type `ignored`.
    """

    column: str
    type: str
    because: str


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
class Outcome:
    """What a load did, known before its COMMIT; the fence writes it to the run's row."""

    rows: RowCounts
    bytes_read: int
    format: FormatFound | None
    inferred: tuple[InferredColumn, ...] = ()
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class StoredUpload:
    """A file as it came in: written once to storage, hashed on the way."""

    path: str
    """Its name in storage; never made from what the caller called it."""
    file_name: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """What a caller asks for, whatever the rows come from."""

    kind: ImportKind
    options: ImportOptions = ImportOptions()
    table: str | None = None
    """None for the catalog kinds."""
    etl_name: str | None = None
    email: str | None = None


@dataclass(frozen=True, slots=True)
class Submission:
    """What a caller asks for, with the evidence of what it is, ready to be queued."""

    request: ImportRequest
    caller: Caller
    upload: StoredUpload | None
    """None where rows come from another database."""
    idempotency_key: str
    """Two submissions of the same key are one import while that is queued or running."""
    request_key: str | None
    """The caller's `Idempotency-Key`, of an upload; its body is never the same twice."""

    @classmethod
    def of(
        cls,
        request: ImportRequest,
        *,
        caller: Caller,
        evidence: Sequence[object],
        upload: StoredUpload | None = None,
        request_key: str | None = None,
    ) -> "Submission":
        """`evidence` (JSON values) is what besides the request makes two submissions the same."""
        same = [
            request.kind.value,
            caller.sub,
            request.table,
            OPTIONS.dump_python(request.options, mode="json"),
            request.etl_name,
            request.email,
            *evidence,
        ]
        digest = hashlib.sha256(json.dumps(same, sort_keys=True).encode())
        return cls(
            request=request,
            caller=caller,
            upload=upload,
            idempotency_key=digest.hexdigest(),
            request_key=request_key,
        )


@dataclass(frozen=True, slots=True)
class Run:
    """An import as its row says it."""

    id: ImportId
    kind: ImportKind
    state: State
    table: str | None
    options: ImportOptions
    etl_name: str | None
    email: str | None
    file_name: str | None
    caller: Caller
    request_id: str | None
    idempotency_key: str
    upload_path: str | None
    attempt: int
    lease: int
    made_table_oid: int | None
    last_error: str | None
    revision: int
    rows: RowCounts
    bytes_read: int
    bytes_total: int | None
    format: FormatFound | None
    inferred: tuple[InferredColumn, ...]
    reasons: tuple[Reason, ...]
    error: ProblemDocument | None
    reject_pass: int
    rejects_path: str | None
    mail: MailState | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None

    @property
    def feeding_etl(self) -> str | None:
        """The ETL that the catalog names: as given, else the file's name."""
        return self.etl_name or self.file_name

    def elapsed_s(self, now: datetime) -> float:
        """Seconds from the start of the newest attempt to its end, or to `now`; 0 before it."""
        if self.started_at is None:
            return 0.0
        return max(0.0, ((self.finished_at or now) - self.started_at).total_seconds())

    def rows_per_s(self, now: datetime) -> int:
        """Rows read per second of the newest attempt."""
        elapsed_s = self.elapsed_s(now)
        return round(self.rows.read / elapsed_s) if elapsed_s > 0 else 0

    def eta_s(self, now: datetime) -> int | None:
        """Seconds until the file is read to its end at the speed so far; 0 in a final state."""
        if self.state.is_final:
            return 0
        if self.state is not State.RUNNING or not self.bytes_total or self.bytes_read <= 0:
            return None
        left_bytes = max(0, self.bytes_total - self.bytes_read)
        return round(left_bytes * self.elapsed_s(now) / self.bytes_read)


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Which imports of those that the caller may see."""

    state: State | None = None
    table: str | None = None
    before: int | None = None
    """Only ids below this one: where the page before ended."""


@dataclass(frozen=True, slots=True)
class QueueFigures:
    """What an operator watches."""

    by_state: Mapping[State, int]
    oldest_queued_s: float
    rows_per_s: float
    """Over all that run now."""
    intents: int
    """Mails and edges that wait to be delivered."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A run that one worker has; every write of this attempt names the lease."""

    run: Run
    exhausted: bool
    """It was tried as often as allowed already, and must fail now with its last error."""


@dataclass(frozen=True, slots=True)
class Intent:
    """What must follow the commit of a final state: a mail, a catalog edge, a table dropped."""

    kind: str
    fields: Mapping[str, object]
    """JSON values."""


@dataclass(frozen=True, slots=True)
class Ending:
    """A final state, with all that is written in the one statement that makes it true."""

    state: State
    rows: RowCounts
    bytes_read: int
    format: FormatFound | None
    inferred: tuple[InferredColumn, ...]
    reasons: tuple[Reason, ...]
    error: ProblemDocument | None
    rejects_path: str | None
    intents: tuple[Intent, ...] = ()
