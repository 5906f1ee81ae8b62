"""An idempotency key is written by the transaction of its work: claims need no time to end."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Go forward."""
    # They are digests from here on: a key that was used before this upgrade is free again.
    op.execute("DELETE FROM records.idempotency")
    op.drop_column("idempotency", "done", schema="records")
    op.drop_column("idempotency", "claimed_until", schema="records")


def downgrade() -> None:
    """Go back."""
    op.execute("DELETE FROM records.idempotency")
    op.add_column(
        "idempotency",
        sa.Column("done", sa.Boolean(), server_default=sa.false(), nullable=False),
        schema="records",
    )
    op.add_column(
        "idempotency",
        sa.Column(
            "claimed_until",
            sa.DateTime(timezone=True),
            nullable=False,
        ),
        schema="records",
    )
