"""The rows of `ingest.imports` that an undo needs, and the mark that an import was undone."""

from typing import Final, LiteralString, TypeAlias

from services.ingest.domain.options import ImportKind, Mode
from services.ingest.domain.run import ImportId, Run, State
from services.ingest.domain.undo import Family, Later, Member
from services.ingest.runs.row import UNDONE, Row, former_of, parsed
from shared.store.engine import RawConnection, RawPool

Executor: TypeAlias = "RawConnection | RawPool"

# A correction may be of a correction.
FAMILY: Final[LiteralString] = """
WITH RECURSIVE family AS (
    SELECT id FROM ingest.imports WHERE id = $1
    UNION
    SELECT c.id FROM ingest.imports c JOIN family f ON c.follows = f.id
    WHERE c.kind = 'correction'
)
SELECT i.id, i.options ->> 'mode' AS mode, i.state, i.rows_inserted, i.rows_updated,
    i.rows_deleted, i.table_oid, i.former_path, i.former_bytes, i.former_columns,
    i.finished_at, i.undone
FROM family JOIN ingest.imports i USING (id) ORDER BY i.finished_at NULLS LAST, i.id"""

LATER: Final[LiteralString] = """
SELECT i.id, i.kind, i.former_path, i.former_bytes, i.former_columns
FROM ingest.imports i
WHERE i.former_path IS NOT NULL AND i.undone IS NULL AND i.state = 'succeeded'
  AND i.table_oid = $2 AND i.finished_at > $3 AND i.id <> ALL ($1::bigint[])
ORDER BY i.finished_at, i.id"""

MARK: Final[LiteralString] = """
WITH marked AS (
    UPDATE ingest.imports SET revision = revision + 1, undone = jsonb_build_object(
        'at', clock_timestamp(), 'by', $2::text, 'import_id', $3::bigint)
    WHERE id = $1 AND undone IS NULL RETURNING id, table_name
), recorded AS (
    INSERT INTO audit.events (subject, action, object, result, request_id, detail)
    SELECT $4, 'import.undone', 'import:' || id, 'ok', $5,
        jsonb_build_object('table', table_name, 'by', $3::bigint)
    FROM marked
)
SELECT true FROM marked"""

ONLY_FEED: Final[LiteralString] = """
SELECT NOT EXISTS (
    SELECT 1 FROM ingest.imports i
    WHERE (i.table_name = $2 OR i.table_oid = $4) AND i.id <> $1
      AND coalesce(i.etl_name, i.file_name) = $3
      AND i.state = 'succeeded' AND i.kind IN ('file', 'database') AND i.undone IS NULL
      AND NOT coalesce((i.options ->> 'dry_run')::boolean, false))"""

CURRENT_NAME: Final[LiteralString] = """
SELECT c.relname FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid::bigint = $1 AND n.nspname = 'data' AND c.relkind IN ('r', 'p')"""


async def family(executor: Executor, import_id: ImportId) -> Family:
    """An import with its corrections; it is there."""
    rows = await executor.fetch(FAMILY, import_id)
    first = next(row for row in rows if row["id"] == import_id)
    undone = parsed(first["undone"])
    return Family(
        id=import_id,
        finished_at=first["finished_at"],
        undone=UNDONE.validate_python(undone) if undone else None,
        members=tuple(_member(row) for row in rows),
    )


async def later(executor: Executor, family: Family) -> tuple[Later, ...]:
    """Later imports into the same table that kept former rows, undos among them."""
    oid = family.first.table_oid
    if oid is None or family.finished_at is None:
        return ()
    members = [member.id for member in family.members]
    found = []
    for row in await executor.fetch(LATER, members, oid, family.finished_at):
        former = former_of(row)
        assert former is not None
        found.append(Later(ImportId(row["id"]), ImportKind(row["kind"]), former))
    return tuple(found)


async def mark(executor: Executor, undone: ImportId, *, by: Run) -> bool:
    """Say on an import that `by` has undone it; False where another was faster."""
    return bool(
        await executor.fetchval(MARK, undone, by.caller.label, by.id, by.caller.sub, by.request_id)
    )


async def is_only_feed(executor: Executor, run: Run, *, table_oid: int) -> bool:
    """Whether no other import that still stands fed this table under the same ETL's name."""
    etl = run.feeding_etl
    return bool(await executor.fetchval(ONLY_FEED, run.id, run.table, etl, table_oid))


async def current_name(executor: Executor, table_oid: int) -> str | None:
    """What a table in `data` is called now; None when it is gone."""
    name: str | None = await executor.fetchval(CURRENT_NAME, table_oid)
    return name


def _member(row: Row) -> Member:
    return Member(
        id=ImportId(row["id"]),
        mode=Mode(row["mode"]),
        state=State(row["state"]),
        inserted=row["rows_inserted"],
        updated=row["rows_updated"],
        deleted=row["rows_deleted"],
        table_oid=row["table_oid"],
        former=former_of(row),
    )
