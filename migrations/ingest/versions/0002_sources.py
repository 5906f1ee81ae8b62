"""Saved sources with sealed passwords, and what each import of a database reads."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "sources",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("owner_sub", sa.Text(), nullable=False),
        sa.Column("owner_label", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("port", sa.Integer(), nullable=False),
        sa.Column("database", sa.Text()),
        sa.Column("service_name", sa.Text()),
        sa.Column("sid", sa.Text()),
        sa.Column("username", sa.Text(), nullable=False),
        sa.Column("tls", sa.Boolean()),
        sa.Column("sealed_password", sa.LargeBinary(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            nullable=False,
            server_default=sa.text("now()"),
        ),
        sa.PrimaryKeyConstraint("id", name="pk_sources"),
        sa.UniqueConstraint("owner_sub", "name", name="uq_sources_owner_sub_name"),
        sa.CheckConstraint("kind IN ('postgresql', 'oracle')", name=op.f("ck_sources_kind")),
        schema="ingest",
    )
    op.create_table(
        "reads",
        sa.Column("import_id", sa.BigInteger(), nullable=False),
        sa.Column("source_id", sa.BigInteger()),
        sa.Column("target", postgresql.JSONB(), nullable=False),
        sa.Column("sealed_password", sa.LargeBinary()),
        sa.Column("wanted", postgresql.JSONB()),
        sa.PrimaryKeyConstraint("import_id", name="pk_reads"),
        sa.ForeignKeyConstraint(
            ["import_id"],
            ["ingest.imports.id"],
            name="fk_reads_import_id_imports",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["source_id"],
            ["ingest.sources.id"],
            name="fk_reads_source_id_sources",
            ondelete="SET NULL",
        ),
        schema="ingest",
    )
    op.create_index("ix_reads_source_id", "reads", ["source_id"], schema="ingest")


def downgrade() -> None:
    for table in ("reads", "sources"):
        op.drop_table(table, schema="ingest")
