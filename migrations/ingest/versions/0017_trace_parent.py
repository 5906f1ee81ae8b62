"""The trace of the request that submitted an import, which goes on in the worker."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0017"
down_revision: str | None = "0016"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Go forward."""
    op.add_column("imports", sa.Column("trace_parent", sa.Text()), schema="ingest")


def downgrade() -> None:
    """Go back."""
    op.drop_column("imports", "trace_parent", schema="ingest")
