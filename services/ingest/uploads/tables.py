"""Uploads."""

from sqlalchemy import BigInteger, Column, DateTime, Index, Table, Text, Uuid, func, text
from sqlalchemy.dialects.postgresql import ARRAY

from services.ingest.books import metadata

uploads = Table(
    "uploads",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("owner_sub", Text, nullable=False),
    Column("file_name", Text, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("received_bytes", BigInteger, nullable=False, server_default=text("0")),
    # Where the pieces of an upload that is not complete are, in order; and the whole file after.
    Column("pieces", ARRAY(Text), nullable=False, server_default=text("'{}'::text[]")),
    Column("path", Text),
    Column("sha256", Text),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("expires_at", DateTime(timezone=True), nullable=False),
)

Index(None, uploads.c.owner_sub, uploads.c.created_at)
Index(None, uploads.c.expires_at)
