"""Saved connections."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Identity,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    func,
)

from services.ingest.books import metadata
from services.ingest.connections.domain import SourceKind

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
    Column("region", Text),
    # Sealed with the row's id, which is therefore taken from the sequence before the row is made.
    Column("sealed_password", LargeBinary, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    UniqueConstraint("owner_sub", "name"),
    CheckConstraint(f"kind IN ({KINDS})", name="kind"),
)
