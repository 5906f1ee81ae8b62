"""Schemas, tables with their former names, ETLs, and the edges between them."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision: str = "0001"
down_revision: str | None = None
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

SCHEMA = "catalog"


def upgrade() -> None:
    op.create_table(
        "schemas",
        sa.Column("name", sa.Text, nullable=False),
        _now("first_seen"),
        sa.PrimaryKeyConstraint("name", name="pk_schemas"),
        schema=SCHEMA,
    )
    op.create_table(
        "tables",
        sa.Column("id", sa.BigInteger, sa.Identity(), nullable=False),
        sa.Column("schema_name", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("description", sa.Text),
        _now("first_seen"),
        sa.Column("state_at", sa.DateTime(timezone=True)),
        sa.Column("dropped_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="pk_tables"),
        sa.UniqueConstraint("schema_name", "name", name="uq_tables_schema_name_name"),
        schema=SCHEMA,
    )
    op.create_table(
        "former_names",
        sa.Column("schema_name", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("renamed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("table_id", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("schema_name", "name", "renamed_at", name="pk_former_names"),
        sa.ForeignKeyConstraint(
            ["table_id"], [f"{SCHEMA}.tables.id"], name="fk_former_names_table_id_tables"
        ),
        schema=SCHEMA,
    )
    op.create_index("ix_former_names_table_id", "former_names", ["table_id"], schema=SCHEMA)
    op.create_table(
        "etls",
        sa.Column("id", sa.BigInteger, sa.Identity(), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("description", sa.Text),
        _now("first_seen"),
        sa.PrimaryKeyConstraint("id", name="pk_etls"),
        sa.UniqueConstraint("name", name="uq_etls_name"),
        schema=SCHEMA,
    )
    _create_edges()


def _create_edges() -> None:
    op.create_table(
        "edges",
        sa.Column("etl_id", sa.BigInteger, nullable=False),
        sa.Column("table_id", sa.BigInteger, nullable=False),
        sa.Column("first_seen", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen", sa.DateTime(timezone=True), nullable=False),
        sa.Column("first_import", sa.BigInteger),
        sa.Column("last_import", sa.BigInteger),
        sa.Column("columns", JSONB),
        sa.Column("estimated_rows", sa.BigInteger),
        sa.Column("scanned_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("etl_id", "table_id", name="pk_edges"),
        schema=SCHEMA,
        postgresql_with={"fillfactor": 50},
    )
    op.create_index("ix_edges_table_id", "edges", ["table_id"], schema=SCHEMA)


def _now(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now())


def downgrade() -> None:
    for table in ("edges", "etls", "former_names", "tables", "schemas"):
        op.drop_table(table, schema=SCHEMA)
