"""What columns remember of the files that they were made for: names there, and words for NULL."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0009"
down_revision: str | None = "0008"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "column_memories",
        sa.Column("table_id", sa.BigInteger(), nullable=False),
        sa.Column("column_name", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("null_values", sa.ARRAY(sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(
            ["table_id"],
            ["records.tables.id"],
            name=op.f("fk_column_memories_table_id_tables"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("table_id", "column_name", name=op.f("pk_column_memories")),
        schema="records",
    )


def downgrade() -> None:
    op.drop_table("column_memories", schema="records")
