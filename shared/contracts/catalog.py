"""What other services tell the catalog."""

from datetime import datetime
from enum import StrEnum

from pydantic import AwareDatetime

from shared.contracts.base import AnswerModel, RequestModel


class TableEventKind(StrEnum):
    """What happened to a table in the schema `data`."""

    CREATED = "created"
    RENAMED = "renamed"
    DROPPED = "dropped"


class TableEvent(RequestModel):
    """`POST /internal/catalog/table-events`: idempotent, may arrive late and out of order."""

    kind: TableEventKind
    schema_name: str
    table_name: str
    new_name: str | None = None
    """Only with `renamed`."""
    description: str | None = None
    occurred_at: AwareDatetime


class EdgeSeen(RequestModel):
    """`POST /internal/catalog/edges`: an ETL fed a table; idempotent.

    Schema, table and ETL are made when unknown.
    """

    etl_name: str
    schema_name: str
    table_name: str
    import_id: int
    seen_at: AwareDatetime


class CatalogTriple(RequestModel):
    """One line (NDJSON) of `POST /internal/catalog/merge?import_id=…`."""

    etl_name: str
    schema_name: str
    table_name: str


class MergeAnswer(AnswerModel):
    """What a bulk merge did: edges that were new, and edges that were known already."""

    received: int
    inserted: int
    known: int
    merged_at: datetime
