"""Ids that callers choose: the sequence is moved past them in a short transaction of its own."""

from collections.abc import Sequence

from alembic import op

revision: str = "0005"
down_revision: str | None = "0004"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# Only ALTER SEQUENCE keeps `nextval` away, once every transaction that used it has ended. Where it
# cannot be had, the room makes up for ids that are drawn between `nextval` and `setval`; the lock
# of `nextval` keeps a reserved block (`reserve_ids`) from coming between.
PASSING = """
CREATE FUNCTION records.pass_ids(table_oid oid, highest bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '1s'
AS $$
DECLARE
    sequence regclass;
    reached text := 'SELECT last_value - CASE WHEN is_called THEN 0 ELSE 1 END FROM %s';
    last_id bigint;
BEGIN
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
    EXECUTE format(reached, sequence) INTO last_id;
    IF last_id >= highest THEN
        RETURN;
    END IF;
    BEGIN
        EXECUTE format('ALTER SEQUENCE %s INCREMENT BY 1', sequence);
        EXECUTE format(reached, sequence) INTO last_id;
        IF last_id < highest THEN
            PERFORM setval(sequence, highest);
        END IF;
    EXCEPTION WHEN lock_not_available OR internal_error THEN
        PERFORM pg_advisory_xact_lock(hashtextextended('records.ids', sequence::oid::bigint));
        IF nextval(sequence) < highest THEN
            PERFORM setval(sequence, highest + 100000);
        END IF;
    END;
END
$$
"""


def upgrade() -> None:
    # It must belong to `records`, the owner of the users' tables, which has no CREATE here.
    op.execute("GRANT CREATE ON SCHEMA records TO records")
    op.execute("SET LOCAL ROLE records")
    op.execute(PASSING)
    op.execute("REVOKE ALL ON FUNCTION records.pass_ids(oid, bigint) FROM PUBLIC")
    op.execute("GRANT EXECUTE ON FUNCTION records.pass_ids(oid, bigint) TO ingest")
    op.execute("RESET ROLE")
    op.execute("REVOKE CREATE ON SCHEMA records FROM records")


def downgrade() -> None:
    op.execute("SET LOCAL ROLE records")
    op.execute("DROP FUNCTION records.pass_ids(oid, bigint)")
    op.execute("RESET ROLE")
