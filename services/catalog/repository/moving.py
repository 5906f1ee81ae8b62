"""A table's row that becomes another one: what was known of it goes along.

So it is where a rename or an alias makes one table of two. What both had stays as the newer one,
or the one that stays, has it.
"""

from datetime import UTC, datetime

from sqlalchemy import BigInteger, DateTime, bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.catalog.repository import lifecycle

INPUTS = """
INSERT INTO catalog.inputs AS i (etl_id, table_id, first_seen, last_seen, last_run)
SELECT etl_id, :target, first_seen, last_seen, last_run FROM catalog.inputs
WHERE table_id = :source AND first_seen < :before ORDER BY etl_id
ON CONFLICT (etl_id, table_id) DO UPDATE SET
  first_seen = least(i.first_seen, excluded.first_seen),
  last_seen = greatest(i.last_seen, excluded.last_seen),
  last_run = CASE WHEN excluded.last_seen >= i.last_seen
                  THEN coalesce(excluded.last_run, i.last_run) ELSE i.last_run END
"""
INPUTS_LEFT = "DELETE FROM catalog.inputs WHERE table_id = :source AND last_seen < :before"
COLUMNS = """
WITH moved AS (
  DELETE FROM catalog.column_edges
  WHERE (output_table_id = :source OR input_table_id = :source) AND last_seen < :before RETURNING *
)
INSERT INTO catalog.column_edges (output_table_id, output_column, input_table_id, input_column,
  etl_id, type, subtype, masking, last_seen)
SELECT CASE output_table_id WHEN :source THEN :target ELSE output_table_id END, output_column,
  CASE input_table_id WHEN :source THEN :target ELSE input_table_id END, input_column,
  etl_id, type, subtype, masking, last_seen
FROM moved ON CONFLICT DO NOTHING
"""
FACETS = """
WITH moved AS (
  DELETE FROM catalog.table_facets WHERE table_id = :source AND at < :before RETURNING *
)
INSERT INTO catalog.table_facets AS f (table_id, name, content, at)
SELECT :target, name, content, at FROM moved
ON CONFLICT (table_id, name) DO UPDATE SET content = excluded.content, at = excluded.at
WHERE excluded.at > f.at
"""
RUN_FACETS = """
WITH moved AS (
  DELETE FROM catalog.run_facets WHERE table_id = :source AND at < :before RETURNING *
)
INSERT INTO catalog.run_facets (run_id, place, table_id, name, content, at)
SELECT run_id, place, :target, name, content, at FROM moved ON CONFLICT DO NOTHING
"""
NOTES = """
WITH moved AS (DELETE FROM catalog.column_notes WHERE table_id = :source RETURNING *)
INSERT INTO catalog.column_notes (table_id, name, description, tags)
SELECT :target, name, description, tags FROM moved ON CONFLICT DO NOTHING
"""
OWN_NOTES = """
UPDATE catalog.tables t SET
  description = coalesce(t.description, s.description),
  tags = coalesce(t.tags, s.tags),
  owners = coalesce(t.owners, s.owners)
FROM catalog.tables s WHERE s.id = :source AND t.id = :target
"""

ENDS = (bindparam("source", type_=BigInteger), bindparam("target", type_=BigInteger))
BEFORE = bindparam("before", type_=DateTime(timezone=True))
REPORTED = (
    text(INPUTS).bindparams(*ENDS, BEFORE),
    text(INPUTS_LEFT).bindparams(ENDS[0], BEFORE),
    *(text(each).bindparams(*ENDS, BEFORE) for each in (COLUMNS, FACETS, RUN_FACETS)),
)
WRITTEN = tuple(text(each).bindparams(*ENDS) for each in (NOTES, OWN_NOTES))
EVER = datetime.max.replace(tzinfo=UTC)
"""Later than any event."""


async def move(connection: AsyncConnection, source_id: int, target_id: int) -> None:
    """Give another table everything that is known of a table, and delete its row."""
    await lifecycle.move_edges(connection, source_id, target_id)
    ends = {"source": source_id, "target": target_id}
    for statement in REPORTED:
        await connection.execute(statement, {**ends, "before": EVER})
    for statement in WRITTEN:
        await connection.execute(statement, ends)
    await lifecycle.forget_row(connection, source_id, now_id=target_id)


async def move_earlier(
    connection: AsyncConnection, source_id: int, target_id: int, *, before: datetime
) -> None:
    """Give another table what was seen of a table before a time; what people wrote stays."""
    await lifecycle.move_edges(connection, source_id, target_id, before=before)
    for statement in REPORTED:
        await connection.execute(
            statement, {"source": source_id, "target": target_id, "before": before}
        )
