"""A feed's next run put into the queue, in the transaction of whoever decided it."""

from datetime import datetime

from services.ingest.connections import repository as connections
from services.ingest.domain.options import ImportKind, ImportOptions
from services.ingest.domain.run import ImportRequest, Run, Submission
from services.ingest.feeds.domain import DatabaseRows, Feed
from services.ingest.runs import reads, submitted
from services.ingest.runs.reads import DatabaseRead
from shared.contracts.auth import Caller
from shared.store.transaction import Transaction


async def queue_run(
    tx: Transaction,
    feed: Feed,
    *,
    by: Caller | None = None,
    planned_at: datetime | None = None,
    request_key: str | None = None,
) -> Run | None:
    """Queue a run of a feed that fetches its rows itself, with the rights of the feed's owner.

    `by` is who asked, None for the schedule. None when a run of the feed is open, or the tick
    `planned_at` has had its run.
    """
    submission = Submission(
        request=request_of(feed),
        caller=feed.owner,
        upload=None,
        # A feed has one open run, whoever asked for it.
        idempotency_key=f"feed:{feed.id}",
        request_key=request_key,
        feed=feed.ref,
        planned_at=planned_at,
    )
    run = await submitted.queue(tx.raw, submission)
    if run is None:
        return None
    if isinstance(feed.settings.origin, DatabaseRows):
        await _keep_read(tx, run, feed.settings.origin)
    await tx.record(
        by or feed.owner,
        "import.submit",
        f"import:{run.id}",
        table=run.table,
        kind=run.kind.value,
        feed=feed.name,
    )
    return run


def request_of(feed: Feed, *, options: ImportOptions | None = None) -> ImportRequest:
    """What a run of the feed asks for; `options` in place of the feed's own."""
    settings = feed.settings
    database = isinstance(settings.origin, DatabaseRows)
    return ImportRequest(
        kind=ImportKind.DATABASE if database else ImportKind.FILE,
        options=settings.options if options is None else options,
        table=settings.table,
        # A file's name may hold its date; the feed's stays.
        etl_name=settings.etl_name or feed.name,
        email=settings.email,
    )


async def _keep_read(tx: Transaction, run: Run, origin: DatabaseRows) -> None:
    saved = await connections.kept(tx.connection, origin.source_id)
    assert saved is not None, "a source is kept while a feed reads it"
    read = DatabaseRead(
        source_id=origin.source_id,
        target=saved.target,
        sealed_password=None,
        selection=origin.selection,
    )
    await reads.keep(tx.connection, run.id, read)
