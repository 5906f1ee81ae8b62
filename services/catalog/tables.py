"""Mapped tables of the service, in its own schema `catalog`.

Tables and edges have no foreign keys: checking them row by row more than doubled the time of a
bulk merge (1,000,000 new edges: 12.1 s against 5.1 s). What they would guard holds without them:
schemas and ETLs are never deleted, and tables only by a rename, under a lock that shuts out every
other writer (`repository.locks`).
"""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    Text,
    UniqueConstraint,
    false,
    func,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from shared.store.idempotency import idempotency_table
from shared.store.identifiers import metadata_of
from shared.store.transaction import Bookkeeping

metadata = metadata_of("catalog")


class Base(DeclarativeBase):
    """Binds the mapped classes to the service's metadata."""

    metadata = metadata


NO_NAMESPACE = ""
"""Stored for names without a namespace: those in `data`, and those that came without one."""
NO_SCHEMA = ""
"""Stored for a dataset without a schema: a file, a topic, a table of a system that has none."""


class NamespaceRow(Base):
    """Two names of one database: what comes under `alias` is of `same_as` (empty: of our own)."""

    __tablename__ = "namespaces"

    alias: Mapped[str] = mapped_column(Text, primary_key=True)
    same_as: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class SchemaRow(Base):
    """A schema of any database."""

    __tablename__ = "schemas"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    namespace: Mapped[str] = mapped_column(Text, primary_key=True, server_default=NO_NAMESPACE)
    first_seen: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class TableRow(Base):
    """A table, unique per namespace and schema; dropped ones stay, with `dropped_at`.

    `vanished_at` is set while the newest scan that saw its whole schema does not find it.
    `state_at` is the time of the newest event known (created, renamed or dropped), so that an older
    one that arrives later changes nothing.
    """

    __tablename__ = "tables"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    namespace: Mapped[str] = mapped_column(Text, server_default=NO_NAMESPACE)
    schema_name: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    description: Mapped[str | None] = mapped_column(Text)
    first_seen: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    state_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    dropped_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    vanished_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    tags: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    owners: Mapped[list[str] | None] = mapped_column(ARRAY(Text))

    # In this order the index serves lists and look-ups without a namespace, too.
    __table_args__ = (UniqueConstraint("schema_name", "name", "namespace"),)


class FormerNameRow(Base):
    """A name that a table had until it was renamed: what was seen under it before belongs there."""

    __tablename__ = "former_names"

    schema_name: Mapped[str] = mapped_column(Text, primary_key=True)
    name: Mapped[str] = mapped_column(Text, primary_key=True)
    renamed_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), primary_key=True)
    table_id: Mapped[int] = mapped_column(BigInteger, ForeignKey(TableRow.id), index=True)


class EtlRow(Base):
    """Something that feeds tables: a pipeline, a file, a scanned database."""

    __tablename__ = "etls"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    namespace: Mapped[str] = mapped_column(Text, server_default=NO_NAMESPACE)
    name: Mapped[str] = mapped_column(Text)
    description: Mapped[str | None] = mapped_column(Text)
    first_seen: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    tags: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    owners: Mapped[list[str] | None] = mapped_column(ARRAY(Text))

    __table_args__ = (UniqueConstraint("name", "namespace"),)


class ColumnNoteRow(Base):
    """What people wrote of a column, whether or not a column of this name is known."""

    __tablename__ = "column_notes"

    table_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(Text, primary_key=True)
    description: Mapped[str | None] = mapped_column(Text)
    tags: Mapped[list[str] | None] = mapped_column(ARRAY(Text))


class EdgeRow(Base):
    """An ETL feeds a table: when and by which import that was first and last seen.

    The imports are null for an edge that was entered by hand, and `entered_by` is then the subject
    who did. `columns`, `estimated_rows` and
    `scanned_at` are of the ETL's newest scan of the table's database.

    Pages are half full, so that the edges that a load sees again (in the usual nightly load, all of
    them) are updated in place, without a new index entry (PostgreSQL's heap-only tuples).
    """

    __tablename__ = "edges"

    etl_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    table_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    first_seen: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    last_seen: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    first_import: Mapped[int | None] = mapped_column(BigInteger)
    last_import: Mapped[int | None] = mapped_column(BigInteger)
    columns: Mapped[list[dict[str, Any]] | None] = mapped_column(JSONB(none_as_null=True))
    estimated_rows: Mapped[int | None] = mapped_column(BigInteger)
    scanned_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    entered_by: Mapped[str | None] = mapped_column(Text)
    last_run: Mapped[str | None] = mapped_column(Text)

    __table_args__ = (Index(None, "table_id"), {"postgresql_with": {"fillfactor": 50}})


class InputRow(Base):
    """An ETL reads a table, as OpenLineage's events say; `last_run` is the newest run that did."""

    __tablename__ = "inputs"

    etl_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    table_id: Mapped[int] = mapped_column(
        BigInteger, primary_key=True, autoincrement=False, index=True
    )
    first_seen: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    last_seen: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    last_run: Mapped[str | None] = mapped_column(Text)


class RemovedEdgeRow(Base):
    """An edge that was removed, by whom (as people read it) and why.

    A later import may bring it back.
    """

    __tablename__ = "removed_edges"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    etl_id: Mapped[int] = mapped_column(BigInteger, index=True)
    table_id: Mapped[int] = mapped_column(BigInteger, index=True)
    first_seen: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    last_seen: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    first_import: Mapped[int | None] = mapped_column(BigInteger)
    last_import: Mapped[int | None] = mapped_column(BigInteger)
    columns: Mapped[list[dict[str, Any]] | None] = mapped_column(JSONB(none_as_null=True))
    estimated_rows: Mapped[int | None] = mapped_column(BigInteger)
    scanned_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    entered_by: Mapped[str | None] = mapped_column(Text)
    last_run: Mapped[str | None] = mapped_column(Text)
    removed_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    removed_by: Mapped[str | None] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)


class RunRow(Base):
    """A run of an ETL, put together from its events, whatever their order.

    The state is that of the newest event that ended the run, else `running`.
    """

    __tablename__ = "runs"

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    etl_id: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[str] = mapped_column(Text)
    started_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    ended_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    nominal_start: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    nominal_end: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    parent_run: Mapped[str | None] = mapped_column(Text)
    parent_namespace: Mapped[str | None] = mapped_column(Text)
    parent_name: Mapped[str | None] = mapped_column(Text)
    error: Mapped[str | None] = mapped_column(Text)
    producer: Mapped[str | None] = mapped_column(Text)
    first_event: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    last_event: Mapped[datetime] = mapped_column(DateTime(timezone=True), index=True)

    __table_args__ = (Index(None, "etl_id", "first_event"),)


class RunEventRow(Base):
    """An event that has been applied: it is known when it comes again."""

    __tablename__ = "run_events"

    run_id: Mapped[str] = mapped_column(Text, primary_key=True)
    type: Mapped[str] = mapped_column(Text, primary_key=True)
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True), primary_key=True)


class RunFacetRow(Base):
    """A facet of a run (`place` is `run`), or of what it read or wrote (`input`, `output`).

    Content null: a newer event deleted the facet. `table_id` is 0 for the run's own.
    """

    __tablename__ = "run_facets"

    run_id: Mapped[str] = mapped_column(Text, primary_key=True)
    place: Mapped[str] = mapped_column(Text, primary_key=True)
    table_id: Mapped[int] = mapped_column(
        BigInteger, primary_key=True, autoincrement=False, server_default="0"
    )
    name: Mapped[str] = mapped_column(Text, primary_key=True)
    content: Mapped[Any | None] = mapped_column(JSONB(none_as_null=True))
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class EtlFacetRow(Base):
    """The newest of a job's facets, as it was sent."""

    __tablename__ = "etl_facets"

    etl_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(Text, primary_key=True)
    content: Mapped[Any | None] = mapped_column(JSONB(none_as_null=True))
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class TableFacetRow(Base):
    """The newest of a dataset's facets, as it was sent."""

    __tablename__ = "table_facets"

    table_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(Text, primary_key=True)
    content: Mapped[Any | None] = mapped_column(JSONB(none_as_null=True))
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class ColumnEdgeRow(Base):
    """A column that an ETL makes out of another one.

    An empty output column stands for all of its table: what decides which rows there are.
    """

    __tablename__ = "column_edges"

    output_table_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    output_column: Mapped[str] = mapped_column(Text, primary_key=True)
    input_table_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    input_column: Mapped[str] = mapped_column(Text, primary_key=True)
    etl_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    type: Mapped[str | None] = mapped_column(Text)
    subtype: Mapped[str | None] = mapped_column(Text)
    masking: Mapped[bool] = mapped_column(Boolean, server_default=false())
    last_seen: Mapped[datetime] = mapped_column(DateTime(timezone=True))

    __table_args__ = (Index(None, "input_table_id", "input_column"),)


class LineageInboxRow(Base):
    """An event of OpenLineage that has been received and not been applied yet.

    Receiving waits for nothing but this row; `error` is set for an event that cannot be applied.
    """

    __tablename__ = "lineage_inbox"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    body: Mapped[bytes] = mapped_column(LargeBinary)
    received_at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), server_default=func.now()
    )
    error: Mapped[str | None] = mapped_column(Text)


idempotency = idempotency_table(metadata)

BOOKS = Bookkeeping("catalog", idempotency=idempotency)
"""What a transaction of this service writes beside its work."""
