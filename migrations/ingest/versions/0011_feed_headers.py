"""The headers that a feed sends to its server, sealed."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0011"
down_revision: str | None = "0010"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Go forward."""
    op.add_column("feeds", sa.Column("sealed_headers", sa.LargeBinary()), schema="ingest")


def downgrade() -> None:
    """Go back."""
    op.drop_column("feeds", "sealed_headers", schema="ingest")
