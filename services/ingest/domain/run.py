"""An import from its request to its end: states, submissions, claims, endings."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NewType

from services.ingest.domain.former import FormerRows
from services.ingest.domain.options import OPTIONS, Edited, ImportKind, ImportOptions
from services.ingest.domain.outcome import FormatFound, InferredColumn, Intent, Reason, RowCounts
from shared.contracts.auth import Caller
from shared.contracts.ingest import Profile
from shared.contracts.problem import ProblemDocument

ImportId = NewType("ImportId", int)


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


class MailState(StrEnum):
    """What became of a mail to an address that is not the submitter's own."""

    SENT = "sent"
    GATHERED = "gathered"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class StoredUpload:
    """A file as it came in: written once to storage, hashed on the way."""

    path: str
    """Its name in storage; never made from what the caller called it."""
    file_name: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Undone:
    """When an import was taken back, by whom, and by which import."""

    at: datetime
    by: str
    """As people read it."""
    import_id: ImportId


@dataclass(frozen=True, slots=True)
class FeedRef:
    """The feed that an import is a run of; `id` is None once the feed was removed."""

    id: int | None
    name: str
    generation: int
    """The feed's generation when the run was queued."""


@dataclass(frozen=True, slots=True)
class FeedOutcome:
    """What a run meant for its feed."""

    unchanged: bool = False
    """The file is the one that was loaded last, so nothing was done."""
    column: str | None = None
    """Of an incremental feed: the column, and the part of its values that was read."""
    after: str | None = None
    up_to: str | None = None
    nulls: int = 0
    """Rows that were left out because the column is NULL."""


@dataclass(frozen=True, slots=True)
class RehearsedFile:
    """The file that a dry run read and that its commit does not read again."""

    file_name: str | None
    content_sha256: str | None
    size_bytes: int
    """Of the rows that are kept instead."""


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """What a caller asks for, whatever the rows come from."""

    kind: ImportKind
    options: ImportOptions = field(default_factory=ImportOptions)
    table: str | None = None
    """None for the catalog kinds."""
    etl_name: str | None = None
    email: str | None = None
    follows: ImportId | None = None
    """The import that this one corrects, commits or takes back."""
    rows_of: ImportId | None = None
    """The import whose rows they are, where that is another: the first one of corrections."""
    edited: Edited | None = None
    """Of an undo."""


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
    feed: FeedRef | None = None
    planned_at: datetime | None = None
    """The tick of the feed's schedule; one tick queues one import."""
    rehearsed: RehearsedFile | None = None
    """Of a commit."""

    @classmethod
    def of(
        cls,
        request: ImportRequest,
        *,
        caller: Caller,
        evidence: Sequence[object],
        upload: StoredUpload | None = None,
        request_key: str | None = None,
        feed: FeedRef | None = None,
        rehearsed: RehearsedFile | None = None,
    ) -> "Submission":
        """`evidence` (JSON values) is what besides the request makes two submissions the same."""
        same = [
            request.kind.value,
            caller.sub,
            request.table,
            OPTIONS.dump_python(request.options, mode="json"),
            request.etl_name,
            request.email,
            request.follows,
            request.edited,
            *evidence,
        ]
        digest = hashlib.sha256(json.dumps(same, sort_keys=True).encode())
        return cls(
            request=request,
            caller=caller,
            upload=upload,
            idempotency_key=digest.hexdigest(),
            request_key=request_key,
            feed=feed,
            rehearsed=rehearsed,
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
    alone: bool
    """It ran in a worker that died, and now runs in a process of its own."""
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
    feed: FeedRef | None
    feed_outcome: FeedOutcome | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    follows: ImportId | None = None
    """The import that this one corrects, commits or takes back."""
    edited: Edited | None = None
    """Of an undo."""
    undone: Undone | None = None
    trace_parent: str | None = None
    """The span of the request that submitted it, in the form of a `traceparent` header."""
    content_sha256: str | None = None
    rehearsal_path: str | None = None
    """Of a dry run: where its judged rows are kept."""
    rows_of: ImportId | None = None
    """The import whose rows they are, where that is another: the first one of corrections."""

    @property
    def is_commit(self) -> bool:
        """Whether it loads the rows that a dry run judged."""
        return self.follows is not None and self.kind in (ImportKind.FILE, ImportKind.DATABASE)

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
    former_bytes: int
    """In storage, of rows kept for undo."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A run that one worker has; every write of this attempt names the lease."""

    run: Run
    exhausted: bool
    """It was tried as often as allowed already, and must fail now with its last error."""


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
    rehearsal_path: str | None = None
    reading: bytes | None = None
    intents: tuple[Intent, ...] = ()
    columns: tuple[tuple[str, str], ...] = ()
    """As of `Outcome`."""
    table_oid: int | None = None
    former: FormerRows | None = None
    profile: Profile | None = None
