"""Saved sources, and what each import of a database reads."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    func,
)
from sqlalchemy.dialects.postgresql import JSONB

from services.ingest.connections.domain import SourceKind
from services.ingest.tables import imports, metadata

KINDS = ", ".join(f"'{kind.value}'" for kind in SourceKind)

sources = Table(
    "sources",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("owner_sub", Text, nullable=False),
    Column("owner_label", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("port", Integer, nullable=False),
    Column("database", Text),
    Column("service_name", Text),
    Column("sid", Text),
    Column("username", Text, nullable=False),
    Column("tls", Boolean),
    # Sealed with the row's id, which is therefore taken from the sequence before the row is made.
    Column("sealed_password", LargeBinary, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    UniqueConstraint("owner_sub", "name"),
    CheckConstraint(f"kind IN ({KINDS})", name="kind"),
)

reads = Table(
    "reads",
    metadata,
    Column("import_id", ForeignKey(imports.c.id, ondelete="CASCADE"), primary_key=True),
    # A saved source's password is looked up when the import runs; any other is sealed here, with
    # the import's id, and forgotten when the import has succeeded.
    Column("source_id", ForeignKey(sources.c.id, ondelete="SET NULL")),
    Column("target", JSONB, nullable=False),
    Column("sealed_password", LargeBinary),
    Column("wanted", JSONB),
)

Index(None, reads.c.source_id)
