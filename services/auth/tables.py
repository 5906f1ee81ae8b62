"""Mapped tables of the service: its own schema `auth`, and the common `audit.events`."""

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
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from shared.store.idempotency import idempotency_table
from shared.store.identifiers import metadata_of
from shared.store.transaction import Bookkeeping

metadata = metadata_of("auth")

users = Table(
    "users",
    metadata,
    Column("id", Uuid, primary_key=True, server_default=text("gen_random_uuid()")),
    Column("email", Text, nullable=False, unique=True),  # as `domain.email_address` writes it
    Column("username", Text),
    Column("password_hash", Text),  # null: signs in by mailed codes alone
    Column("role", Text, nullable=False, server_default=text("'member'")),
    Column("disabled", Boolean, nullable=False, server_default=text("false")),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    CheckConstraint("role IN ('member', 'admin')", name="role"),
)
Index("uq_users_username", func.lower(users.c.username), unique=True)

reserved_subjects = Table(
    "reserved_subjects",
    metadata,
    Column("email", Text, primary_key=True),  # as `domain.email_address` writes it
    Column("id", Uuid, nullable=False, server_default=text("gen_random_uuid()")),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)

clients = Table(
    "clients",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("secret_digest", LargeBinary, nullable=False),
    Column("scopes", ARRAY(Text), nullable=False),
    Column("created_by", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    # A revoked client keeps its row: grants name it, and no other client may take them over.
    Column("revoked_at", DateTime(timezone=True)),
)

signing_keys = Table(
    "signing_keys",
    metadata,
    Column("kid", Text, primary_key=True),
    Column("public_jwk", JSONB, nullable=False),
    Column("private_key", LargeBinary),  # AES-GCM, the kid as associated data; null once retired
    Column("published_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("usable_from", DateTime(timezone=True), nullable=False),
    Column("signs_from", DateTime(timezone=True)),  # null: the next key
    Column("signs_until", DateTime(timezone=True)),
)

refresh_families = Table(
    "refresh_families",
    metadata,
    Column("id", Uuid, primary_key=True, server_default=text("gen_random_uuid()")),
    Column("user_id", ForeignKey(users.c.id, ondelete="CASCADE"), nullable=False, index=True),
    Column("method", Text, nullable=False),
    Column("scopes", ARRAY(Text), nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("expires_at", DateTime(timezone=True), nullable=False, index=True),
    Column("ended_at", DateTime(timezone=True)),
    Column("ended_because", Text),
)

refresh_tokens = Table(
    "refresh_tokens",
    metadata,
    Column("digest", LargeBinary, primary_key=True),  # SHA-256 of the token
    Column(
        "family_id",
        ForeignKey(refresh_families.c.id, ondelete="CASCADE"),
        nullable=False,
        index=True,
    ),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Column("used_at", DateTime(timezone=True)),
)

otp_challenges = Table(
    "otp_challenges",
    metadata,
    Column("id", Text, primary_key=True),
    Column("email", Text, nullable=False),
    Column("code_mac", LargeBinary, nullable=False),  # HMAC under the pepper, never the code
    Column("tries", Integer, nullable=False, server_default=text("0")),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("expires_at", DateTime(timezone=True), nullable=False, index=True),
    Column("used_at", DateTime(timezone=True)),
)

request_limits = Table(
    "request_limits",
    metadata,
    Column("key", Text, primary_key=True),
    # GCRA: when the next request would come if they came evenly spaced.
    Column("arrives_at", DateTime(timezone=True), nullable=False, index=True),
)

attempts = Table(
    "attempts",
    metadata,
    Column("key", Text, primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("last_at", DateTime(timezone=True), nullable=False, index=True),
    Column("blocked_until", DateTime(timezone=True), nullable=False),
)

audit_events = Table(
    "events",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("subject", Text),
    Column("action", Text, nullable=False),
    Column("object", Text),
    Column("result", Text, nullable=False),
    Column("request_id", Text),
    Column("address", Text),
    Column("detail", JSONB),
    schema="audit",
)
Index(None, audit_events.c.at)
Index(None, audit_events.c.subject, audit_events.c.id)
Index(None, audit_events.c.action, audit_events.c.id)
Index(None, audit_events.c.object, audit_events.c.id)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Uuid, primary_key=True, server_default=text("gen_random_uuid()")),
    Column("user_id", ForeignKey(users.c.id, ondelete="CASCADE"), nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("digest", LargeBinary, nullable=False, unique=True),  # SHA-256 of the key
    Column("scopes", ARRAY(Text), nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Column("last_used_at", DateTime(timezone=True)),
    # A revoked key keeps its row: the audit trail names it.
    Column("revoked_at", DateTime(timezone=True)),
)

revocations = Table(
    "revocations",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("mark", Text, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp()),
)

idempotency = idempotency_table(metadata)

BOOKS = Bookkeeping("auth", idempotency=idempotency)
"""What a transaction of this service writes beside its work."""
