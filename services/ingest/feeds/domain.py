"""What a feed is: an import that comes again. Free of HTTP, SQL and queues."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal, NewType

from pydantic import Discriminator, TypeAdapter

from services.ingest.connections.domain import Selection, SourceId
from services.ingest.domain.options import ImportOptions, Mode
from services.ingest.domain.outcome import RowCounts
from services.ingest.domain.run import FeedRef, ImportId, State
from services.ingest.feeds.schedule import Schedule
from shared.contracts.auth import Caller

FeedId = NewType("FeedId", int)


@dataclass(frozen=True, slots=True)
class Push:
    """Whoever has a file sends it."""

    kind: Literal["push"] = "push"


@dataclass(frozen=True, slots=True)
class DatabaseRows:
    """A table or query of a saved connection."""

    source_id: SourceId
    selection: Selection
    kind: Literal["database"] = "database"


@dataclass(frozen=True, slots=True)
class HttpFile:
    """A file that is fetched; the values of its headers are sealed in the feed's row."""

    url: str
    header_names: tuple[str, ...] = ()
    kind: Literal["http"] = "http"


@dataclass(frozen=True, slots=True)
class S3File:
    """An object of S3, `s3://bucket/key`, fetched with the keys of a saved connection."""

    url: str
    source_id: SourceId
    kind: Literal["s3"] = "s3"


Origin = Annotated[Push | HttpFile | S3File | DatabaseRows, Discriminator("kind")]
FETCHED = (HttpFile, S3File)
"""Origins whose file a run fetches."""
OF_SOURCES = (S3File, DatabaseRows)
"""Origins that a saved connection is needed for."""


@dataclass(frozen=True, slots=True)
class Incremental:
    """Only rows whose `column` is beyond the highest value that was loaded."""

    column: str
    start: str | None = None
    """Where the first run begins; None takes every row."""
    lookback: str | None = None
    """How far before the cursor each run begins: a number, or an ISO 8601 duration."""


@dataclass(frozen=True, slots=True)
class Expectations:
    """What must hold before a run commits; `every` is an ISO 8601 duration between successes."""

    every: str | None = None
    min_rows: int | None = None
    max_rejected: int | None = None
    max_rejected_share: float | None = None


@dataclass(frozen=True, slots=True)
class FeedSettings:
    """What its owner says of a feed."""

    table: str
    options: ImportOptions = field(default_factory=ImportOptions)
    origin: Origin = Push()
    schedule: Schedule | None = None
    incremental: Incremental | None = None
    expect: Expectations = Expectations()
    etl_name: str | None = None
    email: str | None = None
    paused: bool = False

    @property
    def rows_of(self) -> tuple[Any, ...]:
        """What decides which rows a run loads, and how."""
        return (self.table, self.options, self.origin, self.incremental)

    @property
    def cursor_column(self) -> str | None:
        """The column of an incremental feed."""
        return None if self.incremental is None else self.incremental.column

    @property
    def is_inclusive(self) -> bool:
        """Whether an incremental run reads the rows at the cursor again: an upsert may."""
        return self.options.mode is Mode.UPSERT


SETTINGS = TypeAdapter(FeedSettings)


class Health(StrEnum):
    """How a feed does."""

    NEW = "new"
    """No run has ended yet."""
    OK = "ok"
    LATE = "late"
    """The last success is longer ago than `every`."""
    FAILING = "failing"
    PAUSED = "paused"


@dataclass(frozen=True, slots=True)
class SeenFile:
    """The file that was loaded last."""

    sha256: str
    import_id: ImportId
    etag: str | None = None
    last_modified: str | None = None
    """What the server said of its version."""


SEEN = TypeAdapter(SeenFile)


@dataclass(frozen=True, slots=True)
class PastRun:
    """One run in a feed's history."""

    id: ImportId
    state: State
    rows: RowCounts
    seconds: float | None
    unchanged: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class SkippedTick:
    """The last time that came while a run was still open."""

    at: datetime
    import_id: ImportId


@dataclass(frozen=True, slots=True)
class Feed:
    """A feed as its row says it."""

    id: FeedId
    name: str
    owner: Caller
    settings: FeedSettings
    version: int
    """Rises with every change."""
    generation: int
    """Rises with what concerns the rows, and with every reset."""
    cursor: str | None
    seen: SeenFile | None
    next_run_at: datetime | None
    last_success_at: datetime | None
    skipped: SkippedTick | None
    created_at: datetime
    health: Health = Health.NEW
    sealed_headers: bytes | None = field(default=None, repr=False)
    history: tuple[PastRun, ...] = field(default=())
    """Newest first."""

    @property
    def ref(self) -> FeedRef:
        """What a run keeps of its feed."""
        return FeedRef(self.id, self.name, self.generation)


@dataclass(frozen=True, slots=True)
class FeedFilter:
    """Which feeds of those that the caller may see."""

    table: str | None = None
    health: Health | None = None
    after: int = 0
