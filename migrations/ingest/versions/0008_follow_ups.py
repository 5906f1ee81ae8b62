"""Imports that follow others, and what is kept so that an import can be taken back."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0008"
down_revision: str | None = "0007"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

KINDS = "'file', 'database', 'catalog_file', 'catalog_database'"


def upgrade() -> None:
    """Go forward."""
    _kinds(f"{KINDS}, 'correction', 'undo'")
    op.add_column("imports", sa.Column("follows", sa.BigInteger()), schema="ingest")
    op.create_foreign_key(
        "fk_imports_follows_imports",
        "imports",
        "imports",
        ["follows"],
        ["id"],
        source_schema="ingest",
        referent_schema="ingest",
        ondelete="SET NULL",
    )
    op.add_column("imports", sa.Column("edited", sa.Text()), schema="ingest")
    op.add_column(
        "imports",
        sa.Column("rows_deleted", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        schema="ingest",
    )
    op.add_column("imports", sa.Column("table_oid", sa.BigInteger()), schema="ingest")
    op.add_column("imports", sa.Column("former_path", sa.Text()), schema="ingest")
    op.add_column("imports", sa.Column("former_bytes", sa.BigInteger()), schema="ingest")
    op.add_column("imports", sa.Column("former_columns", postgresql.JSONB()), schema="ingest")
    op.add_column("imports", sa.Column("undone", postgresql.JSONB()), schema="ingest")
    for name in ("follows", "former_path"):
        op.create_index(
            f"ix_imports_{name}",
            "imports",
            [name],
            schema="ingest",
            postgresql_where=sa.text(f"{name} IS NOT NULL"),
        )


def downgrade() -> None:
    """Go back; imports that follow others go."""
    op.execute("DELETE FROM ingest.imports WHERE kind IN ('correction', 'undo')")
    for name in (
        "undone",
        "former_columns",
        "former_bytes",
        "former_path",
        "table_oid",
        "rows_deleted",
        "edited",
        "follows",
    ):
        op.drop_column("imports", name, schema="ingest")
    _kinds(KINDS)


def _kinds(kinds: str) -> None:
    op.drop_constraint(op.f("ck_imports_kind"), "imports", schema="ingest", type_="check")
    op.create_check_constraint(
        op.f("ck_imports_kind"), "imports", f"kind IN ({kinds})", schema="ingest"
    )
