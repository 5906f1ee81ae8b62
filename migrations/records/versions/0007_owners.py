"""The owner of a table has no grant on it beside: such a one did nothing, and would count now."""

from collections.abc import Sequence

from alembic import op

revision: str = "0007"
down_revision: str | None = "0006"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.execute(
        "DELETE FROM records.grants g USING records.tables t"
        " WHERE t.id = g.table_id AND t.owner_sub = g.sub"
    )


def downgrade() -> None:
    """Nothing to do: those grants had no effect."""
