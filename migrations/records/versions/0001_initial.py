"""Registry of the users' tables, grants, outbox, kept answers, and the functions beside them."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0001"
down_revision: str | None = None
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# `setval(nextval + n)` alone is a race: the no-op ALTER SEQUENCE waits for every open transaction
# that used `nextval`, and `nextval` waits for it, until the caller's short transaction ends.
RESERVE_IDS = """
CREATE FUNCTION records.reserve_ids(table_oid oid, count bigint) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '2s'
AS $$
DECLARE
    sequence regclass;
    first_id bigint;
BEGIN
    IF count IS NULL OR count < 1 THEN
        RAISE EXCEPTION 'a block holds at least one id' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    SELECT d.objid::regclass INTO sequence
    FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'data'
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'id' AND a.attidentity <> ''
    JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass
        AND d.refobjid = c.oid AND d.refobjsubid = a.attnum AND d.deptype = 'i'
    WHERE c.oid = table_oid AND c.relkind = 'r';
    IF sequence IS NULL THEN
        RAISE EXCEPTION 'no table of the schema data has the oid %', table_oid
            USING ERRCODE = 'undefined_table';
    END IF;
    EXECUTE format('ALTER SEQUENCE %s INCREMENT BY 1', sequence);
    first_id := nextval(sequence);
    PERFORM setval(sequence, first_id + count - 1);
    RETURN first_id;
END
$$
"""

# PostgreSQL 15 has no pg_input_is_valid; there, a subtransaction per row answers.
FITS = """
CREATE FUNCTION records.fits(value text, type_name text) RETURNS boolean
LANGUAGE plpgsql STABLE
AS $$
BEGIN
    IF value IS NULL THEN
        RETURN true;
    END IF;
    IF current_setting('server_version_num')::int >= 160000 THEN
        RETURN pg_input_is_valid(value, type_name);
    END IF;
    EXECUTE format('SELECT CAST(%L AS %s)', value, type_name);
    RETURN true;
EXCEPTION WHEN data_exception THEN
    RETURN false;
END
$$
"""


def upgrade() -> None:
    op.create_table(
        "tables",
        sa.Column("oid", postgresql.OID(), autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("owner_sub", sa.Text(), nullable=False),
        sa.Column("owner_label", sa.Text(), nullable=False),
        sa.Column("description", sa.Text()),
        sa.Column("version", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("grants_version", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False
        ),
        sa.PrimaryKeyConstraint("oid", name="pk_tables"),
        sa.UniqueConstraint("name", name="uq_tables_name"),
        schema="records",
    )
    op.create_index("ix_tables_owner_sub", "tables", ["owner_sub"], schema="records")
    op.create_table(
        "grants",
        sa.Column("oid", postgresql.OID(), nullable=False),
        sa.Column("sub", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("granted_by", sa.Text(), nullable=False),
        sa.Column(
            "granted_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False
        ),
        sa.CheckConstraint("level IN ('viewer', 'editor', 'owner')", name="ck_grants_level"),
        sa.ForeignKeyConstraint(
            ["oid"], ["records.tables.oid"], name="fk_grants_oid_tables", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("oid", "sub", name="pk_grants"),
        schema="records",
    )
    op.create_index("ix_grants_sub", "grants", ["sub"], schema="records")
    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("payload", postgresql.JSONB(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("last_error", sa.Text()),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False
        ),
        sa.Column(
            "next_attempt_at",
            sa.DateTime(timezone=True),
            server_default=sa.func.now(),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id", name="pk_outbox"),
        schema="records",
    )
    op.create_index("ix_outbox_next_attempt_at", "outbox", ["next_attempt_at"], schema="records")
    op.create_table(
        "idempotency",
        sa.Column("caller", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("claim", sa.Uuid(), nullable=False),
        sa.Column("done", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("status", sa.Integer()),
        sa.Column("headers", postgresql.JSONB()),
        sa.Column("body", sa.LargeBinary()),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False
        ),
        sa.Column("claimed_until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("caller", "key", name="pk_idempotency"),
        schema="records",
    )
    op.create_index("ix_idempotency_created_at", "idempotency", ["created_at"], schema="records")
    _functions()


def _functions() -> None:
    # Both must belong to `records`, the owner of the users' tables, which has no CREATE here.
    op.execute("GRANT CREATE ON SCHEMA records TO records")
    op.execute(RESERVE_IDS)
    op.execute(FITS)
    for signature in ("records.reserve_ids(oid, bigint)", "records.fits(text, text)"):
        op.execute(f"REVOKE ALL ON FUNCTION {signature} FROM PUBLIC")
        op.execute(f"ALTER FUNCTION {signature} OWNER TO records")
    op.execute("REVOKE CREATE ON SCHEMA records FROM records")
    op.execute("SET LOCAL ROLE records")
    op.execute("GRANT EXECUTE ON FUNCTION records.reserve_ids(oid, bigint) TO ingest")
    op.execute("RESET ROLE")
    op.execute("GRANT USAGE ON SCHEMA records TO ingest")


def downgrade() -> None:
    op.execute("REVOKE USAGE ON SCHEMA records FROM ingest")
    op.execute("SET LOCAL ROLE records")
    op.execute("DROP FUNCTION records.fits(text, text)")
    op.execute("DROP FUNCTION records.reserve_ids(oid, bigint)")
    op.execute("RESET ROLE")
    for name in ("idempotency", "outbox", "grants", "tables"):
        op.drop_table(name, schema="records")
