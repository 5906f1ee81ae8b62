"""References of a bulk load, looked at as a set in place of row by row."""

from collections.abc import Sequence

from alembic import op

revision: str = "0008"
down_revision: str | None = "0007"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# `replica` keeps PostgreSQL's own triggers of references from firing, and everybody's: where
# somebody has a trigger on the table, or `records` may not set it, each row is looked at as ever.
DEFER = """
CREATE FUNCTION records.defer_references(table_oid oid) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT has_parameter_privilege('session_replication_role', 'SET')
        OR NOT EXISTS (
            SELECT 1 FROM pg_class c
            WHERE c.oid = table_oid AND c.relkind = 'r' AND c.relnamespace = 'data'::regnamespace)
        OR EXISTS (SELECT 1 FROM pg_trigger t WHERE t.tgrelid = table_oid AND NOT t.tgisinternal)
        OR EXISTS (
            SELECT 1 FROM pg_constraint k
            WHERE k.conrelid = table_oid AND k.contype = 'f' AND cardinality(k.conkey) > 1)
    THEN
        RETURN false;
    END IF;
    PERFORM set_config('session_replication_role', 'replica', true);
    RETURN true;
END
$$
"""

# What a trigger does for each row: the referenced records are locked against deletion until the
# transaction ends, and a value that none of them has is a violation of the constraint.
CHECK = """
CREATE FUNCTION records.check_references(table_oid oid, import_id bigint, lowest_id bigint)
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    held record;
    unknown text;
BEGIN
    FOR held IN
        SELECT k.conname AS name, own.relname AS own_table, a.attname AS own_column,
            format('%I.%I', n.nspname, c.relname) AS referenced, b.attname AS referenced_column
        FROM pg_constraint k
        JOIN pg_class own ON own.oid = k.conrelid AND own.relnamespace = 'data'::regnamespace
        JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1]
        JOIN pg_class c ON c.oid = k.confrelid
        JOIN pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_attribute b ON b.attrelid = k.confrelid AND b.attnum = k.confkey[1]
        WHERE k.conrelid = table_oid AND k.contype = 'f'
    LOOP
        EXECUTE format(
            'WITH loaded AS MATERIALIZED (SELECT DISTINCT %1$I AS value FROM ONLY data.%2$I'
            '  WHERE _import = $1 AND id >= $2 AND %1$I IS NOT NULL),'
            ' held AS MATERIALIZED (SELECT r.%3$I AS value FROM ONLY %4$s r'
            '  WHERE r.%3$I IN (SELECT value FROM loaded) FOR KEY SHARE OF r)'
            ' SELECT l.value::text FROM loaded l'
            ' WHERE NOT EXISTS (SELECT 1 FROM held h WHERE h.value = l.value) LIMIT 1',
            held.own_column, held.own_table, held.referenced_column, held.referenced)
        INTO unknown USING import_id, lowest_id;
        IF unknown IS NOT NULL THEN
            RAISE EXCEPTION 'insert on table "%" violates foreign key constraint "%"',
                held.own_table, held.name
                USING ERRCODE = 'foreign_key_violation', SCHEMA = 'data', TABLE = held.own_table,
                    CONSTRAINT = held.name,
                    DETAIL = format('Key (%s)=(%s) is not present in table %s.',
                        held.own_column, unknown, held.referenced);
        END IF;
    END LOOP;
    PERFORM set_config('session_replication_role', 'origin', true);
END
$$
"""
SIGNATURES = (
    "records.defer_references(oid)",
    "records.check_references(oid, bigint, bigint)",
)


def upgrade() -> None:
    # They must belong to `records`, the owner of the users' tables, which has no CREATE here.
    op.execute("GRANT CREATE ON SCHEMA records TO records")
    op.execute("SET LOCAL ROLE records")
    op.execute(DEFER)
    op.execute(CHECK)
    for signature in SIGNATURES:
        op.execute(f"REVOKE ALL ON FUNCTION {signature} FROM PUBLIC")
        op.execute(f"GRANT EXECUTE ON FUNCTION {signature} TO ingest")
    op.execute("RESET ROLE")
    op.execute("REVOKE CREATE ON SCHEMA records FROM records")


def downgrade() -> None:
    op.execute("SET LOCAL ROLE records")
    for signature in SIGNATURES:
        op.execute(f"DROP FUNCTION {signature}")
    op.execute("RESET ROLE")
