"""Tags and owners of tables and ETLs; descriptions and tags of columns."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision: str = "0005"
down_revision: str | None = "0004"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

SCHEMA = "catalog"


def upgrade() -> None:
    """Go forward."""
    for table in ("tables", "etls"):
        for name in ("tags", "owners"):
            op.add_column(table, _texts(name), schema=SCHEMA)
    op.create_table(
        "column_notes",
        sa.Column("table_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text()),
        _texts("tags"),
        sa.PrimaryKeyConstraint("table_id", "name", name="pk_column_notes"),
        schema=SCHEMA,
    )


def _texts(name: str) -> sa.Column[Sequence[str]]:
    return sa.Column(name, ARRAY(sa.Text()))


def downgrade() -> None:
    """Go back."""
    op.drop_table("column_notes", schema=SCHEMA)
    for table in ("tables", "etls"):
        for name in ("owners", "tags"):
            op.drop_column(table, name, schema=SCHEMA)
