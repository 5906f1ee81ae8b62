"""Namespaces in the identity of tables and ETLs; edges that were removed, and who did it.

Names without a namespace have the empty one, so that every older row and call stays as it is.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

SCHEMA = "catalog"


def upgrade() -> None:
    """Go forward."""
    for table in ("schemas", "tables", "etls"):
        column = sa.Column("namespace", sa.Text(), server_default="", nullable=False)
        op.add_column(table, column, schema=SCHEMA)
    op.add_column("tables", sa.Column("vanished_at", sa.DateTime(timezone=True)), schema=SCHEMA)
    op.drop_constraint("pk_schemas", "schemas", schema=SCHEMA)
    op.create_primary_key("pk_schemas", "schemas", ["name", "namespace"], schema=SCHEMA)
    op.drop_constraint("uq_tables_schema_name_name", "tables", schema=SCHEMA)
    op.create_unique_constraint(
        "uq_tables_schema_name_name_namespace",
        "tables",
        ["schema_name", "name", "namespace"],
        schema=SCHEMA,
    )
    op.drop_constraint("uq_etls_name", "etls", schema=SCHEMA)
    op.create_unique_constraint(
        "uq_etls_name_namespace", "etls", ["name", "namespace"], schema=SCHEMA
    )
    op.add_column("edges", sa.Column("entered_by", sa.Text()), schema=SCHEMA)
    op.create_table(
        "namespaces",
        sa.Column("alias", sa.Text(), nullable=False),
        sa.Column("same_as", sa.Text(), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False
        ),
        sa.PrimaryKeyConstraint("alias", name="pk_namespaces"),
        schema=SCHEMA,
    )
    _create_removed_edges()


def _create_removed_edges() -> None:
    op.create_table(
        "removed_edges",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("etl_id", sa.BigInteger(), nullable=False),
        sa.Column("table_id", sa.BigInteger(), nullable=False),
        sa.Column("first_seen", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen", sa.DateTime(timezone=True), nullable=False),
        sa.Column("first_import", sa.BigInteger()),
        sa.Column("last_import", sa.BigInteger()),
        sa.Column("columns", JSONB()),
        sa.Column("estimated_rows", sa.BigInteger()),
        sa.Column("scanned_at", sa.DateTime(timezone=True)),
        sa.Column("entered_by", sa.Text()),
        sa.Column(
            "removed_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False
        ),
        sa.Column("removed_by", sa.Text()),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_removed_edges"),
        schema=SCHEMA,
    )
    for column in ("etl_id", "table_id"):
        op.create_index(f"ix_removed_edges_{column}", "removed_edges", [column], schema=SCHEMA)


def downgrade() -> None:
    """Go back; what has a namespace cannot stay."""
    op.drop_table("removed_edges", schema=SCHEMA)
    op.drop_table("namespaces", schema=SCHEMA)
    op.drop_column("edges", "entered_by", schema=SCHEMA)
    op.execute(
        "DELETE FROM catalog.edges WHERE table_id IN"
        " (SELECT id FROM catalog.tables WHERE namespace <> '')"
        " OR etl_id IN (SELECT id FROM catalog.etls WHERE namespace <> '')"
    )
    for table in ("tables", "etls", "schemas"):
        op.execute(f"DELETE FROM catalog.{table} WHERE namespace <> ''")  # noqa: S608 - our names
    op.drop_constraint("uq_etls_name_namespace", "etls", schema=SCHEMA)
    op.create_unique_constraint("uq_etls_name", "etls", ["name"], schema=SCHEMA)
    op.drop_constraint("uq_tables_schema_name_name_namespace", "tables", schema=SCHEMA)
    op.create_unique_constraint(
        "uq_tables_schema_name_name", "tables", ["schema_name", "name"], schema=SCHEMA
    )
    op.drop_constraint("pk_schemas", "schemas", schema=SCHEMA)
    op.create_primary_key("pk_schemas", "schemas", ["name"], schema=SCHEMA)
    op.drop_column("tables", "vanished_at", schema=SCHEMA)
    for table in ("schemas", "tables", "etls"):
        op.drop_column(table, "namespace", schema=SCHEMA)
