"""Webhooks that are called for one feed alone."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0016"
down_revision: str | None = "0015"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Go forward."""
    op.add_column("webhooks", sa.Column("feed_name", sa.Text()), schema="ingest")


def downgrade() -> None:
    """Go back."""
    op.drop_column("webhooks", "feed_name", schema="ingest")
