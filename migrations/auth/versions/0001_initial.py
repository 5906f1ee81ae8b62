"""People, machine clients, sessions, signing keys, mailed codes, and the common audit trail."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from shared.store.identifiers import NAMING_CONVENTION, quoted

revision: str = "0001"
down_revision: str | None = None
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

WRITERS_OF_AUDIT = ("auth", "catalog", "records", "ingest")
# Not `id` and not `at`: a writer can neither choose the order nor the time of what it tells.
WRITTEN_COLUMNS = "subject, action, object, result, request_id, address, detail"


def upgrade() -> None:
    """Go forward."""
    _people_and_clients()
    _sessions()
    _keys()
    _codes_and_limits()
    _audit()


def downgrade() -> None:
    """Go back; the audit trail goes with it."""
    op.drop_table("events", schema="audit")
    for table in (
        "attempts",
        "request_limits",
        "otp_challenges",
        "signing_keys",
        "refresh_tokens",
        "refresh_families",
        "clients",
        "users",
    ):
        op.drop_table(table, schema="auth")


def _moment(name: str, *, now: bool = False, null: bool = False) -> "sa.Column[object]":
    default = sa.func.now() if now else None
    return sa.Column(name, sa.DateTime(timezone=True), nullable=null, server_default=default)


def _people_and_clients() -> None:
    op.create_table(
        "users",
        sa.Column("id", sa.Uuid(), nullable=False, server_default=sa.text("gen_random_uuid()")),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("username", sa.Text()),
        sa.Column("password_hash", sa.Text()),
        sa.Column("role", sa.Text(), nullable=False, server_default=sa.text("'member'")),
        sa.Column("disabled", sa.Boolean(), nullable=False, server_default=sa.text("false")),
        _moment("created_at", now=True),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
        sa.UniqueConstraint("email", name="uq_users_email"),
        sa.CheckConstraint("role IN ('member', 'admin')", name=op.f("ck_users_role")),
        schema="auth",
    )
    op.create_index(
        "uq_users_username", "users", [sa.text("lower(username)")], unique=True, schema="auth"
    )
    op.create_table(
        "clients",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("secret_digest", sa.LargeBinary(), nullable=False),
        sa.Column("scopes", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        _moment("created_at", now=True),
        _moment("revoked_at", null=True),
        sa.PrimaryKeyConstraint("id", name="pk_clients"),
        schema="auth",
    )


def _sessions() -> None:
    op.create_table(
        "refresh_families",
        sa.Column("id", sa.Uuid(), nullable=False, server_default=sa.text("gen_random_uuid()")),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("scopes", postgresql.ARRAY(sa.Text()), nullable=False),
        _moment("created_at", now=True),
        _moment("expires_at"),
        _moment("ended_at", null=True),
        sa.Column("ended_because", sa.Text()),
        sa.PrimaryKeyConstraint("id", name="pk_refresh_families"),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["auth.users.id"],
            name="fk_refresh_families_user_id_users",
            ondelete="CASCADE",
        ),
        schema="auth",
    )
    _index("refresh_families", "user_id")
    _index("refresh_families", "expires_at")
    op.create_table(
        "refresh_tokens",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("family_id", sa.Uuid(), nullable=False),
        _moment("created_at", now=True),
        _moment("expires_at"),
        _moment("used_at", null=True),
        sa.PrimaryKeyConstraint("digest", name="pk_refresh_tokens"),
        sa.ForeignKeyConstraint(
            ["family_id"],
            ["auth.refresh_families.id"],
            name="fk_refresh_tokens_family_id_refresh_families",
            ondelete="CASCADE",
        ),
        schema="auth",
    )
    _index("refresh_tokens", "family_id")


def _keys() -> None:
    op.create_table(
        "signing_keys",
        sa.Column("kid", sa.Text(), nullable=False),
        sa.Column("public_jwk", postgresql.JSONB(), nullable=False),
        sa.Column("private_key", sa.LargeBinary()),
        _moment("published_at", now=True),
        _moment("usable_from"),
        _moment("signs_from", null=True),
        _moment("signs_until", null=True),
        sa.PrimaryKeyConstraint("kid", name="pk_signing_keys"),
        schema="auth",
    )


def _codes_and_limits() -> None:
    op.create_table(
        "otp_challenges",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("code_mac", sa.LargeBinary(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False, server_default=sa.text("0")),
        _moment("created_at", now=True),
        _moment("expires_at"),
        _moment("used_at", null=True),
        sa.PrimaryKeyConstraint("id", name="pk_otp_challenges"),
        schema="auth",
    )
    _index("otp_challenges", "expires_at")
    op.create_table(
        "request_limits",
        sa.Column("key", sa.Text(), nullable=False),
        _moment("arrives_at"),
        sa.PrimaryKeyConstraint("key", name="pk_request_limits"),
        schema="auth",
    )
    _index("request_limits", "arrives_at")
    op.create_table(
        "attempts",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        _moment("last_at"),
        _moment("blocked_until"),
        sa.PrimaryKeyConstraint("key", name="pk_attempts"),
        schema="auth",
    )
    _index("attempts", "last_at")


def _audit() -> None:
    op.create_table(
        "events",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        _moment("at", now=True),
        sa.Column("subject", sa.Text()),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("object", sa.Text()),
        sa.Column("result", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text()),
        sa.Column("address", sa.Text()),
        sa.Column("detail", postgresql.JSONB()),
        sa.PrimaryKeyConstraint("id", name="pk_events"),
        schema="audit",
    )
    _index("events", "at", schema="audit")
    for column in ("subject", "action", "object"):
        _index("events", column, "id", schema="audit")
    op.execute("REVOKE ALL ON audit.events FROM PUBLIC")
    for role in WRITERS_OF_AUDIT:
        op.execute(f"GRANT INSERT ({WRITTEN_COLUMNS}) ON audit.events TO {quoted(role)}")
    op.execute('GRANT SELECT ON audit.events TO "auth"')


def _index(table: str, *columns: str, schema: str = "auth") -> None:
    # Spelled by the naming convention, as tables.py spells them.
    name = NAMING_CONVENTION["ix"] % {"table_name": table, "column_0_N_name": "_".join(columns)}
    op.create_index(name, table, list(columns), schema=schema)
