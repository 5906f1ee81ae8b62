"""Search over tables, columns and ETLs: each word somewhere in names, descriptions, tags, owners.

The rank is the same rule for all three: 100 for the whole name, 90 for a tag, 80 where the name
begins so, 60 where all words are in the name, 20 for the rest; a table or an ETL before a column.
"""

from collections.abc import Sequence
from typing import LiteralString

from services.catalog.domain import Hit, HitKind
from services.catalog.repository.lists import key_of
from shared.contracts.records import ColumnFound
from shared.store.engine import RawConnection

RANK: LiteralString = """
CASE WHEN lower(texts.name) = lower($1) THEN 100
     WHEN lower($1) IN (SELECT lower(tag) FROM unnest(texts.tags) AS tag) THEN 90
     WHEN texts.name ILIKE $2 THEN 80 WHEN texts.name ILIKE ALL ($3::text[]) THEN 60 ELSE 20 END
"""
TABLES: LiteralString = """
WITH texts AS (
  SELECT t.schema_name, t.name, t.namespace, t.tags, coalesce(t.description,
      CASE WHEN NOT (t.namespace = '' AND t.schema_name = 'data')
           THEN f.content ->> 'description' END) AS description,
    array_to_string(t.tags || t.owners, ' ') AS words,
    t.dropped_at IS NOT NULL OR t.vanished_at IS NOT NULL AS gone
  FROM catalog.tables t
  LEFT JOIN catalog.table_facets f ON f.table_id = t.id AND f.name = 'documentation'
)
SELECT ({rank}) - CASE WHEN gone THEN 10 ELSE 0 END AS rank, name, description, tags,
  schema_name, name AS table_name, namespace
FROM texts WHERE concat_ws(' ', schema_name || '.' || name, description, words) ILIKE ALL ($3)
ORDER BY rank DESC, schema_name, name, namespace LIMIT $4
"""
COLUMNS: LiteralString = """
WITH of_ours AS (
  SELECT t.id, given.name, given.description
  FROM unnest($5::text[], $6::text[], $7::text[]) AS given (table_name, name, description)
  JOIN catalog.tables t
    ON t.namespace = '' AND t.schema_name = 'data' AND t.name = given.table_name
), named AS (
  SELECT table_id, item ->> 'name' AS name FROM catalog.edges,
    jsonb_array_elements(columns) AS item
  WHERE columns IS NOT NULL AND columns::text ILIKE ALL ($3)
  UNION
  SELECT table_id, item ->> 'name' FROM catalog.table_facets,
    jsonb_path_query(content, '$.fields[*] ? (@.name.type() == "string")') AS item
  WHERE table_facets.name = 'schema' AND content::text ILIKE ALL ($3)
  UNION
  SELECT table_id, name FROM catalog.column_notes
  UNION
  SELECT id, of_ours.name FROM of_ours
), texts AS (
  SELECT named.table_id, named.name, coalesce(n.description, o.description) AS description, n.tags
  FROM named
  LEFT JOIN catalog.column_notes n ON n.table_id = named.table_id AND n.name = named.name
  LEFT JOIN of_ours o ON o.id = named.table_id AND o.name = named.name
  WHERE concat_ws(' ', named.name, n.description, o.description, array_to_string(n.tags, ' '))
    ILIKE ALL ($3)
)
SELECT ({rank}) - 5 AS rank, texts.name, texts.description,
  texts.tags, t.schema_name, t.name AS table_name, t.namespace
FROM texts JOIN catalog.tables t ON t.id = texts.table_id
ORDER BY rank DESC, texts.name, t.schema_name, t.name, t.namespace LIMIT $4
"""
ETLS: LiteralString = """
WITH texts AS (
  SELECT e.name, e.namespace, e.tags,
    coalesce(e.description, f.content ->> 'description') AS description,
    array_to_string(e.tags || e.owners, ' ') AS words
  FROM catalog.etls e
  LEFT JOIN catalog.etl_facets f ON f.etl_id = e.id AND f.name = 'documentation'
)
SELECT ({rank}) AS rank, name, description, tags, NULL, NULL, namespace
FROM texts WHERE concat_ws(' ', name, description, words) ILIKE ALL ($3)
ORDER BY rank DESC, name, namespace LIMIT $4
"""
STATEMENTS = {
    HitKind.TABLE: TABLES.replace("{rank}", RANK),
    HitKind.COLUMN: COLUMNS.replace("{rank}", RANK),
    HitKind.ETL: ETLS.replace("{rank}", RANK),
}


async def hits(
    connection: RawConnection, q: str, *, ours: Sequence[ColumnFound], limit: int
) -> Sequence[Hit]:
    """The best of each kind, at most `limit` of it; the best first.

    `ours` are columns of tables made here, which records knows, with the same words.
    """
    whole, *words = [_escaped(text) for text in (q.strip(), *q.split())]
    parts = [f"%{word}%" for word in words]
    every = []
    given = (
        [column.table for column in ours],
        [column.name for column in ours],
        [column.description for column in ours],
    )
    for kind, statement in STATEMENTS.items():
        more = given if kind is HitKind.COLUMN else ()
        rows = await connection.fetch(statement, q.strip(), f"{whole}%", parts, limit, *more)
        for rank, name, description, tags, schema, table, namespace in rows:
            key = None if table is None else key_of((schema, table, namespace))
            every.append(
                Hit(kind, rank, name, namespace or None, key, description, tuple(tags or ()))
            )
    return sorted(every, key=lambda hit: -hit.rank)


def _escaped(text: str) -> str:
    """Text in which ILIKE sees no pattern."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
