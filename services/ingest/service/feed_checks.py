"""What is checked of a feed before it is kept: the table, the source, the cursor's column."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from services.ingest.clients import RecordsClient
from services.ingest.connections.access import SourceAccess, trial
from services.ingest.connections.domain import Login, SourceId, SourceKind
from services.ingest.connections.errors import NO_DATABASE, NO_FILES
from services.ingest.connections.guard import SourceRefusedError
from services.ingest.connections.s3 import NO_OBJECT, S3Object, refusal
from services.ingest.connections.saved import SavedConnections
from services.ingest.connections.web import checked_url
from services.ingest.domain.options import ImportOptions, Mode
from services.ingest.feeds.domain import (
    DatabaseRows,
    Feed,
    FeedSettings,
    HttpFile,
    Push,
    S3File,
)
from services.ingest.feeds.errors import FeedInvalidError
from services.ingest.plan.columns import check_columns
from services.ingest.read.database import DatabaseSource, opened
from services.ingest.read.since import check_since, cursor_column
from services.ingest.service.intake import check_key
from shared.contracts.auth import Caller
from shared.contracts.problem import FieldError
from shared.contracts.records import TableContract
from shared.errors import InvalidInputError, NotFoundError
from shared.http.peers import PeerProblemError


@dataclass(frozen=True, slots=True)
class FeedChecks:
    """Refuses at once what would fail at night."""

    records: RecordsClient
    saved: SavedConnections
    access: SourceAccess

    async def check(
        self, owner: Caller, settings: FeedSettings, *, before: FeedSettings | None = None
    ) -> None:
        """Refuse what cannot work, naming the field.

        Table and source are asked only where something else is to be loaded than `before`: a
        source that is away must not hold up a change of the address for mails.

        Raises InvalidInputError and its kin, the source's reason, and what records says of the
        table (403, 404).
        """
        _refuse_odd(settings)
        if before is not None and before.rows_of == settings.rows_of:
            return
        contract = await self._contract(owner, settings.table, settings.options)
        if contract is not None and settings.options.mode is Mode.UPSERT:
            check_key(settings.options, contract, field="options.key")
        if isinstance(settings.origin, HttpFile):
            await self._check_address(settings.origin.url)
        if isinstance(settings.origin, S3File):
            await self._check_object(owner, settings.origin)
        if isinstance(settings.origin, DatabaseRows):
            async with self._opened(owner, settings.origin) as rows:
                options = settings.options
                if contract is not None:
                    options = replace(options, create_table=False, types={})
                check_columns(rows, contract, options)
                _check_incremental(rows, settings)

    async def check_cursor(self, feed: Feed, cursor: str) -> None:
        """Refuse a cursor that is no value of the feed's column; raises as `check`."""
        origin, incremental = feed.settings.origin, feed.settings.incremental
        assert isinstance(origin, DatabaseRows)
        assert incremental is not None
        async with self._opened(feed.owner, origin) as rows:
            column = cursor_column(rows, incremental.column)
            check_since(column, value=cursor, lookback=None, field="cursor")

    async def has_table(self, owner: Caller, table: str) -> bool:
        """Whether the table is there, and the owner may write to it."""
        return await self._contract(owner, table, ImportOptions(create_table=True)) is not None

    async def _check_address(self, text: str) -> None:
        url = checked_url(text, field_name="from.url")
        assert url.host is not None
        assert url.port is not None
        try:
            await self.access.terms.guard.checked(url.host, url.port)
        except SourceRefusedError as exc:
            raise FeedInvalidError.of(
                "from.url", exc.errors[0].code, exc.errors[0].message
            ) from exc

    async def _check_object(self, owner: Caller, origin: S3File) -> None:
        login = await self._login(owner, origin.source_id)
        if login.target.kind is not SourceKind.S3:
            raise NO_FILES.error()
        which = S3Object.parsed(origin.url, field_name="from.url")
        async with trial():
            reason = await refusal(self.access.terms.guard, login, which)
        # What is not there yet may come before the first run.
        if reason is not None and reason.code != NO_OBJECT.code:
            field = "from.url" if reason.field == "url" else "from.source_id"
            raise replace(reason, field=field).error()

    async def _login(self, owner: Caller, source_id: SourceId) -> Login:
        try:
            return await self.saved.login(owner, source_id)
        except NotFoundError as exc:
            raise FeedInvalidError.of("from.source_id", "unknown_source", exc.detail) from exc

    async def _contract(
        self, owner: Caller, table: str, options: ImportOptions
    ) -> TableContract | None:
        try:
            return await self.records.contract(table, owner)
        except PeerProblemError as exc:
            if exc.status != NotFoundError.status or not options.create_table:
                raise
            return None

    @asynccontextmanager
    async def _opened(self, owner: Caller, origin: DatabaseRows) -> AsyncIterator[DatabaseSource]:
        login = await self._login(owner, origin.source_id)
        if login.target.kind is SourceKind.S3:
            raise replace(NO_DATABASE, field="from.source_id").error()
        async with trial(), opened(self.access, login, origin.selection) as rows:
            yield rows


def _refuse_odd(settings: FeedSettings) -> None:
    """Refuse settings that contradict each other."""
    errors: list[FieldError] = []

    def refuse(field: str, code: str, message: str) -> None:
        errors.append(FieldError(field=field, code=code, message=message))

    if settings.options.dry_run:
        refuse("options.dry_run", "not_for_feeds", "a feed loads; rehearse with an import")
    if settings.schedule is not None and isinstance(settings.origin, Push):
        refuse("schedule", "not_for_push", "a feed of the kind push runs when a file is sent")
    if settings.incremental is not None:
        if not isinstance(settings.origin, DatabaseRows):
            refuse("incremental", "database_only", "only rows of a database have a cursor")
        if settings.options.mode is Mode.REPLACE:
            refuse("options.mode", "not_incremental", "replace would delete the rows loaded before")
        if settings.incremental.lookback is not None and not settings.is_inclusive:
            refuse(
                "incremental.lookback",
                "needs_upsert",
                "rows that are read again would be loaded twice: use mode=upsert with a key",
            )
    if errors:
        raise InvalidInputError.of_fields(errors)


def _check_incremental(rows: DatabaseSource, settings: FeedSettings) -> None:
    incremental = settings.incremental
    if incremental is None:
        return
    column = cursor_column(rows, incremental.column)
    check_since(column, value=incremental.start, lookback=incremental.lookback)
