"""What feeds ask of their runs, and what a run says of its feed."""

from typing import Final, LiteralString

from services.ingest.domain.run import FeedOutcome, ImportId, Run
from services.ingest.errors import FencedOutError
from services.ingest.runs.row import FEED_OUTCOME
from services.ingest.runs.submitted import Executor
from shared.store.engine import RawConnection

LAST_STATE: Final[LiteralString] = """(
    SELECT i.state FROM ingest.imports i
    WHERE i.feed_id = f.id AND i.state IN ('succeeded', 'failed') ORDER BY i.id DESC LIMIT 1)"""
"""The state of the run of the feed `f` that ended last, as SQL."""

HISTORY: Final[LiteralString] = """(
    SELECT json_agg(past ORDER BY past.id DESC) FROM (
        SELECT i.id, i.state, i.rows_read AS read, i.rows_loaded AS loaded,
            i.rows_rejected AS rejected, i.rows_inserted AS inserted, i.rows_updated AS updated,
            extract(epoch FROM i.finished_at - i.started_at) AS seconds,
            coalesce((i.feed_outcome->>'unchanged')::boolean, false) AS unchanged, i.created_at
        FROM ingest.imports i WHERE i.feed_id = f.id ORDER BY i.id DESC LIMIT 30
    ) past)"""
"""The last 30 runs of the feed `f`, newest first, as SQL; null where there are none."""

OPEN: Final[LiteralString] = """
SELECT id FROM ingest.imports
WHERE feed_id = $1 AND state IN ('queued', 'running') ORDER BY id DESC LIMIT 1"""

OUTCOME: Final[LiteralString] = """
UPDATE ingest.imports SET feed_outcome = $3::text::jsonb
WHERE id = $1 AND lease = $2 AND state = 'running' RETURNING true"""

UNDONE: Final[LiteralString] = """
SELECT true FROM ingest.imports WHERE id = $1 AND undone IS NOT NULL"""

SHA256: Final[LiteralString] = "SELECT content_sha256 FROM ingest.imports WHERE id = $1"


async def open_run(executor: Executor, feed_id: int) -> ImportId | None:
    """The newest run of a feed that is queued or running."""
    open_id = await executor.fetchval(OPEN, feed_id)
    return None if open_id is None else ImportId(open_id)


async def note_outcome(connection: RawConnection, run: Run, outcome: FeedOutcome) -> None:
    """Keep what the run means for its feed, in the load's transaction; raises FencedOutError."""
    written = FEED_OUTCOME.dump_json(outcome).decode()
    if not await connection.fetchval(OUTCOME, run.id, run.lease, written):
        raise FencedOutError


async def is_undone(executor: Executor, import_id: ImportId) -> bool:
    """Whether an import was taken back."""
    return bool(await executor.fetchval(UNDONE, import_id))


async def sha256_of(executor: Executor, import_id: ImportId) -> str | None:
    """The SHA-256 of an import's file, as it came in."""
    digest: str | None = await executor.fetchval(SHA256, import_id)
    return digest
