"""The load of a commit: the judged rows of a dry run, out of storage."""

from functools import partial

from services.ingest.domain.outcome import Outcome
from services.ingest.domain.run import Run
from services.ingest.errors import AlreadyCommittedError, RehearsalGoneError
from services.ingest.load.commit import commit
from services.ingest.load.rehearsal import KeptRows
from services.ingest.read.source import local_file
from services.ingest.runs import corrections, submitted
from services.ingest.work.attempt import Attempt


async def load_rehearsed(attempt: Attempt) -> Outcome:
    """The rows that a dry run judged, and nothing else.

    Raises NotAsRehearsedError, and AlreadyCommittedError where they were loaded before.
    """
    run, storage = attempt.run, attempt.storage
    rehearsal = None
    if run.follows is not None:
        rehearsal = await submitted.into_a_table(attempt.bookkeeping, run.follows)
        if (before := await submitted.commit_of(attempt.bookkeeping, run.follows)) is not None:
            raise AlreadyCommittedError(f"import {before} has loaded these rows")
    if rehearsal is None or rehearsal.rehearsal_path is None:
        raise RehearsalGoneError("the rows that the dry run judged are no longer kept")
    path = rehearsal.rehearsal_path
    stored = await storage.file(path)
    async with local_file(stored) as file:
        return await commit(
            await KeptRows.opened(file),
            stored.size_bytes,
            attempt,
            run.options,
            _outcome_of(rehearsal, await corrections.reading(attempt.bookkeeping, rehearsal.id)),
            before_fence=partial(attempt.rejects.adopt, rehearsal),
        )


def _outcome_of(rehearsal: Run, reading: bytes | None) -> Outcome:
    """What a dry run said."""
    return Outcome(
        rows=rehearsal.rows,
        bytes_read=rehearsal.bytes_read,
        format=rehearsal.format,
        inferred=rehearsal.inferred,
        reasons=rehearsal.reasons,
        reading=reading,
    )
