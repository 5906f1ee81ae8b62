"""The first rejects of a run, for the JSON view; all of them are in storage."""

from collections.abc import Sequence
from typing import Final, LiteralString

from sqlalchemy import exists, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.ingest.domain.outcome import KeptReject, Reject
from services.ingest.domain.run import Run
from services.ingest.tables import corrected_lines, rejects
from shared.store.engine import RawPool
from shared.values.texts import scrubbed

# Only the attempt that holds the lease may add: one that was stopped writes nothing later on.
KEEP: Final[LiteralString] = """
INSERT INTO ingest.rejects
    (import_id, lease, pass, ordinal, line, column_name, code, message, value)
SELECT i.id, i.lease, $3::int, r.ordinal, r.line, r.column_name, r.code, r.message, r.value
FROM ingest.imports i, unnest(
    $4::int[], $5::bigint[], $6::text[], $7::text[], $8::text[], $9::text[]
) AS r (ordinal, line, column_name, code, message, value)
WHERE i.id = $1 AND i.lease = $2 AND i.state = 'running'"""

COPY: Final[LiteralString] = """
INSERT INTO ingest.rejects
    (import_id, lease, pass, ordinal, line, column_name, code, message, value)
SELECT i.id, i.lease, i.reject_pass, r.ordinal, r.line, r.column_name, r.code, r.message, r.value
FROM ingest.imports i, ingest.rejects r
WHERE i.id = $1 AND i.lease = $2 AND i.state = 'running'
  AND r.import_id = $3 AND r.lease = $4 AND r.pass = $5
ON CONFLICT DO NOTHING"""

RESTART: Final[LiteralString] = """
UPDATE ingest.imports SET reject_pass = $3, rows_rejected = 0, revision = revision + 1
WHERE id = $1 AND lease = $2 AND state = 'running'"""

FORGET: Final[LiteralString] = """
DELETE FROM ingest.rejects
WHERE import_id = $1 AND (lease < $2 OR (lease = $2 AND pass < $3))"""


async def keep(
    pool: RawPool, run: Run, kept: Sequence[Reject], *, reject_pass: int, first_ordinal: int
) -> None:
    """Keep rejects of a pass, numbered on from `first_ordinal`."""
    await pool.execute(
        KEEP,
        run.id,
        run.lease,
        reject_pass,
        list(range(first_ordinal, first_ordinal + len(kept))),
        [reject.line for reject in kept],
        [None if reject.column is None else scrubbed(reject.column) for reject in kept],
        [reject.code.value for reject in kept],
        [reject.message for reject in kept],
        [reject.value for reject in kept],
    )


async def copy(pool: RawPool, run: Run, other: Run) -> None:
    """Keep what is kept of another run; a second time changes nothing."""
    await pool.execute(COPY, run.id, run.lease, other.id, other.lease, other.reject_pass)


async def restart(pool: RawPool, run: Run, *, reject_pass: int) -> None:
    """Begin a new pass: what was kept before it is not shown any more."""
    await pool.execute(RESTART, run.id, run.lease, reject_pass)


async def forget_before(pool: RawPool, run: Run, *, reject_pass: int) -> None:
    """Delete what earlier attempts and passes kept."""
    await pool.execute(FORGET, run.id, run.lease, reject_pass)


async def page(
    connection: AsyncConnection, run: Run, *, after: int, limit: int
) -> list[KeptReject]:
    """Rejects of the run's newest pass that are still open, in the order of the file."""
    statement = (
        select(
            rejects.c.ordinal,
            rejects.c.line,
            rejects.c.column_name,
            rejects.c.code,
            rejects.c.message,
            rejects.c.value,
        )
        .where(
            rejects.c.import_id == run.id,
            rejects.c.lease == run.lease,
            rejects.c["pass"] == run.reject_pass,
            rejects.c.ordinal > after,
            ~exists().where(
                corrected_lines.c.import_id == (run.rows_of or run.id),
                corrected_lines.c.line == rejects.c.line,
            ),
        )
        .order_by(rejects.c.ordinal)
        .limit(limit)
    )
    return [KeptReject(*row) for row in await connection.execute(statement)]
