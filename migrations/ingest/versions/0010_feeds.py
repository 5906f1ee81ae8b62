"""Feeds, and which import is a run of which feed."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0010"
down_revision: str | None = "0009"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

NOW = sa.text("now()")


def _moment(name: str, *, required: bool = False) -> "sa.Column[object]":
    return sa.Column(
        name,
        sa.DateTime(timezone=True),
        nullable=not required,
        server_default=NOW if required else None,
    )


def upgrade() -> None:
    """Go forward."""
    op.create_table(
        "feeds",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("owner", postgresql.JSONB(), nullable=False),
        sa.Column("owner_sub", sa.Text(), nullable=False),
        sa.Column("settings", postgresql.JSONB(), nullable=False),
        sa.Column("version", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("generation", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("table_name", sa.Text(), nullable=False),
        sa.Column("source_id", sa.BigInteger()),
        sa.Column("paused", sa.Boolean(), nullable=False),
        sa.Column("cursor", sa.Text()),
        sa.Column("seen", postgresql.JSONB()),
        _moment("last_success_at"),
        _moment("next_run_at"),
        _moment("scheduled_at", required=True),
        _moment("active_since", required=True),
        _moment("skipped_at"),
        sa.Column("skipped_for", sa.BigInteger()),
        _moment("created_at", required=True),
        sa.ForeignKeyConstraint(
            ["source_id"], ["ingest.sources.id"], name="fk_feeds_source_id_sources"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_feeds"),
        sa.UniqueConstraint("name", name="uq_feeds_name"),
        schema="ingest",
    )
    for name in ("owner_sub", "table_name", "source_id", "next_run_at"):
        op.create_index(f"ix_feeds_{name}", "feeds", [name], schema="ingest")
    op.add_column("imports", sa.Column("feed_id", sa.BigInteger()), schema="ingest")
    op.add_column("imports", sa.Column("feed_name", sa.Text()), schema="ingest")
    op.add_column("imports", sa.Column("feed_generation", sa.BigInteger()), schema="ingest")
    op.add_column("imports", _moment("planned_at"), schema="ingest")
    op.add_column("imports", sa.Column("feed_outcome", postgresql.JSONB()), schema="ingest")
    op.create_foreign_key(
        "fk_imports_feed_id_feeds",
        "imports",
        "feeds",
        ["feed_id"],
        ["id"],
        source_schema="ingest",
        referent_schema="ingest",
        ondelete="SET NULL",
    )
    op.create_index("ix_imports_feed_id", "imports", ["feed_id", "id"], schema="ingest")
    op.create_index(
        "uq_imports_feed_tick",
        "imports",
        ["feed_id", "planned_at"],
        unique=True,
        schema="ingest",
        postgresql_where=sa.text("planned_at IS NOT NULL"),
    )


def downgrade() -> None:
    """Go back."""
    op.drop_index("uq_imports_feed_tick", "imports", schema="ingest")
    op.drop_index("ix_imports_feed_id", "imports", schema="ingest")
    op.drop_constraint("fk_imports_feed_id_feeds", "imports", schema="ingest")
    for name in ("feed_outcome", "planned_at", "feed_generation", "feed_name", "feed_id"):
        op.drop_column("imports", name, schema="ingest")
    op.drop_table("feeds", schema="ingest")
