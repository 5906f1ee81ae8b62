"""Use cases of callers: feeds made, looked at, changed, run and removed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from sqlalchemy.ext.asyncio import AsyncEngine

from services.ingest.books import BOOKS
from services.ingest.connections.domain import SourceId
from services.ingest.connections.web import same_origin
from services.ingest.domain.options import ImportKind, ImportOptions
from services.ingest.domain.run import ImportRequest, Run, State
from services.ingest.errors import AlreadyQueuedError
from services.ingest.feeds import headers, repository
from services.ingest.feeds.domain import (
    DatabaseRows,
    Feed,
    FeedFilter,
    FeedId,
    FeedSettings,
    HttpFile,
    Push,
)
from services.ingest.feeds.errors import (
    FeedChangedMeanwhileError,
    FeedInvalidError,
    NotLikeError,
    TooManyFeedsError,
)
from services.ingest.feeds.queue import queue_run, request_of
from services.ingest.feeds.schedule import first
from services.ingest.runs import reads, submitted
from services.ingest.service.control import ImportControl
from services.ingest.service.feed_checks import FeedChecks
from services.ingest.service.intake import Intake, refuse_full_queue
from services.ingest.service.receive import IncomingBody
from services.ingest.uploads.domain import UploadId
from shared.contracts.auth import Caller
from shared.errors import NotFoundError
from shared.http.paging import Slice, cut
from shared.store.engine import RawPool
from shared.store.transaction import Transaction, transaction

FEEDS_PER_OWNER = 1_000


@dataclass(frozen=True, slots=True)
class Feeds:
    """The feeds of an installation, by whoever may see them: their owners and admins."""

    engine: AsyncEngine
    pool: RawPool
    """For what is a statement by itself."""
    intake: Intake
    control: ImportControl
    checks: FeedChecks

    async def create(
        self,
        owner: Caller,
        name: str,
        settings: FeedSettings,
        *,
        given_headers: Mapping[str, str] | None = None,
    ) -> Feed:
        """A new feed; what cannot work is refused now.

        Raises as `FeedChecks.check` and `headers.merged`, FeedExistsError, TooManyFeedsError,
        SourcesNotSetUpError where headers cannot be sealed.
        """
        whole = headers.merged(given_headers or {}, {})
        await self.checks.check(owner, settings)
        async with transaction(self.engine, BOOKS) as tx:
            if await repository.count(tx.raw, owner) >= FEEDS_PER_OWNER:
                raise TooManyFeedsError(f"you have {FEEDS_PER_OWNER:,} feeds; remove some")
            feed_id = await repository.create(tx.raw, owner, name, settings)
            await self._keep_headers(tx, feed_id, whole)
            feed = await repository.by_id(tx.raw, feed_id)
            assert feed is not None
            await self._plan(tx, feed)
            await tx.record(owner, "feed.create", f"feed:{name}", table=settings.table)
            await tx.seal()
        return await self.look(owner, name)

    async def page(self, viewer: Caller, which: FeedFilter, *, limit: int) -> Slice[Feed]:
        """Feeds that the caller may see, in the order in which they were made."""
        rows = await repository.page(self.pool, which, viewer, limit=limit + 1)
        return cut(rows, limit=limit, key=lambda feed: (str(feed.id),))

    async def look(self, viewer: Caller, name: str) -> Feed:
        """The feed; raises NotFoundError when the caller may not see it."""
        feed = await repository.one(self.pool, name, viewer)
        if feed is None:
            raise _no_feed(name)
        return feed

    async def change(
        self,
        caller: Caller,
        feed: Feed,
        settings: FeedSettings,
        *,
        given_headers: Mapping[str, str] | None = None,
    ) -> Feed:
        """Give a feed other settings, checked with its owner's rights.

        Where `schedule` or `paused` change, the schedule begins anew. A header that is masked
        keeps its value while the origin of the URL is the same. Raises as `create`, and
        FeedChangedMeanwhileError.
        """
        whole = None
        if given_headers is not None:
            whole = headers.merged(given_headers, self._former_headers(feed, settings))
        await self.checks.check(feed.owner, settings, before=feed.settings)
        async with transaction(self.engine, BOOKS) as tx:
            if not await repository.change(tx.raw, feed, settings):
                raise _changed(feed)
            if whole is not None:
                await self._keep_headers(tx, feed.id, whole)
            before = feed.settings
            if (before.schedule, before.paused) != (settings.schedule, settings.paused):
                await self._plan(tx, replace(feed, settings=settings))
            await tx.record(caller, "feed.change", f"feed:{feed.name}", table=settings.table)
        return await self.look(caller, feed.name)

    async def reset(self, caller: Caller, name: str, cursor: str | None) -> Feed:
        """Set where an incremental feed goes on, and forget which file was loaded last.

        Raises NotFoundError, InvalidInputError, FeedChangedMeanwhileError.
        """
        feed = await self.look(caller, name)
        incremental = feed.settings.incremental
        if cursor is not None:
            if incremental is None:
                raise FeedInvalidError.of("cursor", "not_incremental", "this feed has no cursor")
            await self.checks.check_cursor(feed, cursor)
        async with transaction(self.engine, BOOKS) as tx:
            if not await repository.reset(tx.raw, feed, cursor):
                raise _changed(feed)
            await tx.record(caller, "feed.reset", f"feed:{name}", cursor=cursor)
            await tx.seal()
        return await self.look(caller, name)

    async def remove(self, caller: Caller, name: str) -> None:
        """Remove a feed; what it loaded stays. Raises NotFoundError."""
        async with transaction(self.engine, BOOKS) as tx:
            if not await repository.remove(tx.raw, name, caller):
                raise _no_feed(name)
            await tx.record(caller, "feed.delete", f"feed:{name}")

    async def run(self, caller: Caller, feed: Feed, *, request_key: str | None) -> Run:
        """Queue a run now, or return the one that is open.

        Raises FeedInvalidError for a feed that waits for files, QueueFullError.
        """
        if isinstance(feed.settings.origin, Push):
            raise FeedInvalidError.of("file", "missing", "send a file, or name an `upload`")
        async with transaction(self.engine, BOOKS) as tx:
            if request_key is not None:
                before = await submitted.by_request_key(tx.raw, feed.owner, request_key)
                if before is not None and before.feed == feed.ref:
                    return before
            await refuse_full_queue(tx.raw, feed.owner, limit=self.intake.queued_limit)
            run = await queue_run(tx, feed, by=caller, request_key=request_key)
            run = run or await submitted.open_twin(tx.raw, f"feed:{feed.id}")
        if run is None:
            raise AlreadyQueuedError("a run of the feed ended just now; ask again")
        await self.intake.wake(run.id)
        return run

    async def push(
        self,
        caller: Caller,
        feed: Feed,
        body: IncomingBody,
        check_fields: Callable[[Mapping[str, str]], None],
        *,
        request_key: str | None,
    ) -> Run:
        """Take a file for a feed that waits for files; raises as `Intake.submit_file`."""
        _refuse_fetching(feed)
        request = await self._pushed(feed)

        def read_fields(fields: Mapping[str, str]) -> ImportRequest:
            check_fields(fields)
            return request

        return await self.intake.submit_file(
            feed.owner,
            body,
            read_fields,
            request_key=request_key,
            feed=feed.ref,
            uploader=caller,
        )

    async def push_upload(
        self, caller: Caller, feed: Feed, upload_id: UploadId, *, request_key: str | None
    ) -> Run:
        """Take an upload of the caller's for a feed; raises as `Intake.submit_upload`."""
        _refuse_fetching(feed)
        return await self.intake.submit_upload(
            feed.owner,
            upload_id,
            await self._pushed(feed),
            request_key=request_key,
            feed=feed.ref,
            uploader=caller,
        )

    async def like(self, caller: Caller, import_id: int) -> FeedSettings:
        """The settings that an import was made with, for a feed that does it again.

        Raises NotFoundError, and NotLikeError for one that did not succeed, or whose source was
        not saved.
        """
        run = await self.control.look(caller, import_id)
        kinds = (ImportKind.FILE, ImportKind.DATABASE)
        if run.state is not State.SUCCEEDED or run.options.dry_run or run.kind not in kinds:
            raise NotLikeError("only an import that loaded rows into a table can be repeated")
        assert run.table is not None
        # Its table is there now.
        options = replace(run.options, create_table=False, types={})
        settings = FeedSettings(
            table=run.table, options=options, etl_name=run.etl_name, email=run.email
        )
        if run.kind is ImportKind.FILE:
            return settings
        async with self.engine.connect() as connection:
            read = await reads.one(connection, run.id)
        if read is None or read.source_id is None or read.selection is None:
            raise NotLikeError("its source was not saved: save it, and give it as `source_id`")
        return replace(settings, origin=DatabaseRows(SourceId(read.source_id), read.selection))

    async def _keep_headers(
        self, tx: Transaction, feed_id: FeedId, whole: Mapping[str, str]
    ) -> None:
        sealed = None
        if whole:
            sealed = headers.sealed(self.checks.access.keyring, feed_id, whole)
        await repository.keep_headers(tx.raw, feed_id, sealed)

    def _former_headers(self, feed: Feed, settings: FeedSettings) -> Mapping[str, str]:
        """The feed's headers, unless they would go to another server now."""
        before, after = feed.settings.origin, settings.origin
        if not (isinstance(before, HttpFile) and isinstance(after, HttpFile)):
            return {}
        if not before.header_names or not same_origin(before.url, after.url):
            return {}
        return headers.opened(self.checks.access.keyring, feed)

    async def _plan(self, tx: Transaction, feed: Feed) -> None:
        schedule = None if feed.settings.paused else feed.settings.schedule
        now = await tx.raw.fetchval("SELECT clock_timestamp()")
        await repository.schedule(
            tx.raw, feed.id, None if schedule is None else first(schedule, now=now)
        )

    async def _pushed(self, feed: Feed) -> ImportRequest:
        return request_of(feed, options=await self._options(feed))

    async def _options(self, feed: Feed) -> ImportOptions:
        options = feed.settings.options
        if options.create_table and await self.checks.has_table(feed.owner, feed.settings.table):
            return replace(options, create_table=False, types={})
        return options


def _refuse_fetching(feed: Feed) -> None:
    if not isinstance(feed.settings.origin, Push):
        raise FeedInvalidError.of(
            "file", "not_a_push_feed", "this feed fetches its rows itself: send no file"
        )


def _no_feed(name: str) -> NotFoundError:
    return NotFoundError(f"there is no feed {name!r}")


def _changed(feed: Feed) -> FeedChangedMeanwhileError:
    return FeedChangedMeanwhileError(
        f"the feed {feed.name!r} was changed at the same moment; send it again"
    )
