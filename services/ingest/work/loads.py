"""How each kind of import is loaded; a new kind is one more entry of `Loads.by_kind`."""

import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import IO

from sqlalchemy.ext.asyncio import AsyncEngine

from services.ingest.connections import repository
from services.ingest.connections.access import SourceAccess
from services.ingest.connections.domain import Login, Selection, SourceTable, source_row
from services.ingest.domain.options import ImportKind
from services.ingest.domain.outcome import Outcome, Progress, RowCounts
from services.ingest.domain.run import Run
from services.ingest.errors import ObjectMissingError, PasswordGoneError
from services.ingest.feeds import headers
from services.ingest.feeds.domain import FETCHED, Feed, HttpFile, S3File
from services.ingest.load.into_catalog import load_into_catalog
from services.ingest.load.load import load_file, load_source
from services.ingest.plan.contracts import CATALOG_CONTRACT
from services.ingest.read.database import opened as opened_database
from services.ingest.read.formats import opened as opened_file
from services.ingest.read.source import released
from services.ingest.runs import reads
from services.ingest.runs.reads import read_row
from services.ingest.storage import StoredFile
from services.ingest.work.attempt import Attempt
from services.ingest.work.corrections import load_correction
from services.ingest.work.feed_runs import (
    feed_of,
    last_file,
    load_feed_file,
    load_feed_rows,
    load_new_file,
    load_unchanged,
)
from services.ingest.work.pull import Asked, asked_of, asked_of_s3, pulled
from services.ingest.work.rehearsed import load_rehearsed
from services.ingest.work.undo import take_back
from shared.contracts.catalog import ScannedTable, TableRead
from shared.security.sealing import SealBrokenError

Load = Callable[[Attempt], Awaitable[Outcome]]
"""Does the work of one attempt. It makes its own success true through the attempt's fence, in
the transaction of its rows; a dry run only returns its outcome."""

SCAN_IN_MEMORY_BYTES = 8 << 20
PIECE_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Loads:
    """The load of every kind of import."""

    engine: AsyncEngine
    access: SourceAccess
    upload_limit_bytes: int

    def of(self, run: Run) -> Load:
        """The load of a run."""
        return load_rehearsed if run.is_commit else self.by_kind()[run.kind]

    def by_kind(self) -> Mapping[ImportKind, Load]:
        """The loads of runs that read what they are named after."""
        return {
            ImportKind.FILE: self.load_table_file,
            ImportKind.CATALOG_FILE: load_triples_file,
            ImportKind.CORRECTION: load_correction,
            ImportKind.DATABASE: self.load_rows,
            ImportKind.CATALOG_DATABASE: self.load_scan,
            ImportKind.UNDO: take_back,
        }

    async def load_table_file(self, attempt: Attempt) -> Outcome:
        """An uploaded file, or the one that a feed fetches, into a table."""
        run = attempt.run
        feed = await feed_of(attempt)
        if feed is not None and isinstance(feed.settings.origin, FETCHED):
            return await self._load_fetched(attempt, feed)
        stored, file_name = await _upload(attempt), run.file_name or "upload"
        if feed is not None:
            return await load_feed_file(stored, attempt, feed, file_name=file_name)
        return await load_file(stored, attempt, run.options, file_name=file_name)

    async def _load_fetched(self, attempt: Attempt, feed: Feed) -> Outcome:
        last = await last_file(attempt, feed)
        file = await pulled(
            attempt,
            await self._asked(feed),
            last,
            guard=self.access.terms.guard,
            limit_bytes=self.upload_limit_bytes,
        )
        if file is None:
            assert last is not None, "a server is asked for changes since the last file"
            return await load_unchanged(attempt, feed, last)
        if last is not None and file.seen.sha256 == last.sha256:
            # By another version, which is asked for the next time.
            seen = replace(file.seen, import_id=last.import_id)
            return await load_unchanged(attempt, feed, seen)
        stored = StoredFile(attempt.storage, file.path, file.size_bytes)
        return await load_new_file(
            stored, attempt, feed, file.seen, file_name=attempt.run.file_name or "download"
        )

    async def _asked(self, feed: Feed) -> Asked:
        """What is to be fetched; raises PasswordGoneError."""
        origin = feed.settings.origin
        if isinstance(origin, HttpFile):
            sent = headers.opened(self.access.keyring, feed) if origin.header_names else {}
            return asked_of(origin, sent)
        assert isinstance(origin, S3File)
        async with self.engine.connect() as connection:
            saved = await repository.kept(connection, origin.source_id)
        assert saved is not None, "a source is kept while a feed reads it"
        password = self._opened(saved.sealed_password, row=source_row(saved.id))
        return await asked_of_s3(origin, Login(saved.target, password))

    async def load_rows(self, attempt: Attempt) -> Outcome:
        """A table or query into a table, out of one snapshot.

        Raises SourceAwayError when the source was lost: nothing is loaded then, and the run is
        tried again.
        """
        feed = await feed_of(attempt)
        selection, login = await self._read(attempt.run)
        if selection is None:
            raise ValueError("an import of rows reads a table or a query")
        async with opened_database(self.access, login, selection) as source:
            attempt.read = _table_read(source.table, login)
            if feed is not None:
                return await load_feed_rows(source, attempt, feed)
            return await load_source(source, attempt, attempt.run.options)

    async def load_scan(self, attempt: Attempt) -> Outcome:
        """Every table of a database into the catalog, under its ETL: all of them, or none."""
        run = attempt.run
        _selection, login = await self._read(run)
        # Gathered before the catalog hears of it: a source that is lost half-way adds nothing.
        with tempfile.SpooledTemporaryFile(SCAN_IN_MEMORY_BYTES) as lines:
            tables = 0
            async with self.access.scan(login) as scanned:
                async for line in scanned:
                    lines.write(line.model_dump_json().encode() + b"\n")
                    tables += isinstance(line, ScannedTable)
                    attempt.note_progress(Progress(tables, 0, lines.tell(), None))
            size_bytes = lines.tell()
            answer = await attempt.catalog.scan(
                run.id,
                etl=run.etl_name or login.target.label,
                namespace=login.target.namespace,
                lines=_pieces(lines),
            )
        outcome = Outcome(
            rows=RowCounts(
                read=tables,
                loaded=tables,
                inserted=answer.inserted,
                updated=tables - answer.inserted,
            ),
            bytes_read=size_bytes,
            format=None,
        )
        async with attempt.connections.acquire() as connection:
            await attempt.fence(connection, outcome)
        return outcome

    async def _read(self, run: Run) -> tuple[Selection | None, Login]:
        """What to read, and the log-in: the run's own, or the saved connection's as it is now."""
        async with self.engine.connect() as connection:
            read = await reads.one(connection, run.id)
            saved = None
            if read is not None and read.source_id is not None:
                saved = await repository.kept(connection, read.source_id)
        if read is None:
            raise ValueError("an import from a database says what it reads")
        if saved is not None:
            target, sealed, row = saved.target, saved.sealed_password, source_row(saved.id)
        elif read.sealed_password is not None:
            target, sealed, row = read.target, read.sealed_password, read_row(run.id)
        else:
            raise PasswordGoneError("the password of the source is no longer kept: submit it again")
        return read.selection, Login(target, self._opened(sealed, row=row))

    def _opened(self, sealed: bytes, *, row: str) -> str:
        try:
            return self.access.keyring.open(sealed, row=row)
        except SealBrokenError as exc:
            raise PasswordGoneError(f"{exc}: submit it again") from exc


def _table_read(table: SourceTable | None, login: Login) -> TableRead | None:
    """What the catalog is told of a table that is read; None for a query."""
    if table is None:
        return None
    return TableRead(
        namespace=login.target.namespace,
        # Oracle looks for a table without a schema in that of the log-in.
        schema_name=table.schema or login.target.user.upper(),
        table_name=table.name,
    )


async def load_triples_file(attempt: Attempt) -> Outcome:
    """An uploaded file into the catalog."""
    run = attempt.run
    source = await opened_file(
        await _upload(attempt),
        file_name=run.file_name or "upload",
        options=run.options,
        contract=CATALOG_CONTRACT,
    )
    async with released(source):
        return await load_into_catalog(
            source, attempt, run.options, merge=partial(attempt.catalog.merge, run.id)
        )


async def _upload(attempt: Attempt) -> StoredFile:
    """The run's upload; raises ObjectMissingError when it is no longer kept."""
    run, storage = attempt.run, attempt.storage
    if run.upload_path is None:
        raise ObjectMissingError("the file is no longer in storage")
    return await storage.file(run.upload_path)


async def _pieces(lines: IO[bytes]) -> AsyncIterator[bytes]:
    lines.seek(0)
    while piece := lines.read(PIECE_BYTES):
        yield piece
