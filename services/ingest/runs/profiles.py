"""Profiles of imports; each function is one statement.

Which table a profile is about is known by its OID: a table that was dropped and made again under
its name is another one, which others may see.
"""

from typing import Final, LiteralString

from services.ingest.domain.profile import KeptProfile
from services.ingest.domain.run import ImportId
from shared.contracts.ingest import Profile
from shared.store.engine import RawPool

SELECTED: Final[LiteralString] = """
SELECT p.import_id, p.profile::text AS profile, i.finished_at, p.table_oid, c.relname AS table_now
FROM ingest.profiles p
JOIN ingest.imports i ON i.id = p.import_id
LEFT JOIN pg_catalog.pg_class c ON c.oid::bigint = p.table_oid
  AND c.relnamespace = 'data'::regnamespace"""

ONE: Final[LiteralString] = f"{SELECTED} WHERE p.import_id = $1"

NEWEST: Final[LiteralString] = f"""{SELECTED}
WHERE p.table_oid = (SELECT t.oid::bigint FROM pg_catalog.pg_class t
                     WHERE t.relname = $1 AND t.relnamespace = 'data'::regnamespace)
  AND i.undone IS NULL AND NOT coalesce((i.options->>'dry_run')::boolean, false)
ORDER BY p.import_id DESC LIMIT 1"""  # noqa: S608 - literals only

FOLLOWERS: Final[LiteralString] = """
SELECT id FROM ingest.imports WHERE follows = $1 ORDER BY id LIMIT 20"""


async def one(pool: RawPool, import_id: ImportId) -> KeptProfile | None:
    """The profile of an import; None where it has none."""
    return _kept(await pool.fetchrow(ONE, import_id))


async def newest(pool: RawPool, table: str) -> KeptProfile | None:
    """The profile of the newest import that is in a table; None where there is none."""
    return _kept(await pool.fetchrow(NEWEST, table))


def _kept(row: object) -> KeptProfile | None:
    if row is None:
        return None
    return KeptProfile(
        import_id=ImportId(row["import_id"]),  # type: ignore[index]
        finished_at=row["finished_at"],  # type: ignore[index]
        profile=Profile.model_validate_json(row["profile"]),  # type: ignore[index]
        table=row["table_now"],  # type: ignore[index]
        was_made=row["table_oid"] is not None,  # type: ignore[index]
    )


async def followers(pool: RawPool, import_id: ImportId) -> list[ImportId]:
    """The first imports that correct, commit or take back an import."""
    return [ImportId(row["id"]) for row in await pool.fetch(FOLLOWERS, import_id)]
