"""Imports as the API answers them."""

from datetime import UTC, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from services.ingest.domain.options import FileFormat, ImportKind, Mode, Numbers
from services.ingest.domain.run import FeedOutcome, MailState, Run, State
from shared.contracts.base import AnswerModel
from shared.contracts.ingest import ImportSummary
from shared.contracts.problem import ProblemDocument


class UploadAnswer(AnswerModel):
    """A file that is kept for a day after it was last used."""

    id: UUID
    file_name: str
    size_bytes: int
    received_bytes: int
    sha256: str | None
    """None while a part of it is missing."""
    expires_at: datetime


class Rows(AnswerModel):
    """Rows of an import; in a dry run, what would have happened."""

    read: int
    loaded: int
    rejected: int
    inserted: int
    updated: int
    corrected: int
    """Rows that were refused and entered by a correction; they are not among `rejected`."""


class Bytes(AnswerModel):
    """Bytes of the stored file, compressed if it came so."""

    read: int
    total: int | None


class Format(AnswerModel):
    """What the file turned out to be."""

    name: FileFormat
    encoding: str | None
    delimiter: str | None
    quote: str | None
    compression: Literal["gzip", "zstd", "bzip2", "xz", "zip", "tar"] | None
    sheet: str | None
    """The sheet of a workbook that was read."""
    member: str | None
    """The file in an archive that was read."""
    merged_cells: tuple[str, ...]
    """The first merged ranges of the sheet: only their first cell holds a value."""
    decimal: str | None
    thousands: str | None
    numbers: Numbers | None
    date_formats: tuple[str, ...]
    null_values: tuple[str, ...]
    header_line: int | None
    """The line of the header; null where there is none."""
    skipped: int
    """Lines before the header that are no rows."""
    blank_rows: int
    """Rows of nothing but empty cells, which are left out."""
    repeated_headers: int
    """Rows that repeat the header, which are left out."""
    byte_order_marks: int
    """Marks before rows, as in files that were joined, which are left out."""
    rule_lines: int
    """Lines drawn between rows, which are left out."""
    footer_lines: int
    escape: str | None
    record_path: str | None
    """Where the records are in a JSON document."""
    trim: str | None
    """`all` where blanks around cells were left out."""
    report: bool
    """Whether it is a report of refused rows, corrected and sent again."""


class Inferred(AnswerModel):
    """A column made by `create_table`, and the value that ruled the narrower type out.

    For a table that was there, a column that the file calls otherwise; and with the type `ignored`
    a column that was left out. `source` is the name in the file, where that is another.
    """

    column: str
    type: str
    because: str
    source: str | None = None


class ReasonInSum(AnswerModel):
    """How often rows were refused for one reason in one column, and where first."""

    column: str | None
    code: str
    count: int
    first_line: int


class UndoneAnswer(AnswerModel):
    """When an import was taken back, by whom, and by which import."""

    at: datetime
    by: str
    import_id: Annotated[int, Field(serialization_alias="import")]


class Links(AnswerModel):
    """Where more about an import is."""

    self: str
    events: str
    errors: str
    rejects: str


class CursorMoved(AnswerModel):
    """The part of a database that a run of an incremental feed read."""

    column: str
    after: str | None
    up_to: str | None
    nulls: int
    """Rows that were left out because the column is NULL."""


class ImportAnswer(AnswerModel):
    """An import: what was asked for, how far it is, what became of it."""

    id: int
    kind: ImportKind
    table: str | None
    mode: Mode
    state: State
    attempt: int
    dry_run: bool
    rows: Rows
    bytes: Bytes
    format: Format | None
    inferred: list[Inferred]
    reasons: list[ReasonInSum]
    superseded: int
    """Of an upsert with `on_duplicate`: rows whose key another row of the same file has."""
    skipped: int
    """Rows of a correction that were in already."""
    deleted: int
    """Records that a replace or an undo removed."""
    rows_per_s: int
    eta_s: int | None
    error: ProblemDocument | None
    follows: int | None
    """The import that this one corrects, commits or takes back."""
    undone: UndoneAnswer | None
    etl_name: str | None
    mail: MailState | None
    """Of a mail to an address that is not the submitter's own, once it is due: `gathered` into
    the next one, or `stopped` by who reads it."""
    feed: str | None
    """The feed that it is a run of."""
    unchanged: bool
    """Of a feed: the file is the one that was loaded last, so nothing was done."""
    cursor: CursorMoved | None
    submitted_by: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    links: Links


def import_answer(run: Run) -> ImportAnswer:
    """A run as its caller sees it now."""
    now, path = datetime.now(UTC), f"/api/imports/{run.id}"
    rows = run.rows
    others = rows.loaded + rows.rejected + rows.corrected + rows.skipped
    superseded = rows.read - others if run.state is State.SUCCEEDED else 0
    return ImportAnswer.of(
        run,
        mode=run.options.mode,
        dry_run=run.options.dry_run,
        superseded=superseded,
        skipped=rows.skipped,
        deleted=rows.deleted,
        bytes=Bytes(read=run.bytes_read, total=run.bytes_total),
        rows_per_s=run.rows_per_s(now),
        eta_s=run.eta_s(now),
        etl_name=run.feeding_etl,
        feed=None if run.feed is None else run.feed.name,
        unchanged=run.feed_outcome is not None and run.feed_outcome.unchanged,
        cursor=_cursor_moved(run.feed_outcome),
        submitted_by=run.caller.label,
        links=Links(
            self=path,
            events=f"{path}/events",
            errors=f"{path}/errors",
            rejects=f"{path}/rejects",
        ),
    )


class ImportEvent(AnswerModel):
    """The body of a webhook's message about an import."""

    type: Literal["import.succeeded", "import.failed", "import.cancelled", "import.undone"]
    timestamp: datetime
    """When it happened; a message that is tried again keeps it."""
    data: ImportAnswer


def _cursor_moved(outcome: FeedOutcome | None) -> CursorMoved | None:
    return None if outcome is None or outcome.column is None else CursorMoved.of(outcome)


class RejectAnswer(AnswerModel):
    """One reason against one row."""

    line: int
    column: str | None
    code: str
    message: str
    value: str | None


def summary_of(run: Run) -> ImportSummary:
    """A run in short, for our peers."""
    return ImportSummary.of(
        run,
        etl_name=run.feeding_etl,
        rows_read=run.rows.read,
        rows_loaded=run.rows.loaded,
        rows_rejected=run.rows.rejected,
        submitted_by=run.caller.label,
    )
