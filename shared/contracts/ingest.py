"""What ingest tells other services of its imports."""

from datetime import datetime
from typing import Literal

from shared.contracts.base import AnswerModel


class ImportSummary(AnswerModel):
    """One import in short; `table` is null for imports into the catalog itself."""

    id: int
    state: Literal["queued", "running", "succeeded", "failed", "cancelled"]
    kind: Literal["file", "database", "catalog_file", "catalog_database"]
    table: str | None = None
    etl_name: str | None = None
    rows_read: int
    rows_loaded: int
    rows_rejected: int
    created_at: datetime
    finished_at: datetime | None = None
    submitted_by: str | None = None
    """What people read: an e-mail address or a client's id."""


class ImportSummaries(AnswerModel):
    """`GET /internal/imports?table=&etl=&limit=`: the newest imports first.

    `table` is a table of the schema `data`, `etl` an ETL's name; with both, imports that fit both.
    Without any the list is empty. `limit` is 1 to 100, by default 10.
    """

    items: tuple[ImportSummary, ...]
