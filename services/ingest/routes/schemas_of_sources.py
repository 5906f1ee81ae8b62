"""Wire models of saved sources."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from services.ingest.connections.domain import Login, SavedConnection, SourceKind, SourceTarget
from services.ingest.routes.schemas import Name
from services.ingest.routes.schemas_of_connections import (
    ORACLE_EXAMPLE,
    POSTGRESQL_EXAMPLE,
    OracleGiven,
    Password,
    Port,
    PostgresqlGiven,
    Word,
)
from shared.contracts.base import AnswerModel, RequestModel, StorableText

S3_EXAMPLE = {
    "kind": "s3",
    "region": "eu-central-1",
    "user": "AKIAIOSFODNN7EXAMPLE",
    "password": "secret",
}
SAVED_EXAMPLES = {
    "postgresql": {"value": {"name": "crm", **POSTGRESQL_EXAMPLE}},
    "oracle": {"value": {"name": "people", **ORACLE_EXAMPLE}},
    "s3": {"value": {"name": "lake", **S3_EXAMPLE}},
}


class NamedPostgresql(PostgresqlGiven):
    """A PostgreSQL database to be saved."""

    name: Name


class NamedOracle(OracleGiven):
    """An Oracle database to be saved."""

    name: Name


class NamedS3(RequestModel):
    """The keys to files in S3, to be saved; `host` is that of AWS for the region, unless given."""

    kind: Literal["s3"]
    name: Name
    host: Word | None = None
    port: Annotated[Port | None, Field(description="443, or 80 without `tls`.")] = None
    region: Annotated[StorableText, Field(pattern=r"^[A-Za-z0-9-]{1,64}$")] = "us-east-1"
    user: Annotated[Word, Field(description="The access key's id.")]
    password: Annotated[Password, Field(description="The secret access key.")]
    tls: bool = True

    def login(self) -> Login:
        """The log-in that it is."""
        target = SourceTarget(
            kind=SourceKind.S3,
            host=self.host or f"s3.{self.region}.amazonaws.com",
            port=self.port or (443 if self.tls else 80),
            user=self.user,
            tls=self.tls,
            region=self.region,
        )
        return Login(target, self.password.get_secret_value())


SourceToSave = Annotated[NamedPostgresql | NamedOracle | NamedS3, Field(discriminator="kind")]


class SourceAnswer(AnswerModel):
    """A saved source; without its password."""

    id: int
    name: str
    kind: SourceKind
    host: str
    port: int
    database: str | None
    service_name: str | None
    sid: str | None
    region: str | None
    user: str
    tls: bool | None
    owner: str
    created_at: datetime


def source_answer(saved: SavedConnection) -> SourceAnswer:
    """A saved connection as its owner sees it."""
    return SourceAnswer.of(
        saved.target,
        id=saved.id,
        name=saved.name,
        owner=saved.owner_label,
        created_at=saved.created_at,
    )


class SourceTested(AnswerModel):
    """A log-in that worked, and who answered."""

    status: Literal["ok"] = "ok"
    server: str
    """For example `PostgreSQL 18.6`."""
    duration_ms: float
