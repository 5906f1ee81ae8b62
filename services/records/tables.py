"""Mapped tables of the service, in its own schema `records`.

PostgreSQL's own catalog is the truth about the columns of the users' tables in `data`; what it
cannot hold (owner, grants, version) stands here.
"""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Table,
    Text,
    func,
    text,
)

from shared.store.idempotency import idempotency_table
from shared.store.identifiers import metadata_of
from shared.store.outbox import outbox_table
from shared.store.transaction import Bookkeeping

metadata = metadata_of("records")

tables = Table(
    "tables",
    metadata,
    # Kept by a restore, as the name is; PostgreSQL's OID of the table is not.
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("owner_sub", Text, nullable=False),
    Column("owner_label", Text, nullable=False),
    Column("description", Text),
    # Raised by every change of the table's shape.
    Column("version", BigInteger, nullable=False, server_default=text("1")),
    # Raised by every change of who may do what.
    Column("grants_version", BigInteger, nullable=False, server_default=text("1")),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)
Index(None, tables.c.owner_sub)

grants = Table(
    "grants",
    metadata,
    Column("table_id", BigInteger, ForeignKey(tables.c.id, ondelete="CASCADE"), primary_key=True),
    Column("sub", Text, primary_key=True),
    Column("label", Text, nullable=False),
    Column("level", Text, nullable=False),
    Column("granted_by", Text, nullable=False),
    Column("granted_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    CheckConstraint("level IN ('viewer', 'editor', 'owner')", name="level"),
)
Index(None, grants.c.sub)

column_memories = Table(
    "column_memories",
    metadata,
    Column("table_id", BigInteger, ForeignKey(tables.c.id, ondelete="CASCADE"), primary_key=True),
    # By name, which a restore keeps; a column's number in PostgreSQL is another after it.
    Column("column_name", Text, primary_key=True),
    Column("source", Text, nullable=False),
    Column("null_values", ARRAY(Text), nullable=False),
)

outbox = outbox_table(metadata)
idempotency = idempotency_table(metadata)

BOOKS = Bookkeeping(
    service="records",
    idempotency=idempotency,
    outbox=outbox,
    settings={"statement_timeout": "10min"},
)
"""What a transaction of this service writes beside its work."""
