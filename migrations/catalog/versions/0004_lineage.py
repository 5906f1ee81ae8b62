"""OpenLineage: what jobs read, their runs, facets, lineage of columns, and events to be read."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

SCHEMA = "catalog"
TABLES = (
    "lineage_inbox",
    "column_edges",
    "table_facets",
    "etl_facets",
    "run_facets",
    "run_events",
    "runs",
    "inputs",
)


def upgrade() -> None:
    """Go forward."""
    for table in ("edges", "removed_edges"):
        op.add_column(table, sa.Column("last_run", sa.Text()), schema=SCHEMA)
    op.create_table(
        "inputs",
        _id("etl_id"),
        _id("table_id"),
        _time("first_seen"),
        _time("last_seen"),
        sa.Column("last_run", sa.Text()),
        sa.PrimaryKeyConstraint("etl_id", "table_id", name="pk_inputs"),
        schema=SCHEMA,
    )
    op.create_index("ix_inputs_table_id", "inputs", ["table_id"], schema=SCHEMA)
    _create_runs()
    for owner in ("etl", "table"):
        op.create_table(
            f"{owner}_facets",
            _id(f"{owner}_id"),
            sa.Column("name", sa.Text(), nullable=False),
            sa.Column("content", JSONB()),
            _time("at"),
            sa.PrimaryKeyConstraint(f"{owner}_id", "name", name=f"pk_{owner}_facets"),
            schema=SCHEMA,
        )
    op.create_table(
        "column_edges",
        _id("etl_id"),
        _id("output_table_id"),
        sa.Column("output_column", sa.Text(), nullable=False),
        _id("input_table_id"),
        sa.Column("input_column", sa.Text(), nullable=False),
        sa.Column("type", sa.Text()),
        sa.Column("subtype", sa.Text()),
        sa.Column("masking", sa.Boolean(), server_default=sa.false(), nullable=False),
        _time("last_seen"),
        sa.PrimaryKeyConstraint(
            "output_table_id",
            "output_column",
            "input_table_id",
            "input_column",
            "etl_id",
            name="pk_column_edges",
        ),
        schema=SCHEMA,
    )
    op.create_index(
        "ix_column_edges_input_table_id_input_column",
        "column_edges",
        ["input_table_id", "input_column"],
        schema=SCHEMA,
    )
    op.create_table(
        "lineage_inbox",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column(
            "received_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False
        ),
        sa.Column("error", sa.Text()),
        sa.PrimaryKeyConstraint("id", name="pk_lineage_inbox"),
        schema=SCHEMA,
    )


def _create_runs() -> None:
    op.create_table(
        "runs",
        sa.Column("id", sa.Text(), nullable=False),
        _id("etl_id"),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True)),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.Column("nominal_start", sa.DateTime(timezone=True)),
        sa.Column("nominal_end", sa.DateTime(timezone=True)),
        sa.Column("parent_run", sa.Text()),
        sa.Column("parent_namespace", sa.Text()),
        sa.Column("parent_name", sa.Text()),
        sa.Column("error", sa.Text()),
        sa.Column("producer", sa.Text()),
        _time("first_event"),
        _time("last_event"),
        sa.PrimaryKeyConstraint("id", name="pk_runs"),
        schema=SCHEMA,
    )
    op.create_index("ix_runs_etl_id_first_event", "runs", ["etl_id", "first_event"], schema=SCHEMA)
    op.create_index("ix_runs_last_event", "runs", ["last_event"], schema=SCHEMA)
    op.create_table(
        "run_events",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        _time("at"),
        sa.PrimaryKeyConstraint("run_id", "type", "at", name="pk_run_events"),
        schema=SCHEMA,
    )
    op.create_table(
        "run_facets",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("table_id", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("content", JSONB()),
        _time("at"),
        sa.PrimaryKeyConstraint("run_id", "place", "table_id", "name", name="pk_run_facets"),
        schema=SCHEMA,
    )


def _id(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=False)


def _time(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=False)


def downgrade() -> None:
    """Go back."""
    for table in TABLES:
        op.drop_table(table, schema=SCHEMA)
    for table in ("edges", "removed_edges"):
        op.drop_column(table, "last_run", schema=SCHEMA)
