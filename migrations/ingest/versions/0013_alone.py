"""Imports that ran in a worker which died are tried again in a process of their own."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0013"
down_revision: str | None = "0012"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Go forward."""
    op.add_column(
        "imports",
        sa.Column("alone", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        schema="ingest",
    )


def downgrade() -> None:
    """Go back."""
    op.drop_column("imports", "alone", schema="ingest")
