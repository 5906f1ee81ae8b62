"""The life of a run, as workers write it: claim, beat, end, give back, take over.

Each step is one statement in autocommit, so a worker that is stopped at any point never leaves
a row locked between two round trips; only the load's own transaction lives longer, and its
backend is on the row for the sweeper. Every write names the lease, and 0 rows mean: fenced out.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Final, LiteralString

from services.ingest.domain.outcome import Progress
from services.ingest.domain.run import (
    Claim,
    Ending,
    ImportId,
    Run,
)
from services.ingest.errors import FencedOutError
from services.ingest.runs.events import OF_CLAIM, OF_END
from services.ingest.runs.row import (
    SELECTED,
    UNFLUSHED,
    format_json,
    former_values,
    inferred_json,
    reasons_json,
    run_of,
)
from shared.contracts.auth import Sub
from shared.contracts.ingest import LOAD_NAME
from shared.store.engine import RawConnection, RawPool
from shared.store.identifiers import quoted

# The submitter with the fewest running imports comes first; among equals, the one who was
# served longest ago. So one person's 500 imports do not hold up another's one.
CLAIM: Final[LiteralString] = f"""
WITH waiting AS (
    SELECT submitted_by_sub AS sub FROM ingest.imports
    WHERE state = 'queued' AND not_before <= clock_timestamp()
      AND submitted_by_sub <> ALL($2::text[]) GROUP BY 1
), ranked AS (
    SELECT sub,
        (SELECT count(*) FROM ingest.imports r
          WHERE r.state = 'running' AND r.submitted_by_sub = sub) AS running,
        (SELECT max(s.started_at) FROM ingest.imports s WHERE s.submitted_by_sub = sub) AS served
    FROM waiting
), picked AS (
    SELECT q.id, q.attempt FROM ranked JOIN ingest.imports q ON q.submitted_by_sub = ranked.sub
    WHERE q.state = 'queued' AND q.not_before <= clock_timestamp()
    ORDER BY ranked.running, ranked.served NULLS FIRST, q.id
    LIMIT 1 FOR UPDATE OF q SKIP LOCKED
), claimed AS (
UPDATE ingest.imports i SET
    state = 'running', attempt = least(i.attempt + 1, $1), lease = i.lease + 1,
    heartbeat_at = clock_timestamp(), started_at = clock_timestamp(), finished_at = NULL,
    backend_pid = NULL, backend_start = NULL, error = NULL, format = NULL, inferred = NULL,
    reasons = NULL,
    rows_read = 0, rows_loaded = 0, rows_rejected = 0, rows_inserted = 0, rows_updated = 0,
    rows_deleted = 0, rows_skipped = 0, bytes_read = 0, reject_pass = 1, rejects_path = NULL,
    rehearsal_path = NULL, mail = NULL, revision = i.revision + 1
FROM picked WHERE i.id = picked.id
RETURNING i.*, picked.attempt >= $1 AS exhausted
), started AS (
    {OF_CLAIM}
)
SELECT {SELECTED}, i.exhausted FROM claimed i"""  # noqa: S608 - literals only

# A beat that had to wait for the row says when it was sent: its worker may be stopped by now.
BEAT: Final[LiteralString] = """
UPDATE ingest.imports SET heartbeat_at = statement_timestamp(), revision = revision + 1,
    rows_read = $3, rows_rejected = $4, bytes_read = $5, bytes_total = coalesce($6, bytes_total)
WHERE id = $1 AND lease = $2 AND state = 'running' RETURNING true"""

ALIVE: Final[LiteralString] = """
UPDATE ingest.imports SET heartbeat_at = statement_timestamp()
WHERE id = $1 AND lease = $2 AND state = 'running' RETURNING true"""

# Whoever ends a run for its worker raises the lease; a final state with it is the worker's own.
HELD: Final[LiteralString] = """
SELECT true FROM ingest.imports WHERE id = $1 AND lease = $2"""

# A server that crashes before this is on its disk has no such backend any more.
BACKEND: Final[LiteralString] = f"""
UPDATE ingest.imports SET backend_pid = $3, backend_start = $4
WHERE id = $1 AND lease = $2 AND state = 'running' AND {UNFLUSHED} RETURNING true"""  # noqa: S608

MADE_TABLE: Final[LiteralString] = """
UPDATE ingest.imports SET made_table_oid = $3
WHERE id = $1 AND lease = $2 AND state = 'running' RETURNING true"""

# State, intents and audit in one statement, and a password that is not needed any more cleared:
# inside the load's transaction it is the fence.
END: Final[LiteralString] = f"""
WITH ended AS (
    UPDATE ingest.imports SET
        state = $3, finished_at = clock_timestamp(), revision = revision + 1,
        rows_read = $4, rows_loaded = $5, rows_rejected = $6, rows_inserted = $7,
        rows_updated = $8, rows_deleted = $17, bytes_read = $9, format = $10::jsonb,
        inferred = $11::jsonb, error = $12::jsonb, rejects_path = $13, reasons = $16::jsonb,
        table_oid = $20, former_path = $21, former_bytes = $22, former_columns = $23::jsonb,
        rehearsal_path = $24, reading = $25::text::jsonb, rows_skipped = $26,
        backend_pid = NULL, backend_start = NULL
    WHERE id = $1 AND lease = $2 AND state = 'running'
    RETURNING *
), intents AS (
    INSERT INTO ingest.outbox (kind, payload)
    SELECT intent.kind, intent.payload::jsonb
    FROM ended, unnest($14::text[], $15::text[]) AS intent (kind, payload)
), event AS (
    {OF_END}
), profiled AS (
    INSERT INTO ingest.profiles (import_id, table_oid, profile)
    SELECT id, table_oid, $27::text::jsonb FROM ended WHERE $27 IS NOT NULL
), forgotten AS (
    UPDATE ingest.reads SET sealed_password = NULL FROM ended
    WHERE reads.import_id = ended.id AND $3 = 'succeeded'
), recorded AS (
    INSERT INTO audit.events (subject, action, object, result, request_id, detail)
    SELECT submitted_by_sub, 'import.finish', 'import:' || id, $3, request_id,
        jsonb_build_object('table', table_name, 'loaded', $5::bigint, 'rejected', $6::bigint)
    FROM ended
)
SELECT true FROM ended"""  # noqa: S608 - literals only

NOTE_UPLOAD: Final[LiteralString] = """
UPDATE ingest.imports SET upload_path = $3, file_name = $4, bytes_total = $5
WHERE id = $1 AND lease = $2 AND state = 'running' RETURNING true"""

GIVE_BACK: Final[LiteralString] = """
UPDATE ingest.imports SET state = 'queued', lease = lease + 1, revision = revision + 1,
    attempt = attempt - CASE WHEN $5 THEN 0 ELSE 1 END,
    not_before = clock_timestamp() + make_interval(secs => $3), last_error = $4,
    backend_pid = NULL, backend_start = NULL
WHERE id = $1 AND lease = $2 AND state = 'running' RETURNING true"""

TERMINATE_SILENT: Final[LiteralString] = """
SELECT count(pg_terminate_backend(a.pid))
FROM ingest.imports i
JOIN pg_stat_activity a ON a.pid = i.backend_pid AND a.backend_start = i.backend_start
WHERE i.state = 'running' AND i.heartbeat_at < clock_timestamp() - make_interval(secs => $1)
  AND a.usename = current_user"""

# Of the runs that a worker had when it died, any may have been what ended it: each is tried again
# alone, at no cost; one that was alone already has used its attempt up.
# Taken rows are ours until this commits, so every connection of that name is an old attempt's.
TAKE: Final[LiteralString] = f"""
WITH silent AS (
    SELECT id FROM ingest.imports
    WHERE state = 'running' AND heartbeat_at < clock_timestamp() - make_interval(secs => $1)
    ORDER BY id FOR UPDATE SKIP LOCKED
), taken AS (
    UPDATE ingest.imports i SET state = 'queued', lease = lease + 1, revision = revision + 1,
        attempt = attempt - CASE WHEN alone THEN 0 ELSE 1 END, alone = true,
        not_before = clock_timestamp(), backend_pid = NULL, backend_start = NULL,
        last_error = 'the worker that had it stopped answering'
    FROM silent WHERE i.id = silent.id RETURNING i.id
)
SELECT taken.id, (
    SELECT count(pg_terminate_backend(a.pid)) FROM pg_stat_activity a
    WHERE a.usename = current_user
      AND a.application_name = '{LOAD_NAME}' || taken.id
) AS terminated FROM taken ORDER BY taken.id"""  # noqa: S608 - literals only

CLAIMED: Final[LiteralString] = f"""
SELECT {SELECTED} FROM ingest.imports i
WHERE i.id = $1 AND i.lease = $2 AND i.state = 'running'"""  # noqa: S608 - literals only

DUE: Final[LiteralString] = """
SELECT EXISTS (SELECT 1 FROM ingest.imports
               WHERE state = 'queued' AND not_before <= clock_timestamp())"""


async def claim(
    pool: RawPool, *, max_attempts: int, without: Sequence[Sub] = (), lineage: bool = False
) -> Claim | None:
    """Take the next queued run, the least-served submitter's first; None if none is due.

    Nothing is taken of the subjects in `without`. `lineage`: its start is told to OpenLineage.
    """
    row = await pool.fetchrow(CLAIM, max_attempts, list(without), lineage)
    return None if row is None else Claim(run=run_of(row), exhausted=row["exhausted"])


async def claimed(pool: RawPool, import_id: ImportId, *, lease: int) -> Run | None:
    """A run that was claimed by this lease; None when it is another's by now."""
    row = await pool.fetchrow(CLAIMED, import_id, lease)
    return None if row is None else run_of(row)


async def beat(pool: RawPool, run: Run, progress: Progress) -> bool:
    """Say that the run is alive and how far it is; False when the lease is lost."""
    return bool(
        await pool.fetchval(
            BEAT,
            run.id,
            run.lease,
            progress.rows_read,
            progress.rows_rejected,
            progress.bytes_read,
            progress.bytes_total,
        )
    )


async def keep_alive(pool: RawPool, run: Run) -> bool:
    """Beat for a run that a process of its own is about to work on; False: the lease is lost."""
    return bool(await pool.fetchval(ALIVE, run.id, run.lease))


async def is_held(pool: RawPool, run: Run) -> bool:
    """Whether this attempt still has the run."""
    return bool(await pool.fetchval(HELD, run.id, run.lease))


async def note_backend(pool: RawPool, run: Run, *, pid: int, started_at: datetime) -> None:
    """Keep which connection loads, for the sweeper; raises FencedOutError."""
    if not await pool.fetchval(BACKEND, run.id, run.lease, pid, started_at):
        raise FencedOutError


async def note_made_table(pool: RawPool, run: Run, *, oid: int) -> bool:
    """Keep which table was made for the run; False when the lease is lost."""
    return bool(await pool.fetchval(MADE_TABLE, run.id, run.lease, oid))


async def note_upload(
    pool: RawPool, run: Run, *, path: str, file_name: str, size_bytes: int
) -> None:
    """Keep which file the attempt has fetched; raises FencedOutError."""
    if not await pool.fetchval(NOTE_UPLOAD, run.id, run.lease, path, file_name, size_bytes):
        raise FencedOutError


async def end(
    executor: "RawPool | RawConnection", run: Run, ending: Ending, *, lineage: bool = False
) -> None:
    """Make a final state true; on the load's connection, as the last statement of its transaction.

    `lineage`: it is told to OpenLineage.

    Raises FencedOutError when the lease is lost; nothing is written then.
    """
    ended = await executor.fetchval(
        END,
        run.id,
        run.lease,
        ending.state.value,
        ending.rows.read,
        ending.rows.loaded,
        ending.rows.rejected,
        ending.rows.inserted,
        ending.rows.updated,
        ending.bytes_read,
        format_json(ending.format),
        inferred_json(ending.inferred),
        None if ending.error is None else ending.error.model_dump_json(exclude_none=True),
        ending.rejects_path,
        [intent.kind for intent in ending.intents],
        [json.dumps(dict(intent.fields)) for intent in ending.intents],
        reasons_json(ending.reasons),
        ending.rows.deleted,
        lineage,
        json.dumps(ending.columns) if lineage else None,
        ending.table_oid,
        *former_values(ending.former),
        ending.rehearsal_path,
        None if ending.reading is None else ending.reading.decode(),
        ending.rows.skipped,
        None if ending.profile is None else ending.profile.model_dump_json(by_alias=True),
    )
    if not ended:
        raise FencedOutError


async def give_back(
    pool: RawPool, run: Run, *, delay_s: float, reason: str | None, counted: bool = True
) -> None:
    """Queue the run again, the attempt used up if `counted`. Raises FencedOutError."""
    if not await pool.fetchval(GIVE_BACK, run.id, run.lease, delay_s, reason, counted):
        raise FencedOutError


async def take_over_silent(pool: RawPool, *, silent_s: float) -> list[ImportId]:
    """Queue every run again whose heart stopped, and end what its attempts left connected.

    A silent run whose row is locked (stopped between fence and COMMIT) only has its backend
    ended; the next round takes it, or finds it committed.
    """
    await pool.fetchval(TERMINATE_SILENT, silent_s)
    rows = await pool.fetch(TAKE, silent_s)
    return [ImportId(row["id"]) for row in rows]


async def is_empty_table(pool: RawPool, table: str) -> bool:
    """Whether a table in `data` has no rows."""
    name = quoted(table)
    statement = f"SELECT NOT EXISTS (SELECT 1 FROM data.{name})"  # noqa: S608 - quoted above
    return bool(await pool.fetchval(statement))


async def is_any_due(pool: RawPool) -> bool:
    """Whether a queued run waits to be claimed."""
    return bool(await pool.fetchval(DUE))
