"""What OpenLineage's events write: set-based, and the same whatever their order.

Every statement takes its rows sorted by their key, so that two batches never wait for each other in
a ring, and each key once, because `ON CONFLICT` cannot change a row twice.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from services.catalog.domain import EtlKey, TableKey
from services.catalog.repository.lists import stored
from services.catalog.tables import NO_NAMESPACE
from shared.store.engine import RawConnection

Rows = Sequence[tuple[Any, ...]]

RECEIVE = "INSERT INTO catalog.lineage_inbox (body) SELECT unnest($1::bytea[])"
# One process at a time applies events, in their order; the others find nothing to do.
TAKE_TURN = "SELECT pg_try_advisory_xact_lock(hashtextextended('tabularium.catalog.lineage', 0))"
WAITING = """
WITH next AS (
  SELECT id, body FROM catalog.lineage_inbox WHERE error IS NULL ORDER BY id LIMIT $1
), counted AS (
  SELECT id, body, sum(length(body)) OVER (ORDER BY id) - length(body) AS before FROM next
)
SELECT id, body FROM counted WHERE before < $2 ORDER BY id
"""
FORGET = "DELETE FROM catalog.lineage_inbox WHERE id = ANY($1::bigint[])"
REFUSE = "UPDATE catalog.lineage_inbox SET error = $2 WHERE id = $1"

KNOWN_ETLS = """
SELECT etls.id, etls.name, etls.namespace FROM catalog.etls
JOIN unnest($1::text[], $2::text[]) AS given (name, namespace) USING (name, namespace)
"""
NEW_ETLS = """
INSERT INTO catalog.etls (name, namespace, first_seen)
SELECT name, namespace, $3::timestamptz
FROM unnest($1::text[], $2::text[]) AS given (name, namespace)
ORDER BY 1, 2 ON CONFLICT DO NOTHING
"""
KNOWN_TABLES = """
SELECT tables.id, tables.schema_name, tables.name, tables.namespace FROM catalog.tables
JOIN unnest($1::text[], $2::text[], $3::text[]) AS given (schema_name, name, namespace)
USING (schema_name, name, namespace)
"""
NEW_SCHEMAS = """
INSERT INTO catalog.schemas (name, namespace, first_seen)
SELECT DISTINCT schema_name, namespace, $3::timestamptz
FROM unnest($1::text[], $2::text[]) AS given (schema_name, namespace)
ORDER BY 1, 2 ON CONFLICT DO NOTHING
"""
NEW_TABLES = """
INSERT INTO catalog.tables (schema_name, name, namespace, first_seen)
SELECT schema_name, name, namespace, $4::timestamptz
FROM unnest($1::text[], $2::text[], $3::text[]) AS given (schema_name, name, namespace)
ORDER BY 1, 2, 3 ON CONFLICT DO NOTHING
"""

RENAMED = """
SELECT DISTINCT ON (schema_name, name) schema_name, name, table_id FROM catalog.former_names
JOIN unnest($1::text[], $2::text[]) AS given (schema_name, name) USING (schema_name, name)
ORDER BY schema_name, name, renamed_at DESC
"""

NEW_EVENTS = """
INSERT INTO catalog.run_events (run_id, type, at)
SELECT run_id, type, at FROM unnest($1::text[], $2::text[], $3::timestamptz[])
AS given (run_id, type, at)
ORDER BY 1, 2, 3 ON CONFLICT DO NOTHING RETURNING run_id, type, at
"""
RUNS = """
INSERT INTO catalog.runs AS r (id, etl_id, state, started_at, ended_at, nominal_start, nominal_end,
  parent_run, parent_namespace, parent_name, error, producer, first_event, last_event)
SELECT * FROM unnest($1::text[], $2::bigint[], $3::text[], $4::timestamptz[], $5::timestamptz[],
  $6::timestamptz[], $7::timestamptz[], $8::text[], $9::text[], $10::text[], $11::text[],
  $12::text[], $13::timestamptz[], $14::timestamptz[])
ORDER BY 1
ON CONFLICT (id) DO UPDATE SET
  -- What ended the run last; an event that comes late and says less changes nothing.
  state = CASE WHEN excluded.ended_at >= coalesce(r.ended_at, '-infinity')
               THEN excluded.state ELSE r.state END,
  started_at = least(r.started_at, excluded.started_at),
  ended_at = greatest(r.ended_at, excluded.ended_at),
  nominal_start = coalesce(excluded.nominal_start, r.nominal_start),
  nominal_end = coalesce(excluded.nominal_end, r.nominal_end),
  parent_run = coalesce(excluded.parent_run, r.parent_run),
  parent_namespace = coalesce(excluded.parent_namespace, r.parent_namespace),
  parent_name = coalesce(excluded.parent_name, r.parent_name),
  error = coalesce(excluded.error, r.error),
  producer = coalesce(excluded.producer, r.producer),
  first_event = least(r.first_event, excluded.first_event),
  last_event = greatest(r.last_event, excluded.last_event)
"""
OUTPUTS = """
INSERT INTO catalog.edges AS e (etl_id, table_id, first_seen, last_seen, last_run)
SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::timestamptz[], $4::timestamptz[], $5::text[])
ORDER BY 2, 1
ON CONFLICT (etl_id, table_id) DO UPDATE SET
  first_seen = least(e.first_seen, excluded.first_seen),
  first_import = CASE WHEN excluded.first_seen < e.first_seen THEN NULL ELSE e.first_import END,
  last_seen = greatest(e.last_seen, excluded.last_seen),
  last_run = CASE WHEN excluded.last_seen >= e.last_seen OR e.last_run IS NULL
                  THEN coalesce(excluded.last_run, e.last_run) ELSE e.last_run END,
  entered_by = NULL
"""
INPUTS = """
INSERT INTO catalog.inputs AS i (etl_id, table_id, first_seen, last_seen, last_run)
SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::timestamptz[], $4::timestamptz[], $5::text[])
ORDER BY 2, 1
ON CONFLICT (etl_id, table_id) DO UPDATE SET
  first_seen = least(i.first_seen, excluded.first_seen),
  last_seen = greatest(i.last_seen, excluded.last_seen),
  last_run = CASE WHEN excluded.last_seen >= i.last_seen
                  THEN coalesce(excluded.last_run, i.last_run) ELSE i.last_run END
"""
ETL_FACETS = """
INSERT INTO catalog.etl_facets AS f (etl_id, name, content, at)
SELECT id, name, content::jsonb, at
FROM unnest($1::bigint[], $2::text[], $3::text[], $4::timestamptz[]) AS g (id, name, content, at)
ORDER BY 1, 2
ON CONFLICT (etl_id, name) DO UPDATE SET content = excluded.content, at = excluded.at
WHERE excluded.at >= f.at
"""
TABLE_FACETS = ETL_FACETS.replace("etl_", "table_")
FACETS_OF_RUNS = """
SELECT run_id, count(*) FROM catalog.run_facets WHERE run_id = ANY($1::text[]) GROUP BY run_id
"""
RUN_FACETS = """
INSERT INTO catalog.run_facets AS f (run_id, place, table_id, name, content, at)
SELECT run_id, place, table_id, name, content::jsonb, at
FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::timestamptz[])
AS g (run_id, place, table_id, name, content, at)
ORDER BY 1, 2, 3, 4
ON CONFLICT (run_id, place, table_id, name) DO UPDATE
SET content = excluded.content, at = excluded.at WHERE excluded.at >= f.at
"""
# The newest lineage of an output by an ETL is the whole of it: what it no longer names is gone.
OLDER_COLUMNS = """
DELETE FROM catalog.column_edges c
USING unnest($1::bigint[], $2::bigint[], $3::timestamptz[]) AS g (etl_id, output_table_id, at)
WHERE c.etl_id = g.etl_id AND c.output_table_id = g.output_table_id AND c.last_seen < g.at
"""
COLUMNS = """
INSERT INTO catalog.column_edges AS c (etl_id, output_table_id, output_column, input_table_id,
  input_column, type, subtype, masking, last_seen)
SELECT g.* FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::bigint[], $5::text[],
  $6::text[], $7::text[], $8::boolean[], $9::timestamptz[])
  AS g (etl_id, output_table_id, output_column, input_table_id, input_column, type, subtype,
        masking, last_seen)
WHERE NOT EXISTS (SELECT FROM catalog.column_edges newer
  WHERE newer.output_table_id = g.output_table_id AND newer.etl_id = g.etl_id
  AND newer.last_seen > g.last_seen)
ORDER BY 2, 3, 4, 5, 1
ON CONFLICT (output_table_id, output_column, input_table_id, input_column, etl_id) DO UPDATE
SET type = excluded.type, subtype = excluded.subtype, masking = excluded.masking,
    last_seen = excluded.last_seen
"""
# Of an edge that is gone; what OpenLineage's events say (`last_run`) has other evidence.
FORGET_COLUMNS = """
DELETE FROM catalog.column_edges WHERE etl_id = $1 AND output_table_id = $2
"""
FORGET_INPUTS = """
DELETE FROM catalog.inputs WHERE etl_id = $1 AND last_run IS NULL
  AND NOT EXISTS (SELECT FROM catalog.edges WHERE edges.etl_id = $1)
"""
OLD_RUNS = """
WITH gone AS (DELETE FROM catalog.runs WHERE last_event < now() - $1::interval RETURNING id),
events AS (DELETE FROM catalog.run_events USING gone WHERE run_id = gone.id)
DELETE FROM catalog.run_facets USING gone WHERE run_id = gone.id
"""
OLD_REFUSALS = """
DELETE FROM catalog.lineage_inbox WHERE error IS NOT NULL AND received_at < now() - $1::interval
"""


async def receive(connection: RawConnection, bodies: Sequence[bytes]) -> None:
    """Keep events until they are applied."""
    await connection.execute(RECEIVE, bodies)


async def take_turn(connection: RawConnection) -> bool:
    """Whether this transaction may apply events; another process may be at it."""
    return bool(await connection.fetchval(TAKE_TURN))


async def waiting(
    connection: RawConnection, *, limit: int, limit_bytes: int
) -> Sequence[tuple[int, bytes]]:
    """The next events in order, at least one if there is any."""
    return [tuple(row) for row in await connection.fetch(WAITING, limit, limit_bytes)]


async def forget(connection: RawConnection, ids: Collection[int]) -> None:
    """Delete events that have been applied."""
    await connection.execute(FORGET, list(ids))


async def refuse(connection: RawConnection, event_id: int, *, error: str) -> None:
    """Leave an event aside that cannot be applied."""
    await connection.execute(REFUSE, event_id, error)


async def etl_ids(
    connection: RawConnection, keys: Collection[EtlKey], *, seen_at: datetime
) -> Mapping[EtlKey, int]:
    """The ids of ETLs, inserted where they are new."""
    known = await _etls(connection, keys)
    if missing := [key for key in keys if key not in known]:
        await connection.execute(NEW_ETLS, *_columns(map(_stored, missing)), seen_at)
        known |= await _etls(connection, missing)
    return known


async def table_ids(
    connection: RawConnection, keys: Collection[TableKey], *, seen_at: datetime
) -> Mapping[TableKey, int]:
    """The ids of tables, inserted with their schemas where they are new."""
    known = await _tables(connection, keys)
    if ours := [(key.schema, key.name) for key in keys if key.is_ours and key not in known]:
        # A table of ours that was renamed since: its events come under the name it had.
        for schema, name, table_id in await connection.fetch(RENAMED, *_columns(ours)):
            known[TableKey(schema, name)] = table_id
    if missing := [key for key in keys if key not in known]:
        schemas, names, namespaces = _columns(map(stored, missing))
        await connection.execute(NEW_SCHEMAS, schemas, namespaces, seen_at)
        await connection.execute(NEW_TABLES, schemas, names, namespaces, seen_at)
        known |= await _tables(connection, missing)
    return known


async def new_events(
    connection: RawConnection, events: Collection[tuple[str, str, datetime]]
) -> frozenset[tuple[str, str, datetime]]:
    """Those of the events (run, type, time) that are not known yet; they are from now on."""
    if not events:
        return frozenset()
    rows = await connection.fetch(NEW_EVENTS, *_columns(events))
    return frozenset(tuple(row) for row in rows)


async def facets_of_runs(connection: RawConnection, run_ids: Collection[str]) -> Mapping[str, int]:
    """How many facets are kept of each run."""
    rows = await connection.fetch(FACETS_OF_RUNS, list(run_ids))
    return {run_id: count for run_id, count in rows}  # noqa: C416 - asyncpg's rows


async def forget_reads(connection: RawConnection, etl_id: int, table_id: int) -> None:
    """Delete what an ETL read for a table that it feeds no more."""
    await connection.execute(FORGET_COLUMNS, etl_id, table_id)
    await connection.execute(FORGET_INPUTS, etl_id)


async def put(connection: RawConnection, statement: str, rows: Rows) -> None:
    """Run one of the statements above with a row for each key."""
    if rows:
        await connection.execute(statement, *_columns(rows))


async def forget_old(
    connection: RawConnection, *, runs_kept: timedelta, refusals_kept: timedelta
) -> None:
    """Delete runs with their events and facets, and events that were left aside."""
    await connection.execute(OLD_RUNS, runs_kept)
    await connection.execute(OLD_REFUSALS, refusals_kept)


async def _etls(connection: RawConnection, keys: Collection[EtlKey]) -> dict[EtlKey, int]:
    rows = await connection.fetch(KNOWN_ETLS, *_columns(map(_stored, keys), width=2))
    return {EtlKey(name, namespace or None): id_ for id_, name, namespace in rows}


async def _tables(connection: RawConnection, keys: Collection[TableKey]) -> dict[TableKey, int]:
    rows = await connection.fetch(KNOWN_TABLES, *_columns(map(stored, keys), width=3))
    return {
        TableKey(schema or None, name, namespace or None): id_
        for id_, schema, name, namespace in rows
    }


def _stored(key: EtlKey) -> tuple[str, str]:
    return key.name, key.namespace or NO_NAMESPACE


def _columns(rows: Iterable[tuple[Any, ...]], *, width: int = 0) -> list[list[Any]]:
    """Rows as one array for each column."""
    columns = [list(column) for column in zip(*rows, strict=True)]
    return columns or [[] for _ in range(width)]
