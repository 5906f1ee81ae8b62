"""What a database source is, free of drivers, HTTP and SQL."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NewType

SourceId = NewType("SourceId", int)


def source_row(source_id: SourceId) -> str:
    """What a saved connection's password is sealed with: the row that holds it."""
    return f"ingest.sources:{source_id}"


class SourceKind(StrEnum):
    """What can be read with a log-in: database systems, and files in S3."""

    POSTGRESQL = "postgresql"
    ORACLE = "oracle"
    S3 = "s3"

    @property
    def default_port(self) -> int:
        """Where such a server listens by custom."""
        return {"postgresql": 5432, "oracle": 1521, "s3": 443}[self.value]


@dataclass(frozen=True, slots=True)
class SourceTarget:
    """Which database or S3 server, as whom; everything but the password.

    PostgreSQL has a `database`; Oracle has either a `service_name` or a `sid`; S3 has a `region`,
    and the id of an access key for a `user`.
    """

    kind: SourceKind
    host: str
    port: int
    user: str
    database: str | None = None
    service_name: str | None = None
    sid: str | None = None
    tls: bool | None = None
    """True: encrypted, and the certificate verified. False: plain. None: PostgreSQL encrypts if
    the server offers it, without verifying; Oracle is plain, S3 encrypted."""
    region: str | None = None

    @property
    def label(self) -> str:
        """How the source is called where nobody gave it a name: `kind://host/database`."""
        what = self.database or self.service_name or self.sid or self.region
        return f"{self.kind.value}://{self.host}/{what}"

    @property
    def namespace(self) -> str:
        """The database as the catalog and OpenLineage call it."""
        scheme = "postgres" if self.kind is SourceKind.POSTGRESQL else "oracle"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{scheme}://{host}:{self.port}/{self.database or self.service_name or self.sid}"


@dataclass(frozen=True, slots=True)
class Login:
    """A target and the password for it, which no representation shows."""

    target: SourceTarget
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class SourceTable:
    """A table or view, as the user names it; `schema` None is the source's own idea.

    `exact`: the parts were quoted, so that their case counts.
    """

    schema: str | None
    name: str
    exact: bool = False


@dataclass(frozen=True, slots=True)
class SourceQuery:
    """A query in the source's own dialect."""

    sql: str


Selection = SourceTable | SourceQuery


@dataclass(frozen=True, slots=True)
class SourceTimeouts:
    """How long a source may keep us waiting."""

    log_in_s: float = 8
    """From the look-up of the host to the end of the log-in; an answer comes within 10 s."""
    answer_s: float = 600
    """For a query's first rows, and between any two pieces of its answer."""
    least_bytes_per_s: float = 100
    """What its rows must come at; see `pace.Pace`."""


@dataclass(frozen=True, slots=True)
class SavedConnection:
    """A saved source as its row says it, password sealed."""

    id: SourceId
    name: str
    owner_label: str
    target: SourceTarget
    sealed_password: bytes
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Sealed:
    """One sealed password and the id of the row that holds it."""

    id: int
    password: bytes


@dataclass(frozen=True, slots=True)
class Trial:
    """A log-in that worked: who answered, for example `PostgreSQL 18.6`, and how long it took."""

    server: str
    duration_ms: float
