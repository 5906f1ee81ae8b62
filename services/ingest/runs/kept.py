"""What retention needs to know of runs, and what it deletes; each function is one statement."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, LiteralString

from services.ingest.domain.run import ImportId, MailState, State
from services.ingest.runs.row import UNFLUSHED
from shared.store.engine import RawConnection, RawPool

BATCH = 1000

STATE: Final[LiteralString] = """
SELECT state, upload_path, rejects_path, former_path, rehearsal_path
FROM ingest.imports WHERE id = $1"""

UNDONE: Final[LiteralString] = """
SELECT id FROM ingest.imports WHERE id = ANY ($1::bigint[]) AND undone IS NOT NULL"""

# If the server crashes before this is on its disk, UPLOADS has the run.
FORGET_UPLOAD: Final[LiteralString] = f"""
UPDATE ingest.imports SET upload_path = NULL
WHERE id = $1 AND state NOT IN ('queued', 'running') AND {UNFLUSHED}"""  # noqa: S608 - literals only

# A success whose upload is still there was cut off between its COMMIT and its tidying.
UPLOADS: Final[LiteralString] = """
SELECT id, upload_path AS path FROM ingest.imports
WHERE upload_path IS NOT NULL AND (
    (state = 'succeeded' AND finished_at < now() - interval '1 minute')
    OR (state IN ('failed', 'cancelled') AND finished_at < now() - make_interval(days => $1)))
ORDER BY id LIMIT $2"""

REJECTS: Final[LiteralString] = """
SELECT id, rejects_path AS path FROM ingest.imports
WHERE rejects_path IS NOT NULL AND finished_at < now() - make_interval(days => $1)
ORDER BY id LIMIT $2"""

FORGET_REJECTS: Final[LiteralString] = """
WITH forgotten AS (DELETE FROM ingest.rejects WHERE import_id = $1)
UPDATE ingest.imports SET rejects_path = NULL
WHERE id = $1 AND state NOT IN ('queued', 'running')"""

# Of a table that was dropped, and of an import that was undone, they are of no use.
FORMER: Final[LiteralString] = """
SELECT id, former_path AS path FROM ingest.imports
WHERE former_path IS NOT NULL AND (
    finished_at < now() - make_interval(days => $1) OR undone IS NOT NULL
    OR NOT EXISTS (SELECT 1 FROM pg_catalog.pg_class c WHERE c.oid::bigint = table_oid))
ORDER BY id LIMIT $2"""

FORGET_FORMER: Final[LiteralString] = """
UPDATE ingest.imports SET former_path = NULL, former_bytes = NULL, former_columns = NULL
WHERE id = $1"""

# What was committed is not needed any more; its commit may have been cut off before its tidying.
REHEARSALS: Final[LiteralString] = """
SELECT i.id, i.rehearsal_path AS path FROM ingest.imports i
WHERE i.rehearsal_path IS NOT NULL AND (
    i.finished_at < now() - make_interval(days => $1)
    OR EXISTS (SELECT 1 FROM ingest.imports c
               WHERE c.follows = i.id AND c.state = 'succeeded'
                 AND c.kind = ANY (ARRAY['file', 'database'])
                 AND c.finished_at < now() - interval '1 minute'))
  AND NOT EXISTS (SELECT 1 FROM ingest.imports c
                  WHERE c.follows = i.id AND c.state IN ('queued', 'running'))
ORDER BY i.id LIMIT $2"""

FORGET_REHEARSAL: Final[LiteralString] = """
UPDATE ingest.imports SET rehearsal_path = NULL
WHERE id = $1 AND state NOT IN ('queued', 'running')"""

DELETE_OLD: Final[LiteralString] = """
DELETE FROM ingest.imports WHERE id IN (
    SELECT id FROM ingest.imports
    WHERE finished_at < now() - make_interval(days => $1)
      AND state NOT IN ('queued', 'running')
      AND upload_path IS NULL AND rejects_path IS NULL AND former_path IS NULL
      AND rehearsal_path IS NULL
    ORDER BY id LIMIT $2)"""

NOTE_MAIL: Final[LiteralString] = """
UPDATE ingest.imports SET mail = $2 WHERE id = ANY ($1::bigint[])"""

# What a run that is not over yet writes is known by its folder.
KNOWN: Final[LiteralString] = """
SELECT path FROM unnest($1::text[]) AS given (path)
WHERE EXISTS (SELECT 1 FROM ingest.imports WHERE upload_path = path)
   OR EXISTS (SELECT 1 FROM ingest.imports WHERE rejects_path = path)
   OR EXISTS (SELECT 1 FROM ingest.imports WHERE former_path = path)
   OR EXISTS (SELECT 1 FROM ingest.imports WHERE rehearsal_path = path)
   OR EXISTS (SELECT 1 FROM ingest.imports i WHERE i.state IN ('queued', 'running')
              AND (path LIKE 'rejects/' || i.id || '/%' OR path LIKE 'former/' || i.id || '/%'
                   OR path LIKE 'rehearsals/' || i.id || '/%'))"""


@dataclass(frozen=True, slots=True)
class KeptState:
    """What a run's row says is kept for it."""

    state: State
    upload_path: str | None
    rejects_path: str | None
    former_path: str | None
    rehearsal_path: str | None


@dataclass(frozen=True, slots=True)
class KeptObject:
    """An object in storage that a run's row names."""

    import_id: ImportId
    path: str


async def state_of(pool: RawPool, import_id: ImportId) -> KeptState | None:
    """What is kept for a run; None when there is no such run."""
    row = await pool.fetchrow(STATE, import_id)
    if row is None:
        return None
    return KeptState(
        State(row["state"]),
        row["upload_path"],
        row["rejects_path"],
        row["former_path"],
        row["rehearsal_path"],
    )


async def undone_of(pool: RawPool, import_ids: Sequence[int]) -> set[int]:
    """Those of these imports that were undone."""
    return {row["id"] for row in await pool.fetch(UNDONE, import_ids)}


async def forget_upload(pool: RawPool, import_id: ImportId) -> None:
    """The upload is deleted."""
    await pool.execute(FORGET_UPLOAD, import_id)


async def uploads_to_forget(pool: RawPool, *, days: int) -> list[KeptObject]:
    """Uploads of successes, and of other ends older than `days`; at most 1,000."""
    return _objects(await pool.fetch(UPLOADS, days, BATCH))


async def rejects_to_forget(pool: RawPool, *, days: int) -> list[KeptObject]:
    """Rejects files of ends older than `days`; at most 1,000."""
    return _objects(await pool.fetch(REJECTS, days, BATCH))


async def forget_rejects(pool: RawPool, import_id: ImportId) -> None:
    """The rejects file is deleted, and so are the rejects kept for the JSON view."""
    await pool.execute(FORGET_REJECTS, import_id)


async def former_to_forget(pool: RawPool, *, days: int) -> list[KeptObject]:
    """Former rows of imports older than `days`, undone, or into tables that are gone."""
    return _objects(await pool.fetch(FORMER, days, BATCH))


async def forget_former(pool: RawPool, import_id: ImportId) -> None:
    """The former rows are deleted."""
    await pool.execute(FORGET_FORMER, import_id)


async def rehearsals_to_forget(pool: RawPool, *, days: int) -> list[KeptObject]:
    """Judged rows of dry runs that were committed or are older than `days`; at most 1,000."""
    return _objects(await pool.fetch(REHEARSALS, days, BATCH))


async def forget_rehearsal(pool: RawPool, import_id: ImportId) -> None:
    """The judged rows are deleted."""
    await pool.execute(FORGET_REHEARSAL, import_id)


async def delete_old(pool: RawPool, *, days: int) -> int:
    """Delete finished runs older than `days`, at most 1,000; returns how many."""
    done: str = await pool.execute(DELETE_OLD, days, BATCH)
    return int(done.rsplit(maxsplit=1)[-1])


async def note_mail(
    through: "RawPool | RawConnection", import_ids: Sequence[ImportId], mail: MailState
) -> None:
    """Say on the runs what became of their mails."""
    await through.execute(NOTE_MAIL, list(import_ids), mail.value)


async def known_paths(pool: RawPool, paths: Sequence[str]) -> set[str]:
    """Those of the paths that some run still needs."""
    if not paths:
        return set()
    return {row["path"] for row in await pool.fetch(KNOWN, list(paths))}


def _objects(rows: Sequence[object]) -> list[KeptObject]:
    return [KeptObject(ImportId(row["id"]), row["path"]) for row in rows]  # type: ignore[index]
