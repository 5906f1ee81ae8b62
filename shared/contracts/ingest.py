"""What other services see of imports: summaries, and the names of the sessions that load."""

from datetime import datetime
from enum import StrEnum
from typing import Final, Literal, LiteralString

from pydantic import ConfigDict, Field

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


class CommonValue(AnswerModel):
    """A value and how many rows have it; a long one is cut to 100 characters."""

    value: str
    count: int


class Bin(AnswerModel):
    """Rows from `from` on and below `to`; the last bin of a histogram includes its end."""

    model_config = ConfigDict(validate_by_name=True, serialize_by_alias=True)

    from_: str = Field(alias="from")
    to: str
    count: int


class ColumnProfile(AnswerModel):
    """What is in one column. Values are texts, as records show them.

    `min` and `max` are None for types without an order, `mean` for all but numbers. Texts are
    compared by code point. `histogram` is there for numbers and times, of their finite values.
    """

    column: str
    type: str
    nulls: int
    distinct: int
    distinct_approximate: bool
    min: str | None = None
    max: str | None = None
    mean: float | None = None
    common: tuple[CommonValue, ...] = ()
    histogram: tuple[Bin, ...] = ()


class Profile(AnswerModel):
    """What is in the rows of one import.

    `sampled_rows`: out of how many rows the counts of `common` and `histogram` are extrapolated,
    None where all were counted.
    """

    rows: int
    sampled_rows: int | None = None
    columns: tuple[ColumnProfile, ...]


class TableProfile(Profile):
    """A profile, and which import's rows it is of.

    `GET /internal/profiles?table=&import=`: of the rows of an import that are in a table of the
    schema `data`, by default of the newest that has one; 404 where there is none.
    """

    model_config = ConfigDict(validate_by_name=True, serialize_by_alias=True)

    import_: int = Field(alias="import")
    profiled_at: datetime
    table: str | None = None
    """What the table is called now; None where it is gone, or was never made."""


class ProfilePicture(AnswerModel):
    """`GET /internal/profiles/picture?table=&import=`: the same as SVG."""

    svg: str


class ProfileFormat(StrEnum):
    """How a profile is answered."""

    JSON = "json"
    SVG = "svg"
