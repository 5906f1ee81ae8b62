"""Why rows were refused, in sum."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0006"
down_revision: str | None = "0005"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Go forward."""
    op.add_column("imports", sa.Column("reasons", postgresql.JSONB()), schema="ingest")


def downgrade() -> None:
    """Go back."""
    op.drop_column("imports", "reasons", schema="ingest")
