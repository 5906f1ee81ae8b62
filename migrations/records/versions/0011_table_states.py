"""By what ingest notices that a table, or who may do what to it, was changed.

`state` is another text as soon as a change of either is committed. What others than the API do to
a table raises no version, but writes rows of PostgreSQL's catalog anew.
"""

from collections.abc import Sequence

from alembic import op

revision: str = "0011"
down_revision: str | None = "0010"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

TABLE_STATES = """
CREATE VIEW records.table_states AS
SELECT t.name, concat_ws('.', t.id, t.version, t.grants_version, c.oid, c.xmin,
  (SELECT sum(a.xmin::text::bigint) FROM pg_catalog.pg_attribute a
   WHERE a.attrelid = c.oid AND a.attnum > 0),
  (SELECT count(*) || '.' || sum(k.xmin::text::bigint) FROM pg_catalog.pg_constraint k
   WHERE k.conrelid = c.oid)) AS state
FROM records.tables t
JOIN pg_catalog.pg_class c ON c.relname = t.name AND c.relkind = 'r'
  AND c.relnamespace = 'data'::regnamespace
"""


def upgrade() -> None:
    op.execute(TABLE_STATES)
    op.execute("GRANT SELECT ON records.table_states TO ingest")


def downgrade() -> None:
    op.execute("DROP VIEW records.table_states")
