"""Key the registry by ids of its own, which survive a restore; PostgreSQL's OIDs do not."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column(
        "tables",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        schema="records",
    )
    op.add_column("grants", sa.Column("table_id", sa.BigInteger()), schema="records")
    op.execute(
        "UPDATE records.grants g SET table_id = t.id FROM records.tables t WHERE t.oid = g.oid"
    )
    op.drop_constraint("fk_grants_oid_tables", "grants", schema="records")
    op.drop_constraint("pk_grants", "grants", schema="records")
    op.drop_constraint("pk_tables", "tables", schema="records")
    op.create_primary_key("pk_tables", "tables", ["id"], schema="records")
    op.create_primary_key("pk_grants", "grants", ["table_id", "sub"], schema="records")
    op.create_foreign_key(
        "fk_grants_table_id_tables",
        "grants",
        "tables",
        ["table_id"],
        ["id"],
        source_schema="records",
        referent_schema="records",
        ondelete="CASCADE",
    )
    op.drop_column("grants", "oid", schema="records")
    op.drop_column("tables", "oid", schema="records")


def downgrade() -> None:
    op.add_column("tables", sa.Column("oid", postgresql.OID()), schema="records")
    op.add_column("grants", sa.Column("oid", postgresql.OID()), schema="records")
    # A table that is gone has no OID, and nothing to be granted.
    op.execute(
        "UPDATE records.tables t SET oid = c.oid FROM pg_class c JOIN pg_namespace n"
        " ON n.oid = c.relnamespace AND n.nspname = 'data' WHERE c.relname = t.name"
    )
    op.execute("DELETE FROM records.tables WHERE oid IS NULL")
    op.execute(
        "UPDATE records.grants g SET oid = t.oid FROM records.tables t WHERE t.id = g.table_id"
    )
    op.drop_constraint("fk_grants_table_id_tables", "grants", schema="records")
    op.drop_constraint("pk_grants", "grants", schema="records")
    op.drop_constraint("pk_tables", "tables", schema="records")
    op.create_primary_key("pk_tables", "tables", ["oid"], schema="records")
    op.create_primary_key("pk_grants", "grants", ["oid", "sub"], schema="records")
    op.create_foreign_key(
        "fk_grants_oid_tables",
        "grants",
        "tables",
        ["oid"],
        ["oid"],
        source_schema="records",
        referent_schema="records",
        ondelete="CASCADE",
    )
    op.drop_column("grants", "table_id", schema="records")
    op.drop_column("tables", "id", schema="records")
