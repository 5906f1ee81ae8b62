"""Saved sources of a third kind: S3, whose servers are in a region."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0019"
down_revision: str | None = "0018"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Go forward."""
    op.add_column("sources", sa.Column("region", sa.Text()), schema="ingest")
    _kinds("'postgresql', 'oracle', 's3'")


def downgrade() -> None:
    """Go back."""
    op.execute("DELETE FROM ingest.sources WHERE kind = 's3'")
    _kinds("'postgresql', 'oracle'")
    op.drop_column("sources", "region", schema="ingest")


def _kinds(kinds: str) -> None:
    name = op.f("ck_sources_kind")
    op.drop_constraint(name, "sources", schema="ingest", type_="check")
    op.create_check_constraint(name, "sources", f"kind IN ({kinds})", schema="ingest")
