"""Imports, their rejects, and what must follow a commit."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0001"
down_revision: str | None = None
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def _count(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=False, server_default=sa.text("0"))


def _moment(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True))


def _now(name: str) -> sa.Column[object]:
    return sa.Column(
        name, sa.DateTime(timezone=True), nullable=False, server_default=sa.text("now()")
    )


def upgrade() -> None:
    _imports()
    _rejects()
    _answers()
    _outbox()


def _imports() -> None:
    op.create_table(
        "imports",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False, server_default=sa.text("'queued'")),
        sa.Column("table_name", sa.Text()),
        sa.Column("options", postgresql.JSONB(), nullable=False),
        sa.Column("etl_name", sa.Text()),
        sa.Column("email", sa.Text()),
        sa.Column("file_name", sa.Text()),
        sa.Column("caller", postgresql.JSONB(), nullable=False),
        sa.Column("submitted_by_sub", sa.Text(), nullable=False),
        sa.Column("submitted_by_label", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text()),
        sa.Column("request_key", sa.Text()),
        sa.Column("idempotency_key", sa.Text(), nullable=False),
        sa.Column("content_sha256", sa.Text()),
        sa.Column("upload_path", sa.Text()),
        sa.Column("attempt", sa.Integer(), nullable=False, server_default=sa.text("0")),
        _count("lease"),
        _now("not_before"),
        _moment("heartbeat_at"),
        sa.Column("backend_pid", sa.Integer()),
        _moment("backend_start"),
        sa.Column("made_table_oid", sa.BigInteger()),
        sa.Column("last_error", sa.Text()),
        _count("revision"),
        _count("rows_read"),
        _count("rows_loaded"),
        _count("rows_rejected"),
        _count("rows_inserted"),
        _count("rows_updated"),
        _count("bytes_read"),
        sa.Column("bytes_total", sa.BigInteger()),
        sa.Column("format", postgresql.JSONB()),
        sa.Column("inferred", postgresql.JSONB()),
        sa.Column("error", postgresql.JSONB()),
        sa.Column("reject_pass", sa.Integer(), nullable=False, server_default=sa.text("0")),
        sa.Column("rejects_path", sa.Text()),
        _now("created_at"),
        _moment("started_at"),
        _moment("finished_at"),
        sa.PrimaryKeyConstraint("id", name="pk_imports"),
        sa.CheckConstraint(
            "kind IN ('file', 'database', 'catalog_file', 'catalog_database')",
            name=op.f("ck_imports_kind"),
        ),
        sa.CheckConstraint(
            "state IN ('queued', 'running', 'succeeded', 'failed', 'cancelled')",
            name=op.f("ck_imports_state"),
        ),
        schema="ingest",
    )
    _index(
        "imports",
        "uq_imports_open_idempotency_key",
        "idempotency_key",
        unique=True,
        where="state IN ('queued', 'running')",
    )
    _index(
        "imports",
        "uq_imports_request_key",
        "submitted_by_sub",
        "request_key",
        unique=True,
        where="request_key IS NOT NULL",
    )
    _index("imports", "ix_imports_queued", "submitted_by_sub", "id", where="state = 'queued'")
    _index("imports", "ix_imports_running", "heartbeat_at", where="state = 'running'")
    _index("imports", "ix_imports_submitter", "submitted_by_sub", "id")
    _index("imports", "ix_imports_served", "submitted_by_sub", "started_at")
    _index("imports", "ix_imports_table_name", "table_name", "id")
    _index("imports", "ix_imports_etl_name", "etl_name", "id")
    _index("imports", "ix_imports_finished_at", "finished_at")
    for path in ("upload_path", "rejects_path"):
        _index("imports", f"ix_imports_{path}", path, where=f"{path} IS NOT NULL")


def _rejects() -> None:
    op.create_table(
        "rejects",
        sa.Column("import_id", sa.BigInteger(), nullable=False),
        sa.Column("lease", sa.BigInteger(), nullable=False),
        sa.Column("pass", sa.Integer(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("line", sa.BigInteger(), nullable=False),
        sa.Column("column_name", sa.Text()),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("value", sa.Text()),
        sa.PrimaryKeyConstraint("import_id", "lease", "pass", "ordinal", name="pk_rejects"),
        sa.ForeignKeyConstraint(
            ["import_id"],
            ["ingest.imports.id"],
            name="fk_rejects_import_id_imports",
            ondelete="CASCADE",
        ),
        schema="ingest",
    )


def _answers() -> None:
    op.create_table(
        "answers",
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("request_key", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("body", postgresql.JSONB(), nullable=False),
        _now("created_at"),
        sa.PrimaryKeyConstraint("subject", "request_key", name="pk_answers"),
        schema="ingest",
    )


def _outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("payload", postgresql.JSONB(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False, server_default=sa.text("0")),
        sa.Column("last_error", sa.Text()),
        _now("created_at"),
        _now("next_attempt_at"),
        sa.PrimaryKeyConstraint("id", name="pk_outbox"),
        schema="ingest",
    )
    _index("outbox", "ix_outbox_next_attempt_at", "next_attempt_at")


def _index(
    table: str, name: str, *columns: str, unique: bool = False, where: str | None = None
) -> None:
    op.create_index(
        name,
        table,
        list(columns),
        unique=unique,
        schema="ingest",
        postgresql_where=sa.text(where) if where else None,
    )


def downgrade() -> None:
    for table in ("outbox", "answers", "rejects", "imports"):
        op.drop_table(table, schema="ingest")
