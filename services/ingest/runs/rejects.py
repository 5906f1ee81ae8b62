"""The first rejects of a run, for the JSON view; all of them are in storage."""

from collections.abc import Sequence
from typing import Final, LiteralString

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.ingest.domain import KeptReject, Reject, Run
from services.ingest.runs.worked import Pool
from services.ingest.tables import rejects

KEPT_PER_RUN = 1000

# Only the attempt that holds the lease may add: one that was stopped writes nothing later on.
KEEP: Final[LiteralString] = """
INSERT INTO ingest.rejects
    (import_id, lease, pass, ordinal, line, column_name, code, message, value)
SELECT i.id, i.lease, $3::int, r.ordinal, r.line, r.column_name, r.code, r.message, r.value
FROM ingest.imports i, unnest(
    $4::int[], $5::bigint[], $6::text[], $7::text[], $8::text[], $9::text[]
) AS r (ordinal, line, column_name, code, message, value)
WHERE i.id = $1 AND i.lease = $2 AND i.state = 'running'"""

RESTART: Final[LiteralString] = """
UPDATE ingest.imports SET reject_pass = $3, rows_rejected = 0, revision = revision + 1
WHERE id = $1 AND lease = $2 AND state = 'running'"""

FORGET: Final[LiteralString] = """
DELETE FROM ingest.rejects
WHERE import_id = $1 AND (lease < $2 OR (lease = $2 AND pass < $3))"""


class RejectRepository:
    """Writes the rejects of one attempt, each call one statement in autocommit."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def keep(
        self, run: Run, found: Sequence[Reject], *, reject_pass: int, first_ordinal: int
    ) -> None:
        """Keep rejects of a pass, numbered on from `first_ordinal`."""
        await self._pool.execute(
            KEEP,
            run.id,
            run.lease,
            reject_pass,
            list(range(first_ordinal, first_ordinal + len(found))),
            [reject.line for reject in found],
            [_storable(reject.column) for reject in found],
            [reject.code.value for reject in found],
            [_storable(reject.message) for reject in found],
            [_storable(reject.value) for reject in found],
        )

    async def restart(self, run: Run, *, reject_pass: int) -> None:
        """Begin a new pass: what was kept before it is not shown any more."""
        await self._pool.execute(RESTART, run.id, run.lease, reject_pass)

    async def forget_before(self, run: Run, *, reject_pass: int) -> None:
        """Delete what earlier attempts and passes kept."""
        await self._pool.execute(FORGET, run.id, run.lease, reject_pass)


async def page(
    connection: AsyncConnection, run: Run, *, after: int, limit: int
) -> list[KeptReject]:
    """Rejects of the run's newest pass, in the order in which they were found."""
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
        )
        .order_by(rejects.c.ordinal)
        .limit(limit)
    )
    return [KeptReject(*row) for row in await connection.execute(statement)]


def _storable(text: str | None) -> str | None:
    # PostgreSQL's text holds neither NUL nor lone surrogates.
    if text is None:
        return None
    return text.replace("\0", "\N{SYMBOL FOR NULL}").encode(errors="replace").decode()
