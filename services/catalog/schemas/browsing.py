"""Lists, tables, ETLs and edges on the wire."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Generic, Literal, Self

from pydantic import ConfigDict, Field

from services.catalog.domain import (
    Edge,
    Etl,
    EtlDetails,
    Removal,
    RemovedEdge,
    Table,
    TableDetails,
)
from services.catalog.schemas.names import Cursor, NamedAnswer, Namespace, SchemaName, named
from shared.contracts.base import AnswerModel, Flag, Item, Page, RequestModel
from shared.contracts.catalog import CatalogName, CatalogText
from shared.contracts.ingest import ImportSummary


class Count(StrEnum):
    """Whether a list also counts all its items."""

    EXACT = "exact"
    NONE = "none"


class ListQuery(RequestModel):
    """The parameters of every list of the catalog."""

    q: Annotated[
        CatalogText | None,
        Field(max_length=500, description="Part of the name, in any case; `%` and `_` are plain."),
    ] = None
    limit: Annotated[int, Field(ge=1, le=1000, description="Items per page.")] = 25
    page: Annotated[int | None, Field(ge=1, le=1_000_000, description="Page, from 1.")] = None
    cursor: Cursor = None
    namespace: Namespace = None
    count: Annotated[Count, Field(description="`none` leaves `total` out.")] = Count.EXACT

    @property
    def counted(self) -> bool:
        """Whether to count all items."""
        return self.count is Count.EXACT


class TablesQuery(ListQuery):
    """A list of tables, of one schema if given."""

    schema_name: Annotated[
        CatalogText | None,
        Field(
            alias="schema",
            max_length=500,
            description="Only tables of this schema; `-` for those that have none.",
        ),
    ] = None
    dropped: Annotated[
        Flag | None, Field(description="`true`: only dropped tables; `false`: only those there.")
    ] = None


class EdgesQuery(RequestModel):
    """A page of the edges of one ETL or table."""

    namespace: Namespace = None
    limit: Annotated[int, Field(ge=1, le=1000, description="Edges per page.")] = 100
    cursor: Cursor = None


class CountedPage(Page[Item], Generic[Item]):
    """A page and the number of all items; null with `count=none`."""

    total: int | None = None


class SchemaItem(AnswerModel):
    """A schema and the number of its tables, dropped ones included.

    The name is null for what has no schema; it is reached under `-`.
    """

    name: str | None
    namespace: str | None
    table_count: int
    first_seen: datetime


class TableItem(NamedAnswer):
    """A table and the number of ETLs that feed it."""

    schema_name: SchemaName
    name: str
    namespace: str | None
    description: str | None
    etl_count: int
    first_seen: datetime
    dropped_at: datetime | None
    vanished_at: datetime | None
    """Set while the newest scan that saw its whole schema does not find it."""
    tags: tuple[str, ...]
    owners: tuple[str, ...]

    @classmethod
    def of_table(cls, table: Table, **more: object) -> Self:
        """A table by its key."""
        return cls.of(table, **named(table.key), **more)


class EtlItem(AnswerModel):
    """An ETL and the number of tables it feeds."""

    name: str
    namespace: str | None
    description: str | None
    table_count: int
    first_seen: datetime
    tags: tuple[str, ...]
    owners: tuple[str, ...]

    @classmethod
    def of_etl(cls, etl: Etl, **more: object) -> Self:
        """An ETL by its key."""
        return cls.of(etl, name=etl.key.name, namespace=etl.key.namespace, **more)


class EdgeFacts(NamedAnswer):
    """When an edge was first and last seen, and by which import; null for one made by hand.

    `estimated_rows` and `scanned_at` are of the ETL's newest scan of the table's database.
    """

    first_seen: datetime
    last_seen: datetime
    first_import: int | None
    last_import: int | None
    estimated_rows: int | None
    scanned_at: datetime | None


class FeedingEtl(EdgeFacts):
    """An ETL that feeds the table in question."""

    name: str
    namespace: str | None

    @classmethod
    def of_edge(cls, edge: Edge) -> Self:
        """The near end of an edge, with its facts."""
        return cls.of(edge, name=edge.etl.name, namespace=edge.etl.namespace)


class FedTable(EdgeFacts):
    """A table that the ETL in question feeds."""

    schema_name: SchemaName
    name: str
    namespace: str | None
    dropped_at: datetime | None
    vanished_at: datetime | None

    @classmethod
    def of_edge(cls, edge: Edge) -> Self:
        """The far end of an edge, with its facts."""
        return cls.of(edge, **named(edge.table))


class EdgeAnswer(EdgeFacts):
    """One edge with both its ends."""

    etl: str
    etl_namespace: str | None
    schema_name: SchemaName
    table: str
    namespace: str | None

    @classmethod
    def of_edge(cls, edge: Edge, **more: object) -> Self:
        """The whole edge."""
        return cls.of(
            edge,
            etl=edge.etl.name,
            etl_namespace=edge.etl.namespace,
            schema=edge.table.schema,
            table=edge.table.name,
            namespace=edge.table.namespace,
            **more,
        )


class RemovedEdgeAnswer(EdgeAnswer):
    """An edge of the past: who removed it, and why. An import may bring it back."""

    removed_at: datetime
    removed_by: str | None
    reason: Removal

    @classmethod
    def of_removed(cls, removed: RemovedEdge) -> Self:
        """The whole edge, and what became of it."""
        return cls.of_edge(
            removed.edge,
            removed_at=removed.removed_at,
            removed_by=removed.removed_by,
            reason=removed.reason,
        )


class KnownColumn(AnswerModel):
    """A column; the type as answers spell it, or as the scanned database does."""

    name: str
    type: str
    nullable: bool
    description: str | None = None
    tags: tuple[str, ...] = ()


class TableAnswer(TableItem):
    """A table with its ETLs, and for those who may see it its columns and last imports.

    `columns_from` is the source of the columns: `records` for a table in the schema `data`, `scan`
    for a table of a scanned database, as `scanned_by` last saw it at `scanned_at`, `openlineage`
    for what an event reported at `scanned_at`. `columns` and
    `imports` are null when the caller may not see the table, and when the service that knows them
    cannot be reached; then `unavailable` names that service. `next` continues the list of ETLs.
    """

    former_names: tuple[str, ...]
    etls: tuple[FeedingEtl, ...]
    next: str | None
    removed: tuple[RemovedEdgeAnswer, ...]
    """Edges that were removed, the last one first; a hundred at most."""
    columns: tuple[KnownColumn, ...] | None
    columns_from: Literal["records", "scan", "openlineage"] | None
    estimated_rows: int | None
    scanned_by: str | None
    scanned_at: datetime | None
    imports: tuple[ImportSummary, ...] | None
    unavailable: tuple[str, ...]

    @classmethod
    def of_details(cls, details: TableDetails, *, next_path: str | None) -> Self:
        """The table, its columns and the page of its edges."""
        columns = details.columns
        return cls.of_table(
            details.table,
            former_names=details.former_names,
            etls=tuple(FeedingEtl.of_edge(edge) for edge in details.edges.items),
            next=next_path,
            removed=tuple(RemovedEdgeAnswer.of_removed(edge) for edge in details.removed),
            columns=columns and columns.columns,
            columns_from=columns and columns.source,
            estimated_rows=columns and columns.estimated_rows,
            scanned_by=columns and columns.scanned_by,
            scanned_at=columns and columns.scanned_at,
            imports=details.imports,
            unavailable=details.unavailable,
        )


class EtlAnswer(EtlItem):
    """An ETL with the tables it feeds and its last runs.

    Runs into tables that the caller may not see are left out. `runs` is null when a service that
    is needed for them cannot be reached; then `unavailable` names it. `next` continues the list of
    tables.
    """

    tables: tuple[FedTable, ...]
    next: str | None
    removed: tuple[RemovedEdgeAnswer, ...]
    """Edges that were removed, the last one first; a hundred at most."""
    runs: tuple[ImportSummary, ...] | None
    unavailable: tuple[str, ...]

    @classmethod
    def of_details(cls, details: EtlDetails, *, next_path: str | None) -> Self:
        """The ETL, its runs and the page of its edges."""
        return cls.of_etl(
            details.etl,
            tables=tuple(FedTable.of_edge(edge) for edge in details.edges.items),
            next=next_path,
            removed=tuple(RemovedEdgeAnswer.of_removed(edge) for edge in details.removed),
            runs=details.runs,
            unavailable=details.unavailable,
        )


class NewEtl(RequestModel):
    """An ETL entered by hand."""

    name: CatalogName
    description: Annotated[CatalogText | None, Field(max_length=5000)] = None


class EtlTable(AnswerModel):
    """A table as the older systems' users know it; `-` is the schema of what has none."""

    model_config = ConfigDict(frozen=True, extra="ignore", validate_by_name=True)

    name: str
    schema_name: Annotated[str, Field(alias="schema")]


class EtlTables(AnswerModel):
    """All tables of an ETL."""

    name: str
    tables: tuple[EtlTable, ...]


class AliasPut(RequestModel):
    """The namespace that an alias stands for; null is the installation's own database."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"same_as": "postgres://db.example.com:5432/shop"}]}
    )

    same_as: CatalogName | None


class AliasAnswer(AnswerModel):
    """An alias of a namespace."""

    alias: str
    same_as: str | None
