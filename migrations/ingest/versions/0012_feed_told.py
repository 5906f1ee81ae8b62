"""What was said of a feed's health."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0012"
down_revision: str | None = "0011"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Go forward."""
    op.add_column(
        "feeds",
        sa.Column("told", sa.Text(), server_default=sa.text("'ok'"), nullable=False),
        schema="ingest",
    )


def downgrade() -> None:
    """Go back."""
    op.drop_column("feeds", "told", schema="ingest")
