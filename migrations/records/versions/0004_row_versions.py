"""Give every user's table the system column `_version`, which each UPDATE of ours raises.

A constant default costs no rewrite: only the catalog changes, one table after the other.
"""

from collections.abc import Sequence

from alembic import op

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# DDL in `data` belongs to the role `records`, of which the owner is a member.
EACH_TABLE = """
DO $$
DECLARE
    relation regclass;
BEGIN
    FOR relation IN
        SELECT c.oid FROM records.tables t
        JOIN pg_class c ON c.relname = t.name AND c.relkind = 'r'
            AND c.relnamespace = 'data'::regnamespace
        ORDER BY t.name
    LOOP
        EXECUTE format('ALTER TABLE %s {change}', relation);
    END LOOP;
END
$$
"""


def upgrade() -> None:
    _on_each_table("ADD COLUMN IF NOT EXISTS _version integer NOT NULL DEFAULT 1")


def downgrade() -> None:
    _on_each_table("DROP COLUMN IF EXISTS _version")


def _on_each_table(change: str) -> None:
    op.execute("SET LOCAL ROLE records")
    op.execute(EACH_TABLE.replace("{change}", change))
    op.execute("RESET ROLE")
