"""What the catalog holds, free of HTTP and SQL: schemas, tables, ETLs and edges."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Literal

from shared.contracts.ingest import ImportSummary
from shared.contracts.records import DATA_SCHEMA
from shared.http.paging import Position, Slice


@dataclass(frozen=True, slots=True)
class Window:
    """A part of a list: `limit` items from an offset, or after a position."""

    limit: int
    offset: int = 0
    after: Position | None = None


ScanRow = tuple[int, str, str, str, str, int | None]
"""A line of a scan: its number, names of ETL, schema and table, columns as JSON, estimated rows."""


@dataclass(frozen=True, slots=True)
class Merged:
    """What a bulk merge or a scan did: lines received, edges that were new, edges known before."""

    received: int
    inserted: int
    known: int
    merged_at: datetime


@dataclass(frozen=True, slots=True)
class EtlKey:
    """An ETL's identity; the namespace of an OpenLineage job, None for ours."""

    name: str
    namespace: str | None = None

    @property
    def label(self) -> str:
        """The ETL's name in pictures and messages."""
        return self.name


@dataclass(frozen=True, slots=True)
class TableKey:
    """A table's identity.

    `schema` is None for a dataset that has none. `namespace` is the database, None for `data` and
    for what came without one.
    """

    schema: str | None
    name: str
    namespace: str | None = None

    @property
    def label(self) -> str:
        """The table's name in pictures and messages: `schema.name`."""
        return self.name if self.schema is None else f"{self.schema}.{self.name}"

    @property
    def is_ours(self) -> bool:
        """Whether this is a table that people made here."""
        return self.namespace is None and self.schema == DATA_SCHEMA


@dataclass(frozen=True, slots=True)
class Alias:
    """A name that stands for a namespace; None is the installation's own database."""

    alias: str
    same_as: str | None


@dataclass(frozen=True, slots=True)
class Schema:
    """A schema of any database; `table_count` includes dropped tables."""

    name: str | None
    namespace: str | None
    table_count: int
    first_seen: datetime


@dataclass(frozen=True, slots=True)
class Table:
    """A table, and the number of ETLs that feed it.

    A dropped one stays, with `dropped_at`. `vanished_at` is set while the newest scan that saw its
    whole schema does not find it.
    """

    id: int
    key: TableKey
    description: str | None
    etl_count: int
    first_seen: datetime
    dropped_at: datetime | None
    vanished_at: datetime | None
    tags: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Etl:
    """An ETL, and the number of tables it feeds."""

    id: int
    key: EtlKey
    description: str | None
    table_count: int
    first_seen: datetime
    tags: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Edge:
    """An ETL feeds a table.

    The imports are None for an edge that was entered by hand, and `entered_by` is then the subject
    who did. `estimated_rows` and `scanned_at` are of the ETL's newest scan of the table's database.
    """

    etl: EtlKey
    table: TableKey
    dropped_at: datetime | None
    vanished_at: datetime | None
    first_seen: datetime
    last_seen: datetime
    first_import: int | None
    last_import: int | None
    estimated_rows: int | None
    scanned_at: datetime | None
    entered_by: str | None

    @property
    def is_by_hand(self) -> bool:
        """Whether nothing but a person says so."""
        seen = (self.first_import, self.last_import, self.scanned_at)
        return self.entered_by is not None and all(fact is None for fact in seen)


class Removal(StrEnum):
    """Why an edge was removed."""

    BY_HAND = "by_hand"
    UNDONE = "undone"
    """The only import that made it was undone."""


@dataclass(frozen=True, slots=True)
class RemovedEdge:
    """An edge of the past; `removed_by` as people read it."""

    edge: Edge
    removed_at: datetime
    removed_by: str | None
    reason: Removal


@dataclass(frozen=True, slots=True)
class Column:
    """A column; the type as answers spell it, or as the scanned database does."""

    name: str
    type: str
    nullable: bool
    description: str | None = None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Columns:
    """A table's columns and where they come from.

    `records` knows the tables of the schema `data`; the others are as a scan by the ETL
    `scanned_by` last saw them, or as OpenLineage last described it.
    """

    columns: tuple[Column, ...]
    source: Literal["records", "scan", "openlineage"]
    estimated_rows: int | None
    scanned_by: str | None = None
    scanned_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class TableDetails:
    """A table with the edges that lead to it.

    `columns` and `imports` are None for those who may not see them, and while a peer in
    `unavailable` cannot be reached.
    """

    table: Table
    former_names: tuple[str, ...]
    edges: Slice[Edge]
    removed: tuple[RemovedEdge, ...]
    columns: Columns | None
    imports: tuple[ImportSummary, ...] | None
    unavailable: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EtlDetails:
    """An ETL with its edges and its last runs; `runs` is None while a peer cannot be reached."""

    etl: Etl
    edges: Slice[Edge]
    removed: tuple[RemovedEdge, ...]
    runs: tuple[ImportSummary, ...] | None
    unavailable: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Graph:
    """A part of the catalog as a picture shows it; `total` counts the edges left out too."""

    edges: tuple[Edge, ...]
    total: int

    @property
    def truncated(self) -> bool:
        """Whether there are more edges than these."""
        return self.total > len(self.edges)

    @property
    def etls(self) -> tuple[EtlKey, ...]:
        """The ETLs, each once, in the order in which the edges name them."""
        return tuple(dict.fromkeys(edge.etl for edge in self.edges))

    @property
    def tables(self) -> tuple[TableKey, ...]:
        """The tables, each once, in the order in which the edges name them."""
        return tuple(dict.fromkeys(edge.table for edge in self.edges))

    @property
    def dropped(self) -> frozenset[TableKey]:
        """The tables that were dropped, or have vanished."""
        return frozenset(
            edge.table
            for edge in self.edges
            if edge.dropped_at is not None or edge.vanished_at is not None
        )


@dataclass(frozen=True, slots=True)
class Changes:
    """What people write of a table or an ETL; only the fields in `given` change."""

    given: frozenset[str]
    description: str | None = None
    tags: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    columns: Mapping[str, "Changes"] = field(default_factory=dict)


class HitKind(StrEnum):
    """What a search found."""

    TABLE = "table"
    COLUMN = "column"
    ETL = "etl"


@dataclass(frozen=True, slots=True)
class Hit:
    """One of the things that a search found; the higher the rank, the better.

    `table` is that of a table or a column.
    """

    kind: HitKind
    rank: int
    name: str
    namespace: str | None
    table: TableKey | None
    description: str | None
    tags: tuple[str, ...]
