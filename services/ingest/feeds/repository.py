"""Every statement on `ingest.feeds`. Who may see a feed is decided here: its owner and admins."""

from datetime import datetime
from typing import Any, Final, LiteralString, TypeAlias

import asyncpg
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.ingest.connections.domain import Sealed
from services.ingest.domain.outcome import RowCounts
from services.ingest.domain.run import ImportId, Run, State
from services.ingest.feeds.domain import (
    OF_SOURCES,
    SEEN,
    SETTINGS,
    Feed,
    FeedFilter,
    FeedId,
    FeedSettings,
    Health,
    PastRun,
    SeenFile,
    SkippedTick,
)
from services.ingest.feeds.errors import FeedExistsError, FeedRemovedError
from services.ingest.feeds.tables import feeds
from services.ingest.runs.of_feeds import HISTORY, LAST_STATE
from services.ingest.runs.row import parsed
from shared.contracts.auth import Caller
from shared.store.engine import RawConnection, RawPool

Executor: TypeAlias = "RawConnection | RawPool"

LATE: Final[LiteralString] = """
    f.settings->'expect'->>'every' IS NOT NULL
    AND clock_timestamp() > coalesce(greatest(f.last_success_at, f.active_since), f.active_since)
        + (f.settings->'expect'->>'every')::interval"""

HEALTH: Final[LiteralString] = f"""
    CASE WHEN f.paused THEN 'paused' WHEN {LATE} THEN 'late'
         WHEN ended.state IS NULL THEN 'new' WHEN ended.state = 'failed' THEN 'failing'
         ELSE 'ok' END"""

SELECT: Final[LiteralString] = f"""
SELECT f.*, {HEALTH} AS health, {HISTORY} AS history
FROM ingest.feeds f CROSS JOIN LATERAL (SELECT {LAST_STATE} AS state) ended"""  # noqa: S608 - literals only

ONE: Final[LiteralString] = f"""
{SELECT} WHERE f.name = $1 AND ($2 OR f.owner_sub = $3)"""

BY_ID: Final[LiteralString] = f"{SELECT} WHERE f.id = $1"

PAGE: Final[LiteralString] = f"""
SELECT * FROM ({SELECT}
    WHERE f.id > $1 AND ($2 OR f.owner_sub = $3) AND ($4::text IS NULL OR f.table_name = $4)
) feed WHERE $5::text IS NULL OR health = $5 ORDER BY id LIMIT $6"""  # noqa: S608

COUNT: Final[LiteralString] = "SELECT count(*) FROM ingest.feeds WHERE owner_sub = $1"

CREATE: Final[LiteralString] = """
INSERT INTO ingest.feeds (name, owner, owner_sub, settings, table_name, source_id, paused)
VALUES ($1, $2::text::jsonb, $3, $4::text::jsonb, $5, $6, $7) RETURNING id"""

CHANGE: Final[LiteralString] = """
UPDATE ingest.feeds SET settings = $3::text::jsonb, table_name = $4, source_id = $5, paused = $6,
    version = version + 1, generation = generation + CASE WHEN $7 THEN 1 ELSE 0 END,
    seen = CASE WHEN $7 THEN NULL ELSE seen END,
    cursor = CASE WHEN $8 THEN NULL ELSE cursor END,
    told = CASE WHEN $9 THEN 'ok' ELSE told END,
    active_since = CASE WHEN paused AND NOT $6 THEN clock_timestamp() ELSE active_since END
WHERE id = $1 AND version = $2 RETURNING true"""

RESET: Final[LiteralString] = """
UPDATE ingest.feeds SET cursor = $3, seen = NULL,
    version = version + 1, generation = generation + 1
WHERE id = $1 AND version = $2 RETURNING true"""

REMOVE: Final[LiteralString] = """
DELETE FROM ingest.feeds WHERE name = $1 AND ($2 OR owner_sub = $3) RETURNING id"""

SEAL: Final[LiteralString] = """
UPDATE ingest.feeds SET sealed_headers = $2 WHERE id = $1"""

SCHEDULE: Final[LiteralString] = """
UPDATE ingest.feeds SET next_run_at = $2, scheduled_at = clock_timestamp() WHERE id = $1"""

# A time that was planned later than now was planned by a clock that has been set back since.
DUE: Final[LiteralString] = """
SELECT id, next_run_at, clock_timestamp() AS now,
    scheduled_at > clock_timestamp() + interval '1 minute' AS clock_set_back
FROM ingest.feeds
WHERE NOT paused AND next_run_at IS NOT NULL
  AND (next_run_at <= clock_timestamp() OR scheduled_at > clock_timestamp() + interval '1 minute')
ORDER BY next_run_at, id LIMIT 1 FOR UPDATE SKIP LOCKED"""

CHANGED: Final[LiteralString] = f"""
SELECT f.id, f.told
FROM ingest.feeds f CROSS JOIN LATERAL (SELECT {LAST_STATE} AS state) ended
WHERE {HEALTH} IN ('ok', 'late', 'failing') AND {HEALTH} <> f.told
ORDER BY f.id LIMIT 1 FOR UPDATE OF f SKIP LOCKED"""  # noqa: S608 - literals only

TOLD: Final[LiteralString] = "UPDATE ingest.feeds SET told = $2 WHERE id = $1"

SKIPPED: Final[LiteralString] = """
UPDATE ingest.feeds SET skipped_at = $2, skipped_for = $3 WHERE id = $1"""

# What was reset or changed since the run was queued stays as it is now.
DONE: Final[LiteralString] = """
UPDATE ingest.feeds SET last_success_at = clock_timestamp(),
    cursor = CASE WHEN generation = $2 THEN $3 ELSE cursor END,
    seen = CASE WHEN generation = $2 THEN $4::text::jsonb ELSE seen END
WHERE id = $1 RETURNING true"""


async def create(executor: Executor, owner: Caller, name: str, settings: FeedSettings) -> FeedId:
    """A new feed; raises FeedExistsError."""
    try:
        feed_id = await executor.fetchval(
            CREATE, name, owner.model_dump_json(), owner.sub, *_written(settings)
        )
    except asyncpg.UniqueViolationError as exc:
        raise FeedExistsError(f"there is a feed named {name!r} already") from exc
    return FeedId(feed_id)


async def count(executor: Executor, owner: Caller) -> int:
    """How many feeds the caller owns."""
    return int(await executor.fetchval(COUNT, owner.sub))


async def one(executor: Executor, name: str, viewer: Caller) -> Feed | None:
    """The feed, if this caller may see it."""
    row = await executor.fetchrow(ONE, name, viewer.is_admin, viewer.sub)
    return None if row is None else _feed(row)


async def by_id(executor: Executor, feed_id: int) -> Feed | None:
    """The feed of a run, or of a tick."""
    row = await executor.fetchrow(BY_ID, feed_id)
    return None if row is None else _feed(row)


async def page(executor: Executor, which: FeedFilter, viewer: Caller, *, limit: int) -> list[Feed]:
    """Feeds that this caller may see, oldest first, from behind the id `after`."""
    rows = await executor.fetch(
        PAGE,
        which.after,
        viewer.is_admin,
        viewer.sub,
        which.table,
        None if which.health is None else which.health.value,
        limit,
    )
    return [_feed(row) for row in rows]


async def change(executor: Executor, feed: Feed, settings: FeedSettings) -> bool:
    """Replace the settings; False when another request changed the feed meanwhile.

    Where they concern the rows, the last file is forgotten; of another column, the cursor too.
    With other expectations, or paused or resumed, what was said of its health counts no more.
    """
    before = feed.settings
    changed = await executor.fetchval(
        CHANGE,
        feed.id,
        feed.version,
        *_written(settings),
        before.rows_of != settings.rows_of,
        before.cursor_column != settings.cursor_column,
        (before.paused, before.expect) != (settings.paused, settings.expect),
    )
    return bool(changed)


async def reset(executor: Executor, feed: Feed, cursor: str | None) -> bool:
    """Set the cursor and forget the last file; False as `change`."""
    return bool(await executor.fetchval(RESET, feed.id, feed.version, cursor))


async def keep_headers(executor: Executor, feed_id: FeedId, sealed: bytes | None) -> None:
    """Keep the sealed headers of a feed."""
    await executor.execute(SEAL, feed_id, sealed)


async def sealed(connection: AsyncConnection) -> list[Sealed]:
    """Every feed's sealed headers, its row locked until the end of the transaction."""
    statement = (
        select(feeds.c.id, feeds.c.sealed_headers)
        .where(feeds.c.sealed_headers.is_not(None))
        .order_by(feeds.c.id)
        .with_for_update()
    )
    rows = await connection.execute(statement)
    return [Sealed(row.id, row.sealed_headers) for row in rows]


async def reseal(connection: AsyncConnection, headers: Sealed) -> None:
    """Replace a feed's sealed headers."""
    await connection.execute(
        update(feeds).where(feeds.c.id == headers.id).values(sealed_headers=headers.password)
    )


async def remove(executor: Executor, name: str, viewer: Caller) -> bool:
    """Remove a feed; False when this caller may not see it."""
    return bool(await executor.fetchval(REMOVE, name, viewer.is_admin, viewer.sub))


async def schedule(executor: Executor, feed_id: FeedId, next_run_at: datetime | None) -> None:
    """When the feed runs next; None: not by itself."""
    await executor.execute(SCHEDULE, feed_id, next_run_at)


async def claim_due(connection: RawConnection) -> "asyncpg.Record | None":
    """The feed that has been due longest, locked until the transaction ends.

    `id`, `next_run_at`, `now` by the database's clock, and `clock_set_back`.
    """
    return await connection.fetchrow(DUE)


async def claim_changed(connection: RawConnection) -> "asyncpg.Record | None":
    """A feed that is late, failing or well, and was said to be otherwise; its row is locked.

    `id` and `told`.
    """
    return await connection.fetchrow(CHANGED)


async def note_told(connection: RawConnection, feed_id: FeedId, health: Health) -> None:
    """Keep what was said of a feed's health."""
    await connection.execute(TOLD, feed_id, health.value)


async def note_skipped(
    connection: RawConnection, feed_id: FeedId, at: datetime, *, open_run: ImportId
) -> None:
    """Say that a tick came while a run was open."""
    await connection.execute(SKIPPED, feed_id, at, open_run)


async def done(
    connection: RawConnection, run: Run, *, cursor: str | None, seen: SeenFile | None
) -> None:
    """Move the feed in the transaction that loads the run's rows; raises FeedRemovedError."""
    assert run.feed is not None
    if not await connection.fetchval(
        DONE,
        run.feed.id,
        run.feed.generation,
        cursor,
        None if seen is None else SEEN.dump_json(seen).decode(),
    ):
        raise FeedRemovedError("the feed was removed while its run was working")


def _written(settings: FeedSettings) -> tuple[Any, ...]:
    origin = settings.origin
    return (
        SETTINGS.dump_json(settings).decode(),
        settings.table,
        origin.source_id if isinstance(origin, OF_SOURCES) else None,
        settings.paused,
    )


def _feed(row: "asyncpg.Record") -> Feed:
    return Feed(
        id=FeedId(row["id"]),
        name=row["name"],
        owner=Caller.model_validate(parsed(row["owner"])),
        settings=SETTINGS.validate_python(parsed(row["settings"])),
        version=row["version"],
        generation=row["generation"],
        cursor=row["cursor"],
        seen=None if row["seen"] is None else SEEN.validate_python(parsed(row["seen"])),
        next_run_at=row["next_run_at"],
        last_success_at=row["last_success_at"],
        skipped=(
            None
            if row["skipped_at"] is None
            else SkippedTick(row["skipped_at"], ImportId(row["skipped_for"]))
        ),
        created_at=row["created_at"],
        health=Health(row["health"]),
        sealed_headers=row["sealed_headers"],
        history=tuple(_past(past) for past in parsed(row["history"]) or ()),
    )


def _past(past: dict[str, Any]) -> PastRun:
    return PastRun(
        id=ImportId(past["id"]),
        state=State(past["state"]),
        rows=RowCounts(
            read=past["read"],
            loaded=past["loaded"],
            rejected=past["rejected"],
            inserted=past["inserted"],
            updated=past["updated"],
        ),
        seconds=None if past["seconds"] is None else float(past["seconds"]),
        unchanged=past["unchanged"],
        created_at=datetime.fromisoformat(past["created_at"]),
    )
