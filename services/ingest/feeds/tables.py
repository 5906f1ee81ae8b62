"""Feeds."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from services.ingest.books import metadata

feeds = Table(
    "feeds",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("name", Text, nullable=False),
    Column("owner", JSONB, nullable=False),
    Column("owner_sub", Text, nullable=False),
    Column("settings", JSONB, nullable=False),
    Column("version", BigInteger, nullable=False, server_default=text("1")),
    Column("generation", BigInteger, nullable=False, server_default=text("1")),
    # Parts of the settings by which feeds are looked for; written by the same statement.
    Column("table_name", Text, nullable=False),
    Column("source_id", ForeignKey("ingest.sources.id")),
    Column("paused", Boolean, nullable=False),
    # How far it is; moved by the transaction that loads the rows.
    Column("cursor", Text),
    Column("seen", JSONB),
    Column("sealed_headers", LargeBinary),
    Column("last_success_at", DateTime(timezone=True)),
    # When it runs. `scheduled_at` is later than now only where the clock was set back.
    Column("next_run_at", DateTime(timezone=True)),
    Column("scheduled_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("active_since", DateTime(timezone=True), nullable=False, server_default=func.now()),
    # What was said of its health last: ok, late or failing.
    Column("told", Text, nullable=False, server_default=text("'ok'")),
    Column("skipped_at", DateTime(timezone=True)),
    Column("skipped_for", BigInteger),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    UniqueConstraint("name"),
)

Index(None, feeds.c.owner_sub)
Index(None, feeds.c.table_name)
Index(None, feeds.c.source_id)
Index(None, feeds.c.next_run_at)
