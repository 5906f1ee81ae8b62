"""What other services see of imports: summaries, and the names of the sessions that load."""

from datetime import datetime
from typing import Final, Literal, LiteralString

from shared.contracts.base import AnswerModel

LOAD_NAME: Final[LiteralString] = "tabularium-ingest:import:"
"""How the application_name of a session begins that loads an import; its id follows."""


def load_name(import_id: int) -> str:
    """The application_name of a load's session."""
    return f"{LOAD_NAME}{import_id}"


def loading_import(application_name: str) -> int | None:
    """The import that a session loads, by its application_name; None for any other session."""
    number = application_name.removeprefix(LOAD_NAME)
    return int(number) if number != application_name and number.isdecimal() else None


class ImportSummary(AnswerModel):
    """One import in short; `table` is null for imports into the catalog itself."""

    id: int
    state: Literal["queued", "running", "succeeded", "failed", "cancelled"]
    kind: Literal["file", "database", "catalog_file", "catalog_database", "correction", "undo"]
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
