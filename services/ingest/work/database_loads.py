"""What a worker does with an import from a database: rows into a table, or a catalog scan."""

import tempfile
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import IO

from sqlalchemy.ext.asyncio import AsyncEngine

from services.ingest.connections import repository
from services.ingest.connections.access import SourceAccess
from services.ingest.connections.crypto import UnreadablePasswordError, source_row
from services.ingest.connections.domain import Login, Wanted
from services.ingest.domain import ImportKind, Outcome, Progress, RowCounts, Run
from services.ingest.errors import PasswordGoneError
from services.ingest.load.load import load_source
from services.ingest.read.database import opened
from services.ingest.runs import reads
from services.ingest.runs.reads import read_row
from services.ingest.work.attempt import Attempt
from services.ingest.work.loads import Load

SCAN_IN_MEMORY_BYTES = 8 << 20
PIECE_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class DatabaseLoads:
    """Loads of the two kinds that read databases."""

    engine: AsyncEngine
    access: SourceAccess
    password_retention_days: int

    def by_kind(self) -> Mapping[ImportKind, Load]:
        """For the worker's table of loads."""
        return {
            ImportKind.DATABASE: self.load_rows,
            ImportKind.CATALOG_DATABASE: self.load_scan,
        }

    async def load_rows(self, attempt: Attempt) -> Outcome:
        """A table or query into a table, out of one snapshot.

        Raises SourceAwayError when the source was lost: nothing is loaded then, and the run is
        tried again.
        """
        wanted, login = await self._read(attempt.run)
        if wanted is None:
            raise ValueError("an import of rows wants a table or a query")
        async with opened(self.access, login, wanted) as source:
            return await load_source(source, attempt, attempt.run.options)

    async def load_scan(self, attempt: Attempt) -> Outcome:
        """Every table of a database into the catalog, under its ETL: all of them, or none."""
        run = attempt.run
        _wanted, login = await self._read(run)
        # Gathered before the catalog hears of it: a source that is lost half-way adds nothing.
        with tempfile.SpooledTemporaryFile(SCAN_IN_MEMORY_BYTES) as lines:
            tables = 0
            async with self.access.scan(login) as found:
                async for table in found:
                    lines.write(table.model_dump_json().encode() + b"\n")
                    tables += 1
                    attempt.note_progress(Progress(tables, 0, lines.tell(), None))
            size = lines.tell()
            answer = await attempt.catalog.scan(
                run.id, etl=run.etl_name or login.target.label, lines=_pieces(lines)
            )
        outcome = Outcome(
            rows=RowCounts(
                read=tables,
                loaded=tables,
                inserted=answer.inserted,
                updated=tables - answer.inserted,
            ),
            bytes_read=size,
            format=None,
        )
        async with attempt.pool.acquire() as connection, connection.transaction():
            await attempt.fence(connection, outcome)
        return outcome

    async def forget_passwords(self) -> None:
        """Forget the passwords that no import needs any more."""
        async with self.engine.begin() as connection:
            await reads.forget_passwords(connection, days=self.password_retention_days)

    async def _read(self, run: Run) -> tuple[Wanted | None, Login]:
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
        try:
            password = self.access.keyring.open(sealed, row=row)
        except UnreadablePasswordError as exc:
            raise PasswordGoneError(f"{exc}: submit it again") from exc
        return read.wanted, Login(target, password)


async def _pieces(lines: IO[bytes]) -> AsyncIterator[bytes]:
    lines.seek(0)
    while piece := lines.read(PIECE_BYTES):
        yield piece
