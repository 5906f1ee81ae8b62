"""Corrections: whose rows they are, how the first import read its own, and which lines are in."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0015"
down_revision: str | None = "0014"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

COUNTS = ("rows_corrected", "rows_skipped")


def upgrade() -> None:
    """Go forward."""
    op.add_column("imports", sa.Column("rows_of", sa.BigInteger()), schema="ingest")
    op.add_column("imports", sa.Column("reading", postgresql.JSONB()), schema="ingest")
    for name in COUNTS:
        count = sa.Column(name, sa.BigInteger(), nullable=False, server_default=sa.text("0"))
        op.add_column("imports", count, schema="ingest")
    op.create_table(
        "corrected_lines",
        sa.Column("import_id", sa.BigInteger(), nullable=False),
        sa.Column("line", sa.BigInteger(), nullable=False),
        sa.Column("corrected_by", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["import_id"],
            ["ingest.imports.id"],
            name="fk_corrected_lines_import_id_imports",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("import_id", "line", name="pk_corrected_lines"),
        schema="ingest",
    )


def downgrade() -> None:
    """Go back."""
    op.drop_table("corrected_lines", schema="ingest")
    for name in ("reading", "rows_of", *COUNTS):
        op.drop_column("imports", name, schema="ingest")
