"""An import on its way into the queue, and as it is looked at again and again.

Each function is one statement by asyncpg, in a transaction or in autocommit: this is the part of
the API that every import goes through.
"""

from collections.abc import Collection
from typing import Final, LiteralString, TypeAlias

from services.ingest.domain.options import OPTIONS
from services.ingest.domain.run import ImportId, Run, Submission
from services.ingest.runs.row import SELECTED, run_of
from shared.contracts.auth import Caller
from shared.process.request_id import current_request_id
from shared.process.tracing import traceparent
from shared.store.engine import RawConnection, RawPool

Executor: TypeAlias = "RawConnection | RawPool"

QUEUE: Final[LiteralString] = f"""
INSERT INTO ingest.imports AS i (kind, table_name, options, etl_name, email, caller,
    submitted_by_sub, submitted_by_label, request_id, request_key, idempotency_key,
    file_name, content_sha256, upload_path, bytes_total, follows, edited,
    feed_id, feed_name, feed_generation, planned_at, rows_of, trace_parent)
VALUES ($1, $2, $3::text::jsonb, $4, $5, $6::text::jsonb, $7, $8, $9, $10, $11, $12, $13, $14, $15,
    $16, $17, $18, $19, $20, $21, $22, $23)
ON CONFLICT DO NOTHING RETURNING {SELECTED}"""  # noqa: S608 - literals only

QUEUED: Final[LiteralString] = """
SELECT count(*) FROM ingest.imports WHERE submitted_by_sub = $1 AND state = 'queued'"""

OPEN: Final[LiteralString] = f"""
SELECT {SELECTED} FROM ingest.imports i
WHERE i.idempotency_key = $1 AND i.state = ANY (ARRAY['queued', 'running'])"""  # noqa: S608

FREE_OLD_KEY: Final[LiteralString] = """
UPDATE ingest.imports SET request_key = NULL
WHERE submitted_by_sub = $1 AND request_key = $2 AND created_at < now() - interval '24 hours'"""

BY_KEY: Final[LiteralString] = f"""
SELECT {SELECTED} FROM ingest.imports i
WHERE i.submitted_by_sub = $1 AND i.request_key = $2"""  # noqa: S608

VISIBLE: Final[LiteralString] = f"""
SELECT {SELECTED} FROM ingest.imports i
WHERE i.id = $1 AND ($2 OR i.submitted_by_sub = $3)"""  # noqa: S608

INTO_A_TABLE: Final[LiteralString] = f"""
SELECT {SELECTED} FROM ingest.imports i WHERE i.id = $1 AND i.table_name IS NOT NULL"""  # noqa: S608

COMMITTED: Final[LiteralString] = """
SELECT id FROM ingest.imports
WHERE follows = $1 AND state = 'succeeded' AND kind = ANY (ARRAY['file', 'database'])"""

REVISIONS: Final[LiteralString] = """
SELECT id, revision FROM ingest.imports WHERE id = ANY ($1::bigint[])"""


async def queue(executor: Executor, submission: Submission) -> Run | None:
    """Insert a queued run.

    None when the same import is open, its request key is taken, or its tick has had its run.
    """
    request, caller, upload = submission.request, submission.caller, submission.upload
    feed = submission.feed
    rehearsed = submission.rehearsed
    row = await executor.fetchrow(
        QUEUE,
        request.kind.value,
        request.table,
        OPTIONS.dump_json(request.options).decode(),
        request.etl_name,
        request.email,
        caller.model_dump_json(),
        caller.sub,
        caller.label,
        current_request_id.get(),
        submission.request_key,
        submission.idempotency_key,
        (rehearsed and rehearsed.file_name) if upload is None else upload.file_name,
        (rehearsed and rehearsed.content_sha256) if upload is None else upload.sha256,
        None if upload is None else upload.path,
        (rehearsed and rehearsed.size_bytes) if upload is None else upload.size_bytes,
        request.follows,
        request.edited,
        None if feed is None else feed.id,
        None if feed is None else feed.name,
        None if feed is None else feed.generation,
        submission.planned_at,
        request.rows_of,
        traceparent(),
    )
    return None if row is None else run_of(row)


async def count_queued(executor: Executor, submitter: Caller) -> int:
    """How many imports of this caller wait for a worker."""
    return int(await executor.fetchval(QUEUED, submitter.sub))


async def open_twin(executor: Executor, idempotency_key: str) -> Run | None:
    """The queued or running import that is the same as a new one would be."""
    row = await executor.fetchrow(OPEN, idempotency_key)
    return None if row is None else run_of(row)


async def by_request_key(executor: Executor, caller: Caller, key: str) -> Run | None:
    """The import that this caller's `Idempotency-Key` made in the last 24 hours."""
    await executor.execute(FREE_OLD_KEY, caller.sub, key)
    row = await executor.fetchrow(BY_KEY, caller.sub, key)
    return None if row is None else run_of(row)


async def visible(executor: Executor, import_id: int, viewer: Caller) -> Run | None:
    """The import, if this caller may see it: the submitter and admins."""
    row = await executor.fetchrow(VISIBLE, import_id, viewer.is_admin, viewer.sub)
    return None if row is None else run_of(row)


async def into_a_table(executor: Executor, import_id: int) -> Run | None:
    """The import if it is into a table, whoever asks: its owner may see it too."""
    row = await executor.fetchrow(INTO_A_TABLE, import_id)
    return None if row is None else run_of(row)


async def commit_of(executor: Executor, rehearsal_id: ImportId) -> ImportId | None:
    """The import that loaded what a dry run judged."""
    committed: int | None = await executor.fetchval(COMMITTED, rehearsal_id)
    return None if committed is None else ImportId(committed)


async def revisions(executor: Executor, import_ids: Collection[ImportId]) -> dict[ImportId, int]:
    """The revision of each import that there is."""
    rows = await executor.fetch(REVISIONS, list(import_ids))
    return {ImportId(row["id"]): row["revision"] for row in rows}
