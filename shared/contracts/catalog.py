"""What other services tell the catalog."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    Field,
    StringConstraints,
    model_validator,
)

from shared.contracts.base import LARGEST_BIGINT, AnswerModel, Id, RequestModel, StorableText

NAME_LIMIT = 500
"""Characters of a name in the catalog."""
INDEXED_BYTES = 2600
"""Of namespace, schema and name of a table: an entry of a PostgreSQL index has 2,704 at most."""


def not_blank(name: str) -> str:
    """The name as it is; one of nothing but white space could not be told from none."""
    if not name.strip():
        raise ValueError("a name holds more than white space")
    return name


def fit_an_index(*names: str) -> bool:
    """Whether names can stand in one index of the catalog together."""
    return sum(len(name.encode()) for name in names) <= INDEXED_BYTES


CatalogText = StorableText
CatalogName = Annotated[
    CatalogText,
    StringConstraints(min_length=1, max_length=NAME_LIMIT),
    AfterValidator(not_blank),
]
"""The name of an ETL, schema or table, kept letter by letter as its source spells it."""


class _NamedTable(RequestModel):
    """Schema and name of a table, which stand in one index."""

    schema_name: CatalogName
    table_name: CatalogName

    @model_validator(mode="after")
    def _names_fit(self) -> Self:
        if not fit_an_index(self.schema_name, self.table_name):
            raise ValueError(f"schema and table have at most {INDEXED_BYTES} bytes together")
        return self


class TableEventKind(StrEnum):
    """What happened to a table in the schema `data`."""

    CREATED = "created"
    RENAMED = "renamed"
    DROPPED = "dropped"


class TableEvent(_NamedTable):
    """`POST /internal/catalog/table-events`: idempotent, may arrive late and out of order."""

    kind: TableEventKind
    new_name: CatalogName | None = None
    """Only with `renamed`, and always there."""
    description: CatalogText | None = None
    occurred_at: AwareDatetime

    @model_validator(mode="after")
    def _new_name_with_renamed(self) -> Self:
        if (self.kind is TableEventKind.RENAMED) != (self.new_name is not None):
            raise ValueError("new_name is given with `renamed`, and only then")
        return self


class TableRead(_NamedTable):
    """A table of another database that an import read.

    `columns` says of each column of the table that was fed from which of these columns it came.
    """

    namespace: CatalogName
    columns: Mapping[CatalogName, CatalogName] = Field(default_factory=dict)


class EdgeSeen(_NamedTable):
    """`POST /internal/catalog/edges`: an ETL fed a table; idempotent.

    Schema, table and ETL are made when unknown, and so is the table that was `read`.
    """

    etl_name: CatalogName
    import_id: Id
    seen_at: AwareDatetime
    read: TableRead | None = None


class EdgesSeen(RequestModel):
    """`POST /internal/catalog/edges/all`: what several imports fed, oldest first; idempotent."""

    edges: tuple[EdgeSeen, ...] = Field(min_length=1, max_length=100)


class EdgeUndone(_NamedTable):
    """`POST /internal/catalog/edges/undone`: the only import by which an ETL fed a table is undone.

    Idempotent. The edge becomes a removed one; it is back when the ETL feeds the table again.
    """

    etl_name: CatalogName
    import_id: Id
    undone_at: AwareDatetime


class CatalogTriple(_NamedTable):
    """One line (NDJSON) of `POST /internal/catalog/merge?import_id=…&etl=…`.

    A line without `etl_name` belongs to the ETL that the call names.
    """

    etl_name: CatalogName | None = None


class ScannedSchema(RequestModel):
    """A schema of a scanned database, and whether the scan saw every table of it."""

    schema_name: CatalogName
    whole: bool


class ScannedColumn(RequestModel):
    """A column of a table in a scanned database; the type as that database spells it."""

    name: CatalogName
    type: CatalogName
    nullable: bool


class ScannedTable(_NamedTable):
    """One line (NDJSON) of `POST /internal/catalog/scan?import_id=…&etl=…&namespace=…`.

    `estimated_rows` is null where the source keeps no estimate. Of two lines for one table the
    later one counts. Other lines are `ScannedSchema`, for every schema that there is or for none:
    of the database that `namespace` names, tables have vanished that no line names and whose schema
    was seen whole, or is not there.
    """

    columns: tuple[ScannedColumn, ...]
    estimated_rows: Annotated[int, Field(ge=0, le=LARGEST_BIGINT)] | None = None


ScanLine = ScannedTable | ScannedSchema


class MergeAnswer(AnswerModel):
    """What a bulk merge or a scan did: edges that were new, and edges that were known already.

    `received` counts lines; a line that repeats another one counts there alone.
    """

    received: int
    inserted: int
    known: int
    merged_at: datetime
