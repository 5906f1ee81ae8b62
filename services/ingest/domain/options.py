"""What an import is asked to do: its kind, its modes and its options."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from pydantic import TypeAdapter


class ImportKind(StrEnum):
    """Where an import's rows come from, and where they go (a table, or the catalog)."""

    FILE = "file"
    DATABASE = "database"
    CATALOG_FILE = "catalog_file"
    CATALOG_DATABASE = "catalog_database"
    CORRECTION = "correction"
    """Refused rows of an earlier import, corrected; they enter as rows of that import."""
    UNDO = "undo"
    """Takes an earlier import back."""


class Edited(StrEnum):
    """What an undo does where records have been edited or deleted since the import."""

    REFUSE = "refuse"
    KEEP = "keep"
    """They stay as they are now."""
    OVERWRITE = "overwrite"
    """They become what they were before the import."""


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
    ADD = "add"


class Numbers(StrEnum):
    """What may stand around the digits of a number."""

    PLAIN = "plain"
    LENIENT = "lenient"
    """Currency signs, groups of digits, parentheses, a minus behind, percent."""


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
