"""Mapped tables of the service, in its own schema `ingest`."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    false,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from services.ingest.books import metadata
from services.ingest.domain.options import ImportKind
from services.ingest.domain.run import State


def _words(column: str, words: list[str]) -> str:
    return f"{column} IN ({', '.join(repr(word) for word in words)})"


def _count(name: str) -> "Column[int]":
    return Column(name, BigInteger, nullable=False, server_default=text("0"))


def _moment(name: str) -> Column[object]:
    return Column(name, DateTime(timezone=True))


imports = Table(
    "imports",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("kind", Text, nullable=False),
    Column("state", Text, nullable=False, server_default=text("'queued'")),
    # What was asked for, by whom.
    Column("table_name", Text),
    Column("options", JSONB, nullable=False),
    Column("follows", ForeignKey("ingest.imports.id", ondelete="SET NULL")),
    # The import whose rows they are, where that is another.
    Column("rows_of", BigInteger),
    Column("edited", Text),
    Column("etl_name", Text),
    Column("email", Text),
    Column("file_name", Text),
    Column("caller", JSONB, nullable=False),
    Column("submitted_by_sub", Text, nullable=False),
    Column("submitted_by_label", Text, nullable=False),
    Column("request_id", Text),
    Column("request_key", Text),
    Column("idempotency_key", Text, nullable=False),
    Column("content_sha256", Text),
    Column("upload_path", Text),
    # Who works on it: the lease fences out everybody but the newest attempt.
    Column("attempt", Integer, nullable=False, server_default=text("0")),
    _count("lease"),
    Column("not_before", DateTime(timezone=True), nullable=False, server_default=func.now()),
    _moment("heartbeat_at"),
    Column("backend_pid", Integer),
    _moment("backend_start"),
    Column("made_table_oid", BigInteger),
    Column("last_error", Text),
    # It ran in a worker that died: the next attempt runs in a process of its own.
    Column("trace_parent", Text),
    Column("alone", Boolean, nullable=False, server_default=false()),
    # What became of it. `revision` rises with every change: the id of a server-sent event.
    _count("revision"),
    _count("rows_read"),
    _count("rows_loaded"),
    _count("rows_rejected"),
    _count("rows_inserted"),
    _count("rows_updated"),
    _count("rows_deleted"),
    _count("rows_corrected"),
    _count("rows_skipped"),
    _count("bytes_read"),
    Column("bytes_total", BigInteger),
    Column("format", JSONB),
    Column("inferred", JSONB),
    Column("reasons", JSONB),
    # How the rows were read, where some were refused: so are their corrections.
    Column("reading", JSONB),
    Column("error", JSONB),
    Column("reject_pass", Integer, nullable=False, server_default=text("0")),
    Column("rejects_path", Text),
    Column("rehearsal_path", Text),
    Column("mail", Text),
    # Where its rows went, and what an undo needs: rows that it overwrote or removed are in storage.
    Column("table_oid", BigInteger),
    Column("former_path", Text),
    Column("former_bytes", BigInteger),
    Column("former_columns", JSONB),
    Column("undone", JSONB),
    # Of a feed's run; a tick of its schedule (`planned_at`) makes one run.
    Column("feed_id", ForeignKey("ingest.feeds.id", ondelete="SET NULL")),
    Column("feed_name", Text),
    Column("feed_generation", BigInteger),
    Column("planned_at", DateTime(timezone=True)),
    Column("feed_outcome", JSONB),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    _moment("started_at"),
    _moment("finished_at"),
    CheckConstraint(_words("kind", [kind.value for kind in ImportKind]), name="kind"),
    CheckConstraint(_words("state", [state.value for state in State]), name="state"),
)

OPEN = text("state = ANY (ARRAY['queued'::text, 'running'::text])")

Index(
    "uq_imports_open_idempotency_key",
    imports.c.idempotency_key,
    unique=True,
    postgresql_where=OPEN,
)
Index(
    "uq_imports_request_key",
    imports.c.submitted_by_sub,
    imports.c.request_key,
    unique=True,
    postgresql_where=imports.c.request_key.is_not(None),
)
# What a dry run judged is loaded once.
Index(
    "uq_imports_commit",
    imports.c.follows,
    unique=True,
    postgresql_where=text(
        "state = 'succeeded'::text AND kind = ANY (ARRAY['file'::text, 'database'::text])"
    ),
)
Index(
    "ix_imports_queued",
    imports.c.submitted_by_sub,
    imports.c.id,
    postgresql_where=text("state = 'queued'::text"),
)
Index(
    "ix_imports_running", imports.c.heartbeat_at, postgresql_where=text("state = 'running'::text")
)
Index("ix_imports_submitter", imports.c.submitted_by_sub, imports.c.id)
Index("ix_imports_served", imports.c.submitted_by_sub, imports.c.started_at)
Index("ix_imports_table_name", imports.c.table_name, imports.c.id)
Index("ix_imports_etl_name", imports.c.etl_name, imports.c.id)
Index("ix_imports_finished_at", imports.c.finished_at)
Index("ix_imports_follows", imports.c.follows, postgresql_where=imports.c.follows.is_not(None))
Index(
    "ix_imports_former_path",
    imports.c.former_path,
    postgresql_where=imports.c.former_path.is_not(None),
)
Index(
    "ix_imports_upload_path",
    imports.c.upload_path,
    postgresql_where=imports.c.upload_path.is_not(None),
)
Index(
    "ix_imports_rejects_path",
    imports.c.rejects_path,
    postgresql_where=imports.c.rejects_path.is_not(None),
)
Index(
    "ix_imports_rehearsal_path",
    imports.c.rehearsal_path,
    postgresql_where=imports.c.rehearsal_path.is_not(None),
)

Index("ix_imports_feed_id", imports.c.feed_id, imports.c.id)
Index(
    "uq_imports_feed_tick",
    imports.c.feed_id,
    imports.c.planned_at,
    unique=True,
    postgresql_where=imports.c.planned_at.is_not(None),
)

rejects = Table(
    "rejects",
    metadata,
    Column("import_id", ForeignKey(imports.c.id, ondelete="CASCADE"), nullable=False),
    Column("lease", BigInteger, nullable=False),
    Column("pass", Integer, nullable=False),
    Column("ordinal", Integer, nullable=False),
    Column("line", BigInteger, nullable=False),
    Column("column_name", Text),
    Column("code", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("value", Text),
    PrimaryKeyConstraint("import_id", "lease", "pass", "ordinal"),
)

corrected_lines = Table(
    "corrected_lines",
    metadata,
    # Lines that an import refused and that entered by a correction later.
    Column("import_id", ForeignKey(imports.c.id, ondelete="CASCADE"), nullable=False),
    Column("line", BigInteger, nullable=False),
    Column("corrected_by", BigInteger, nullable=False),
    PrimaryKeyConstraint("import_id", "line"),
)

profiles = Table(
    "profiles",
    metadata,
    Column("import_id", ForeignKey(imports.c.id, ondelete="CASCADE"), primary_key=True),
    # Where the rows went, whatever that table is called by now.
    Column("table_oid", BigInteger),
    Column("profile", JSONB, nullable=False),
)

Index(
    "ix_profiles_table_oid",
    profiles.c.table_oid,
    profiles.c.import_id,
    postgresql_where=profiles.c.table_oid.is_not(None),
)

reads = Table(
    "reads",
    metadata,
    Column("import_id", ForeignKey(imports.c.id, ondelete="CASCADE"), primary_key=True),
    # Where rows come from another database. A saved source's password is looked up when the
    # import runs; any other is sealed here, with the import's id, until the import has succeeded.
    Column("source_id", ForeignKey("ingest.sources.id", ondelete="SET NULL")),
    Column("target", JSONB, nullable=False),
    Column("sealed_password", LargeBinary),
    Column("wanted", JSONB),
)

Index(None, reads.c.source_id)

mail_addresses = Table(
    "mail_addresses",
    metadata,
    # Addresses that are not their submitter's own, in lower case.
    Column("address", Text, primary_key=True),
    Column(
        "sent",
        ARRAY(DateTime(timezone=True)),
        nullable=False,
        server_default=text("'{}'::timestamptz[]"),
    ),
    _moment("stopped_at"),
)

gathered_mails = Table(
    "gathered_mails",
    metadata,
    Column("address", Text, nullable=False),
    Column("import_id", ForeignKey(imports.c.id, ondelete="CASCADE"), nullable=False),
    Column("lease", BigInteger, nullable=False),
    Column("notice", JSONB, nullable=False),
    PrimaryKeyConstraint("address", "import_id", "lease"),
)

Index(None, gathered_mails.c.import_id)
"""What a transaction of this service writes beside its work."""
