"""What the command reads out of the server's answers; fields that it does not need are left out."""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from pydantic import Field

from shared.contracts.base import AnswerModel
from shared.contracts.problem import ProblemDocument


class TokenPair(AnswerModel):
    """What a sign-in answers."""

    access: str
    refresh: str


class Column(AnswerModel):
    """A column of a table."""

    name: str
    type: str
    nullable: bool = True
    unique: bool = False
    default: object = None
    description: str | None = None
    rules: Mapping[str, object] | None = None


class Table(AnswerModel):
    """A table as its owner sees it."""

    name: str
    columns: tuple[Column, ...] = ()
    unique: tuple[tuple[str, ...], ...] = ()
    """The unique keys of several columns."""
    ignored: tuple[str, ...] = ()
    """Keywords of a JSON Schema that were left out."""
    estimated_rows: int | None = None
    owner: str | None = None
    version: int | None = None
    description: str | None = None


class Rows(AnswerModel):
    """Rows of an import; in a dry run, what would have happened."""

    read: int
    loaded: int
    rejected: int
    inserted: int
    updated: int


class Bytes(AnswerModel):
    """Bytes of the stored file; `total` is null for another database's rows."""

    read: int
    total: int | None = None


class Inferred(AnswerModel):
    """A column made by `create_table`, and the value that ruled the narrower type out."""

    column: str
    type: str
    because: str
    source: str | None = None


class Reason(AnswerModel):
    """How often rows were refused for one reason in one column."""

    column: str | None = None
    code: str
    count: int
    first_line: int


class Links(AnswerModel):
    """Where more about an import is."""

    self: str
    events: str
    errors: str
    rejects: str


class Import(AnswerModel):
    """An import, on its way or done."""

    id: int
    kind: str
    follows: int | None = None
    table: str | None = None
    mode: str
    state: Literal["queued", "running", "succeeded", "failed", "cancelled"]
    attempt: int
    dry_run: bool = False
    rows: Rows
    bytes: Bytes
    unchanged: bool = False
    inferred: tuple[Inferred, ...] = ()
    reasons: tuple[Reason, ...] = ()
    deleted: int = 0
    rows_per_s: int | None = None
    eta_s: float | None = None
    error: ProblemDocument | None = None
    etl_name: str | None = None
    submitted_by: str | None = None
    created_at: datetime
    finished_at: datetime | None = None
    links: Links

    @property
    def is_over(self) -> bool:
        """Whether nothing more happens by itself."""
        return self.state not in ("queued", "running")


class PastRun(AnswerModel):
    """A run in a feed's history."""

    id: int
    state: str
    rows: Rows
    seconds: float | None = None
    unchanged: bool = False


class Origin(AnswerModel):
    """Where a feed's rows come from."""

    kind: str
    url: str | None = None
    source_id: int | None = None
    table: str | None = None


class Feed(AnswerModel):
    """An import that comes again."""

    name: str
    table: str
    origin: Origin = Field(alias="from")
    health: str
    last_import: int | None = None
    next_run_at: datetime | None = None
    cursor: str | None = None
    history: tuple[PastRun, ...] = ()

    @property
    def source(self) -> str:
        """Where the rows come from, in words."""
        origin = self.origin
        if origin.kind in ("http", "s3"):
            return origin.url or origin.kind
        if origin.kind == "database":
            return f"source {origin.source_id}, {origin.table or 'a query'}"
        return "files that are sent"


class Reject(AnswerModel):
    """One reason against one row."""

    line: int
    column: str | None = None
    code: str
    message: str
    value: str | None = None


class EtlItem(AnswerModel):
    """An ETL in a list."""

    name: str
    description: str | None = None
    table_count: int | None = None


class CatalogTableItem(AnswerModel):
    """A table in the catalog's list."""

    schema_name: str | None = Field(alias="schema")
    name: str
    namespace: str | None = None
    etl_count: int | None = None
    description: str | None = None


class LineageNode(AnswerModel):
    """A table, an ETL or a column on a walk."""

    id: str
    kind: Literal["table", "etl", "column"]
    distance: int
    schema_name: str | None = Field(default=None, alias="schema")
    name: str | None = None
    table: str | None = None
    column: str | None = None
    dropped: bool = False

    @property
    def label(self) -> str:
        """How people read it."""
        if self.kind == "etl":
            return f"[{self.name}]"
        parts = (self.schema_name, self.table or self.name)
        label = ".".join(part for part in parts if part is not None)
        if self.kind == "column":
            label += f".{self.column}" if self.column is not None else " (rows)"
        return f"{label} (dropped)" if self.dropped else label


class LineageEdge(AnswerModel):
    """From one node to another, by their ids."""

    source: str
    target: str


class LineageAnswer(AnswerModel):
    """What a walk came by."""

    root: str
    nodes: list[LineageNode]
    edges: list[LineageEdge]
    truncated: bool


class SearchHit(AnswerModel):
    """A table, a column or an ETL that a search found."""

    kind: str
    schema_name: str | None = Field(alias="schema")
    table: str | None
    name: str
    namespace: str | None
    description: str | None
    tags: list[str]

    @property
    def label(self) -> str:
        """How people read it."""
        parts = (self.schema_name, self.table, self.name)
        return ".".join(part for part in parts if part is not None)


class Source(AnswerModel):
    """A saved connection."""

    id: int
    name: str
    kind: str
    host: str
    port: int
    user: str
    database: str | None = None
    service_name: str | None = None
    sid: str | None = None
    region: str | None = None

    @property
    def what(self) -> str | None:
        """The database, Oracle service or SID, or the region of S3."""
        return self.database or self.service_name or self.sid or self.region


class Disabled(AnswerModel):
    """Why nothing is sent to a webhook any more."""

    reason: str


class Webhook(AnswerModel):
    """A program that is called when something happens."""

    id: int
    url: str
    events: tuple[str, ...]
    table: str | None = None
    failing_since: datetime | None = None
    disabled: Disabled | None = None

    @property
    def state(self) -> str:
        """Whether messages get through, in words."""
        if self.disabled is not None:
            return f"disabled ({self.disabled.reason})"
        return (
            "enabled"
            if self.failing_since is None
            else f"failing since {self.failing_since:%Y-%m-%dT%H:%MZ}"
        )


class Delivery(AnswerModel):
    """One message to a webhook."""

    id: int
    type: str
    state: str
    attempts: int
    next_at: datetime | None = None
    last_status: int | None = None
    last_error: str | None = None


class ApiKey(AnswerModel):
    """A key, without its text."""

    id: str
    name: str
    scopes: tuple[str, ...]
    expires_at: datetime


class Grant(AnswerModel):
    """Who may do what with a table."""

    identifier: str
    level: str
    granted_at: datetime


class User(AnswerModel):
    """A person's account."""

    id: str
    email: str
    username: str | None = None
    role: str
    disabled: bool
    has_password: bool


class MachineClient(AnswerModel):
    """A machine client, without its secret."""

    id: str
    name: str
    scopes: tuple[str, ...]
    created_by: str
