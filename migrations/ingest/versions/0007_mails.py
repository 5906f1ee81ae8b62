"""Who was written to how often, what was gathered for the next mail, and which imports say so."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0007"
down_revision: str | None = "0006"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Go forward."""
    op.add_column("imports", sa.Column("mail", sa.Text()), schema="ingest")
    op.create_table(
        "mail_addresses",
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column(
            "sent",
            postgresql.ARRAY(sa.DateTime(timezone=True)),
            server_default=sa.text("'{}'::timestamptz[]"),
            nullable=False,
        ),
        sa.Column("stopped_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("address", name="pk_mail_addresses"),
        schema="ingest",
    )
    op.create_table(
        "gathered_mails",
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("import_id", sa.BigInteger(), nullable=False),
        sa.Column("lease", sa.BigInteger(), nullable=False),
        sa.Column("notice", postgresql.JSONB(), nullable=False),
        sa.ForeignKeyConstraint(
            ["import_id"],
            ["ingest.imports.id"],
            name="fk_gathered_mails_import_id_imports",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("address", "import_id", "lease", name="pk_gathered_mails"),
        schema="ingest",
    )
    op.create_index("ix_gathered_mails_import_id", "gathered_mails", ["import_id"], schema="ingest")


def downgrade() -> None:
    """Go back."""
    op.drop_table("gathered_mails", schema="ingest")
    op.drop_table("mail_addresses", schema="ingest")
    op.drop_column("imports", "mail", schema="ingest")
