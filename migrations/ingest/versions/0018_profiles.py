"""Profiles: what is in the rows of an import."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0018"
down_revision: str | None = "0017"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Go forward."""
    op.create_table(
        "profiles",
        sa.Column("import_id", sa.BigInteger(), nullable=False),
        sa.Column("table_oid", sa.BigInteger()),
        sa.Column("profile", postgresql.JSONB(), nullable=False),
        sa.ForeignKeyConstraint(
            ["import_id"],
            ["ingest.imports.id"],
            name="fk_profiles_import_id_imports",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("import_id", name="pk_profiles"),
        schema="ingest",
    )
    op.create_index(
        "ix_profiles_table_oid",
        "profiles",
        ["table_oid", "import_id"],
        schema="ingest",
        postgresql_where=sa.text("table_oid IS NOT NULL"),
    )


def downgrade() -> None:
    """Go back."""
    op.drop_table("profiles", schema="ingest")
