"""Where the judged rows of a dry run are kept until they are loaded, which is once at most."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0014"
down_revision: str | None = "0013"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Go forward."""
    op.add_column("imports", sa.Column("rehearsal_path", sa.Text()), schema="ingest")
    op.create_index(
        "uq_imports_commit",
        "imports",
        ["follows"],
        unique=True,
        schema="ingest",
        postgresql_where=sa.text(
            "state = 'succeeded'::text AND kind = ANY (ARRAY['file'::text, 'database'::text])"
        ),
    )
    op.create_index(
        "ix_imports_rehearsal_path",
        "imports",
        ["rehearsal_path"],
        schema="ingest",
        postgresql_where=sa.text("rehearsal_path IS NOT NULL"),
    )


def downgrade() -> None:
    """Go back."""
    for index in ("ix_imports_rehearsal_path", "uq_imports_commit"):
        op.drop_index(index, "imports", schema="ingest")
    op.drop_column("imports", "rehearsal_path", schema="ingest")
