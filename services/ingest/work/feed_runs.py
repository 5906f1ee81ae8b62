"""Runs of feeds: what is read of the origin, and what must hold before the rows are committed."""

from dataclasses import dataclass, field, replace

from services.ingest.domain.options import ImportOptions
from services.ingest.domain.outcome import Outcome, RowCounts
from services.ingest.domain.run import FeedOutcome
from services.ingest.feeds import repository
from services.ingest.feeds.domain import Expectations, Feed, Incremental, SeenFile
from services.ingest.feeds.errors import (
    ExpectationFailedError,
    FeedOutdatedError,
    FeedRemovedError,
)
from services.ingest.load.load import load_file, load_source
from services.ingest.load.transaction import MAY_WAIT
from services.ingest.read.database import DatabaseSource, newer_rows
from services.ingest.read.since import Since
from services.ingest.read.source import StoredBytes
from services.ingest.runs import of_feeds
from services.ingest.work.attempt import Attempt
from shared.errors import NotFoundError
from shared.http.peers import PeerProblemError
from shared.store.engine import RawConnection


async def feed_of(attempt: Attempt) -> Feed | None:
    """The feed that the attempt runs, None of an import by itself.

    Raises FeedRemovedError, FeedOutdatedError.
    """
    ref = attempt.run.feed
    if ref is None:
        return None
    feed = None if ref.id is None else await repository.by_id(attempt.bookkeeping, ref.id)
    if feed is None:
        raise FeedRemovedError("the feed was removed while its run was waiting")
    if feed.generation != ref.generation:
        raise FeedOutdatedError(
            "the feed was changed or reset after this run was queued; run it again"
        )
    return feed


async def load_feed_rows(source: DatabaseSource, attempt: Attempt, feed: Feed) -> Outcome:
    """Rows of another database: all of them, or those beyond the feed's cursor.

    Raises InvalidInputError where the column can no longer be a cursor, ExpectationFailedError,
    and as `load_source`.
    """
    incremental, cursor, outcome = feed.settings.incremental, None, FeedOutcome()
    if incremental is not None:
        since = since_of(feed, incremental)
        source, span = await newer_rows(source, since)
        cursor = span.up_to
        outcome = FeedOutcome(
            column=incremental.column, after=since.after, up_to=cursor, nulls=span.nulls
        )
    attempt.before_commit = BeforeCommit(attempt, feed, cursor=cursor, outcome=outcome)
    return await load_source(source, attempt, await _options(attempt))


async def load_feed_file(
    stored: StoredBytes, attempt: Attempt, feed: Feed, *, file_name: str
) -> Outcome:
    """A file that was sent, unless it is the one that was loaded last: then nothing is done.

    Raises as `load_new_file`.
    """
    digest = await of_feeds.sha256_of(attempt.bookkeeping, attempt.run.id)
    assert digest is not None, "a file is hashed as it comes in"
    last = await last_file(attempt, feed)
    if last is not None and last.sha256 == digest:
        return await load_unchanged(attempt, feed, last)
    seen = SeenFile(digest, attempt.run.id)
    return await load_new_file(stored, attempt, feed, seen, file_name=file_name)


async def last_file(attempt: Attempt, feed: Feed) -> SeenFile | None:
    """The file that was loaded last, unless its import was taken back."""
    last = feed.seen
    if last is None or await of_feeds.is_undone(attempt.bookkeeping, last.import_id):
        return None
    return last


async def load_new_file(
    stored: StoredBytes, attempt: Attempt, feed: Feed, seen: SeenFile, *, file_name: str
) -> Outcome:
    """A file that is another than the last one.

    Raises ExpectationFailedError, and as `load_file`.
    """
    attempt.before_commit = BeforeCommit(attempt, feed, seen=seen)
    return await load_file(stored, attempt, await _options(attempt), file_name=file_name)


async def load_unchanged(attempt: Attempt, feed: Feed, seen: SeenFile) -> Outcome:
    """Nothing: the file is the last one."""
    attempt.before_commit = BeforeCommit(
        attempt, feed, cursor=feed.cursor, seen=seen, outcome=FeedOutcome(unchanged=True)
    )
    outcome = Outcome(rows=RowCounts(), bytes_read=0, format=None)
    async with attempt.connections.acquire() as connection, connection.transaction():
        await connection.execute(MAY_WAIT)
        await attempt.fence(connection, outcome)
    return outcome


def since_of(feed: Feed, incremental: Incremental) -> Since:
    """Where the feed's next run begins."""
    return Since(
        column=incremental.column,
        after=feed.cursor if feed.cursor is not None else incremental.start,
        inclusive=feed.settings.is_inclusive,
        # What comes first is not looked for before the start that was given.
        lookback=None if feed.cursor is None else incremental.lookback,
    )


@dataclass(frozen=True, slots=True)
class BeforeCommit:
    """Holds the rows against what the feed expects, and moves the feed in their transaction."""

    attempt: Attempt
    feed: Feed
    cursor: str | None = None
    seen: SeenFile | None = None
    outcome: FeedOutcome = field(default_factory=FeedOutcome)

    async def __call__(self, connection: RawConnection, outcome: Outcome) -> None:
        """Raises ExpectationFailedError, FencedOutError, FeedRemovedError."""
        if not self.outcome.unchanged:
            refuse_unexpected(self.feed.settings.expect, outcome.rows)
        run = self.attempt.run
        await repository.done(connection, run, cursor=self.cursor, seen=self.seen)
        await of_feeds.note_outcome(connection, run, self.outcome)


def refuse_unexpected(expect: Expectations, rows: RowCounts) -> None:
    """Raise ExpectationFailedError for rows that break an expectation."""
    broken: list[str] = []
    if expect.min_rows is not None and rows.loaded < expect.min_rows:
        broken.append(f"{rows.loaded:,} rows would be loaded, at least {expect.min_rows:,} must be")
    if expect.max_rejected is not None and rows.rejected > expect.max_rejected:
        broken.append(f"{rows.rejected:,} rows were refused, at most {expect.max_rejected:,} may")
    share = rows.rejected / rows.read if rows.read else 0.0
    if expect.max_rejected_share is not None and share > expect.max_rejected_share:
        broken.append(
            f"{share:.2%} of the rows were refused, at most {expect.max_rejected_share:.2%} may"
        )
    if broken:
        raise ExpectationFailedError(f"{'; '.join(broken)}; nothing was loaded")


async def _options(attempt: Attempt) -> ImportOptions:
    """The run's options; the table that `create_table` asks for is made once."""
    run = attempt.run
    if not run.options.create_table or run.made_table_oid is not None or run.table is None:
        return run.options
    try:
        await attempt.records.contract(run.table, run.caller)
    except PeerProblemError as exc:
        if exc.status != NotFoundError.status:
            raise
        return run.options
    return replace(run.options, create_table=False, types={})
