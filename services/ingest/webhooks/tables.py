"""Webhooks, and what is sent to each."""

from sqlalchemy import (
    BigInteger,
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
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from services.ingest.books import metadata
from services.ingest.webhooks.domain import DeliveryState, DisabledReason

REASONS = ", ".join(f"'{reason.value}'" for reason in DisabledReason)
STATES = ", ".join(f"'{state.value}'" for state in DeliveryState)

webhooks = Table(
    "webhooks",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("owner_sub", Text, nullable=False),
    Column("owner", JSONB, nullable=False),
    Column("url", Text, nullable=False),
    Column("events", ARRAY(Text), nullable=False),
    Column("table_name", Text),
    Column("feed_name", Text),
    # Sealed with the row's id, which is therefore taken from the sequence before the row is made.
    Column("secret", LargeBinary, nullable=False),
    Column("previous_secret", LargeBinary),
    Column("previous_until", DateTime(timezone=True)),
    Column("failing_since", DateTime(timezone=True)),
    Column("disabled_at", DateTime(timezone=True)),
    Column("disabled_reason", Text),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    CheckConstraint(f"disabled_reason IN ({REASONS})", name="disabled_reason"),
)

Index(None, webhooks.c.owner_sub, webhooks.c.id)

deliveries = Table(
    "webhook_deliveries",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("webhook_id", ForeignKey(webhooks.c.id, ondelete="CASCADE"), nullable=False),
    Column("message_id", Text, nullable=False),
    Column("type", Text, nullable=False),
    # Text, not JSON: what is signed is sent byte for byte, on every try.
    Column("body", Text, nullable=False),
    Column("state", Text, nullable=False, server_default=text("'pending'")),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("retries", Integer, nullable=False, server_default=text("0")),
    Column("next_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("last_attempt_at", DateTime(timezone=True)),
    Column("last_status", Integer),
    Column("last_error", Text),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    UniqueConstraint("webhook_id", "message_id"),
    CheckConstraint(f"state IN ({STATES})", name="state"),
)

Index(None, deliveries.c.webhook_id, deliveries.c.id)
Index(
    "ix_webhook_deliveries_pending",
    deliveries.c.webhook_id,
    deliveries.c.next_at,
    postgresql_where=text("state = 'pending'::text"),
)
Index("ix_webhook_deliveries_created_at", deliveries.c.created_at)
