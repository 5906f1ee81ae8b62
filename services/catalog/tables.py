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
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Text,
    UniqueConstraint,
    func,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from shared.store.idempotency import idempotency_table
from shared.store.identifiers import metadata_of
from shared.store.transaction import Bookkeeping

metadata = metadata_of("catalog")


class Base(DeclarativeBase):
    """Binds the mapped classes to the service's metadata."""

    metadata = metadata


class SchemaRow(Base):
    """A schema of any database; its name is its identity."""

    __tablename__ = "schemas"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    first_seen: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class TableRow(Base):
    """A table, unique per schema; dropped ones stay, with `dropped_at`.

    `state_at` is the time of the newest event known (created, renamed or dropped), so that an older
    one that arrives later changes nothing.
    """

    __tablename__ = "tables"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    schema_name: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    description: Mapped[str | None] = mapped_column(Text)
    first_seen: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    state_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    dropped_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))

    __table_args__ = (UniqueConstraint("schema_name", "name"),)


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
    name: Mapped[str] = mapped_column(Text, unique=True)
    description: Mapped[str | None] = mapped_column(Text)
    first_seen: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class EdgeRow(Base):
    """An ETL feeds a table: when and by which import that was first and last seen.

    The imports are null for an edge that was entered by hand. `columns`, `estimated_rows` and
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

    __table_args__ = (Index(None, "table_id"), {"postgresql_with": {"fillfactor": 50}})


idempotency = idempotency_table(metadata)

BOOKS = Bookkeeping("catalog", idempotency=idempotency)
"""What a transaction of this service writes beside its work."""
