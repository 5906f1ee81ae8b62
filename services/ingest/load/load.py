"""One import as one straight way: frames judged, encoded and copied in a single transaction.

Everything is loaded and the run is marked as done in the same commit, or nothing is.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass

import asyncpg

from services.ingest.domain import ImportOptions, InferredColumn, Mode, Outcome, RowCounts
from services.ingest.errors import (
    KeyNotInFileError,
    OptionError,
    RowTooWideError,
    TableBusyError,
    TableChangedError,
    ValueNotStoredError,
)
from services.ingest.judge.infer import Inference, infer, made_for
from services.ingest.judge.judging import CellRules
from services.ingest.load.copying import Copies, TableRows, staged_rows
from services.ingest.load.direct import copy_directly
from services.ingest.load.duplicates import DuplicateLines, FileKey
from services.ingest.load.outside import Connection, Outside
from services.ingest.load.readings import Passes, Reading
from services.ingest.load.report import RejectReport
from services.ingest.load.staging import Staging, key_of
from services.ingest.load.target import IdBlocks, Target
from services.ingest.plan.columns import ColumnPlan, plan_columns
from services.ingest.plan.contracts import not_made
from services.ingest.read.ahead import ahead
from services.ingest.read.limits import Limits
from services.ingest.read.source import ByteSource, FileSource, ReadAgainError, Source
from shared.contracts.records import TableContract
from shared.errors import StorageFullError
from shared.values.dates import DateFormat

DEADLOCK_TRIES = 5
DUPLICATE_TRIES = 3


async def load_file(
    stored: ByteSource,
    outside: Outside,
    *,
    file_name: str,
    options: ImportOptions,
    limits: Limits | None = None,
) -> Outcome:
    """Load a stored file into its table; all of it, or nothing.

    The fence runs as the transaction's last statement; a dry run is rolled back instead. Raises
    FileRefusedError when the file as a whole does not fit, ImportFailedError when the rows end
    the import, FencedOutError from the fence, and the driver's errors when PostgreSQL is away.
    """
    source = await FileSource.opened(
        stored, file_name=file_name, options=options, limits=limits or Limits()
    )
    inferred: tuple[InferredColumn, ...] = ()
    if options.create_table:
        source, inference = await _inferred(source, options)
        options, inferred = made_for(options, inference), inference.inferred
        if options.dry_run:
            return await _rehearsed(source, inference, options, outside, stored.size_bytes)
        contract = await outside.make_table(inference.columns)
    else:
        contract = await outside.contract()
    source = source.matched(contract, options)
    while True:
        try:
            return await load_source(
                source,
                contract=contract,
                options=options,
                outside=outside,
                bytes_total=stored.size_bytes,
                inferred=inferred,
            )
        except ReadAgainError as again:
            source = again.source
            await outside.rejects.restart()


async def _inferred(source: FileSource, options: ImportOptions) -> tuple[FileSource, Inference]:
    """The types of all columns; a JSON file may have more of them than its head shows."""
    source = source.with_all_columns()
    while True:
        try:
            return source, await infer(source, options, _dates(options))
        except ReadAgainError as again:
            source = again.source


async def _rehearsed(
    source: FileSource,
    inference: Inference,
    options: ImportOptions,
    outside: Outside,
    bytes_total: int,
) -> Outcome:
    """A dry run into a table that is not made: nothing but the cells can be wrong."""
    contract = not_made(inference.columns)
    source = source.matched(contract, options)
    plan = plan_columns(source.columns, contract, options)
    report = RejectReport(outside.rejects, plan.originals)
    passes = Passes(source, _rules(plan, options), options, outside, report, bytes_total)
    reading = Reading()
    async with ahead(passes.judged(reading)) as judged:
        async for _ in judged:
            pass
    loaded = reading.rows - report.rows
    return Outcome(
        rows=RowCounts(
            read=reading.rows, loaded=loaded, rejected=report.rows, inserted=loaded, updated=0
        ),
        bytes_read=reading.bytes,
        format=source.format,
        inferred=inference.inferred,
    )


async def load_source(
    source: Source,
    *,
    contract: TableContract,
    options: ImportOptions,
    outside: Outside,
    bytes_total: int | None,
    inferred: tuple[InferredColumn, ...] = (),
) -> Outcome:
    """Load rows from any source; `load_file` says what it raises.

    `inferred` are the columns of a table that was made for this source.

    Two loads of one table can wait for each other's keys; PostgreSQL ends one of them, and that
    one starts again.
    """
    plan = plan_columns(source.columns, contract, options)
    load = _Load(contract, options, outside, plan, inferred)
    report = RejectReport(outside.rejects, load.plan.originals)
    passes = Passes(source, _rules(load.plan, options), options, outside, report, bytes_total)
    for tries_left in reversed(range(DEADLOCK_TRIES)):
        try:
            return await load.once(passes)
        except asyncpg.DeadlockDetectedError as error:
            if not tries_left:
                raise TableBusyError(
                    f"other imports into {contract.table} kept getting in the way: try again"
                ) from error
            await report.restart()
    raise AssertionError("unreachable")


def _rules(plan: ColumnPlan, options: ImportOptions) -> CellRules:
    return CellRules(plan.columns, options.null_values, _dates(options))


def _dates(options: ImportOptions) -> DateFormat:
    try:
        return DateFormat(options.date_format)
    except ValueError as error:
        raise OptionError.of("date_format", "invalid_option", str(error)) from error


@dataclass(frozen=True, slots=True)
class _Load:
    contract: TableContract
    options: ImportOptions
    outside: Outside
    plan: ColumnPlan
    inferred: tuple[InferredColumn, ...]

    def __post_init__(self) -> None:
        key, unique = set(self.options.key), [set(k.columns) for k in self.contract.unique_keys]
        if self.options.mode is Mode.UPSERT and key not in (*unique, {"id"}):
            raise OptionError.of(
                "key",
                "invalid_option",
                "an upsert needs a key that is unique in the table: a unique column or `id`",
            )

    async def once(self, passes: Passes) -> Outcome:
        """One transaction: lock, load, fence, commit."""
        async with self.outside.pool.acquire() as connection, _translated():
            await self._announce(connection)
            async with _transaction(connection) as transaction:
                outcome = await self._load(connection, passes)
                if self.options.dry_run:
                    await transaction.rollback()
                else:
                    await self.outside.fence(connection, outcome)
                    await transaction.commit()
        return outcome

    async def _announce(self, connection: Connection) -> None:
        row = await connection.fetchrow(
            "SELECT pid, backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()"
        )
        assert row is not None
        await self.outside.note_backend(row["pid"], row["backend_start"])

    async def _load(self, connection: Connection, passes: Passes) -> Outcome:
        target = Target(connection, self.contract)
        await target.lock(self.options.mode)
        if self.options.mode is Mode.REPLACE:
            await target.empty()
        reading = Reading()
        if self.options.mode is Mode.UPSERT:
            reading, inserted, updated = await self._upsert(connection, target, passes)
        else:
            passed = await copy_directly(connection, target, passes, self.plan)
            reading, inserted = passed or await self._insert(connection, target, passes)
            updated = 0
        return Outcome(
            rows=RowCounts(
                read=reading.rows,
                loaded=inserted + updated,
                rejected=passes.report.rows,
                inserted=inserted,
                updated=updated,
            ),
            bytes_read=reading.bytes,
            format=passes.source.format,
            inferred=self.inferred,
        )

    async def _insert(
        self, connection: Connection, target: Target, passes: Passes
    ) -> tuple[Reading, int]:
        """Straight in; after a unique violation once more without the duplicates."""
        keys = [
            key
            for unique in self.contract.unique_keys
            if (key := key_of(unique.columns, self.plan)) is not None
        ]
        duplicates: DuplicateLines | None = None
        for tries_left in reversed(range(DUPLICATE_TRIES + 1)):
            try:
                async with connection.transaction():
                    return await self._straight(target, passes, duplicates)
            except asyncpg.UniqueViolationError as error:
                if not tries_left or not keys:
                    raise _unexplained(error) from error
            finally:
                if duplicates is not None:
                    duplicates.close()
            await passes.report.restart()
            if tries_left == 1:  # somebody inserts the same keys as fast as we look for them
                await target.shut_out_writers()
            duplicates = await self._find_duplicates(connection, passes, keys)
        raise AssertionError("unreachable")

    async def _straight(
        self, target: Target, passes: Passes, duplicates: DuplicateLines | None
    ) -> tuple[Reading, int]:
        """COPY into the table itself, with ids from blocks while they can be had."""
        ids, reading, loaded = IdBlocks(self.outside.pool, self.contract.oid), Reading(), 0
        rows = TableRows(ids, self.plan, self.outside.import_id)
        async with (
            ahead(passes.judged(reading, duplicates)) as judged,
            ahead(rows.encoded(judged)) as pieces,
        ):
            copies = Copies(pieces)
            while await copies.begin():
                loaded += await target.copy(copies.columns, copies.data())
        if rows.highest_id:
            await ids.advance_past(rows.highest_id)
        return reading, loaded

    async def _find_duplicates(
        self, connection: Connection, passes: Passes, keys: list[FileKey]
    ) -> DuplicateLines:
        """Read the file for its keys alone, and let PostgreSQL compare them."""
        columns = {column.target: column.type for key in keys for column in key.columns}
        staging = Staging(connection, self.contract, list(columns))
        await staging.make()
        async with (
            ahead(passes.silent()) as judged,
            ahead(staged_rows(judged, list(columns.items()))) as data,
        ):
            await staging.copy(data)
        # A replace has emptied the table: only the file's own rows can be rivals.
        return await staging.duplicates(keys, against_table=self.options.mode is not Mode.REPLACE)

    async def _upsert(
        self, connection: Connection, target: Target, passes: Passes
    ) -> tuple[Reading, int, int]:
        """Stage the rows, take out the duplicates, merge what is left by the key."""
        columns = [(column.target, column.type) for column in self.plan.columns]
        staging = Staging(connection, self.contract, [name for name, _ in columns])
        for tries_left in reversed(range(DUPLICATE_TRIES)):
            if not tries_left:
                await target.shut_out_writers()
            await staging.make()
            reading = Reading()
            async with (
                ahead(passes.judged(reading)) as judged,
                ahead(staged_rows(judged, columns)) as data,
            ):
                await staging.copy(data)
            await self._refuse_rivals(staging, passes)
            try:
                async with connection.transaction():
                    inserted, updated = await target.merge(
                        [name for name, _ in columns], self.options.key, self.outside.import_id
                    )
            except asyncpg.UniqueViolationError as error:
                if not tries_left:
                    raise _unexplained(error) from error
                await passes.report.restart()
            else:
                if self.plan.brings_ids:
                    ids = IdBlocks(self.outside.pool, self.contract.oid)
                    await ids.advance_past(await staging.highest_id())
                return reading, inserted, updated
        raise AssertionError("unreachable")

    async def _refuse_rivals(self, staging: Staging, passes: Passes) -> None:
        """Take rows that others rule out from the stage; where there are any, report anew."""
        key = key_of(self.options.key, self.plan)
        assert key is not None
        others = [
            other
            for unique in self.contract.unique_keys
            if set(unique.columns) != set(self.options.key)
            and (other := key_of(unique.columns, self.plan)) is not None
        ]
        with closing(await staging.duplicates([key, *others], updating=key)) as rivals:
            if not rivals.found:
                return
            await passes.report.restart()
            async with ahead(passes.judged(Reading(), rivals)) as judged:
                async for _ in judged:
                    pass


def _unexplained(error: asyncpg.UniqueViolationError) -> Exception:
    """A unique violation that no row of the file explains."""
    return KeyNotInFileError(
        f"every row would get the same value in a unique column: {error.detail or error}"
    )


@asynccontextmanager
async def _transaction(
    connection: Connection,
) -> AsyncIterator[asyncpg.transaction.Transaction]:
    """A transaction that its user ends; rolled back on the way out of an error."""
    transaction = connection.transaction()
    await transaction.start()
    try:
        yield transaction
    except BaseException:
        if not connection.is_closed():
            await transaction.rollback()
        raise


@asynccontextmanager
async def _translated() -> AsyncIterator[None]:
    """PostgreSQL's refusals of rows and of room, as causes that people are told."""
    try:
        yield
    except asyncpg.ProgramLimitExceededError as error:
        raise RowTooWideError(f"a row is too wide for PostgreSQL: {error}") from error
    except asyncpg.DiskFullError as error:
        raise StorageFullError("the database's disk is full; nothing was loaded") from error
    except (asyncpg.DataError, asyncpg.StatementTooComplexError) as error:
        raise ValueNotStoredError(f"PostgreSQL refused a value: {error}") from error
    except asyncpg.UndefinedTableError as error:
        raise TableChangedError("the table was dropped while the import was starting") from error
