"""From a source to a committed table: the table made or found, columns planned, the mode run.

A follow-up of an import is one more file beside the modes, run by `Transaction` as they are.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from services.ingest.domain.options import ImportOptions, Mode, OnNewColumn
from services.ingest.domain.outcome import InferredColumn, Outcome, RowCounts
from services.ingest.judge.notations import own_notations
from services.ingest.load import append
from services.ingest.load.held import with_rows_here
from services.ingest.load.modes import Load, Loaded, LoadMode, refuse_nothing
from services.ingest.load.new_columns import Extended, extended
from services.ingest.load.outside import Outside
from services.ingest.load.reading import READING, Reading
from services.ingest.load.readings import (
    Readings,
    as_it_turns_out,
    format_by_the_end,
    inferred_types,
)
from services.ingest.load.rehearsal import Bound, RehearsalKeeper
from services.ingest.load.rehearse import rehearse
from services.ingest.load.target import Target
from services.ingest.load.transaction import Transaction
from services.ingest.load.upsert import refuse_key, upsert
from services.ingest.plan.columns import ColumnPlan, notes, plan_columns, unfilled
from services.ingest.plan.contracts import not_made
from services.ingest.plan.new_table import NewTable, typed_columns
from services.ingest.read.formats import opened
from services.ingest.read.limits import Limits
from services.ingest.read.source import Source, StoredBytes, released
from shared.contracts.records import TableContract

MODES: Mapping[Mode, LoadMode] = {
    Mode.APPEND: append.append,
    Mode.REPLACE: append.replace,
    Mode.UPSERT: upsert,
}


async def load_file(
    stored: StoredBytes,
    outside: Outside,
    options: ImportOptions,
    *,
    file_name: str,
    limits: Limits | None = None,
) -> Outcome:
    """Load a stored file; raises as `load_source`."""
    contract = None if options.create_table else await outside.contract()
    source = await opened(
        stored, file_name=file_name, options=options, contract=contract, limits=limits
    )
    async with released(source):
        return await load_source(source, outside, options, contract=contract)


async def load_source(
    source: Source,
    outside: Outside,
    options: ImportOptions,
    *,
    contract: TableContract | None = None,
) -> Outcome:
    """Load every row of a source into its table; all of them, or none.

    Raises FileRefusedError when the source as a whole does not fit, ImportFailedError when its
    rows end the import, what `outside` and Transaction raise, and the driver's errors when
    PostgreSQL is away.
    """
    if not options.create_table:
        contract = contract or await outside.contract()
        if options.on_new_column is not OnNewColumn.ADD:
            return await _into(source, outside, options, contract)
        table = await extended(source, outside, options, contract)
        return await _into(table.source, outside, table.options, table.contract, extended=table)
    source, made = await _new_table(source, options, outside)
    options = replace(options, mapping=made.mapping)
    contract = not_made(made.columns) if options.dry_run else await outside.make_table(made.columns)
    return await _into(source, outside, options, contract, made=made)


async def _new_table(
    source: Source, options: ImportOptions, outside: Outside
) -> tuple[Source, NewTable]:
    """The table that a source gets, and the source as it was then; types are its own or inferred.

    Raises HeaderError, FileRefusedError.
    """

    async def described(source: Source) -> tuple[Source, NewTable]:
        columns = typed_columns(source, options)
        if columns is None:
            columns = await inferred_types(source, options, outside)
        return source, NewTable.of(columns, source, options)

    return await as_it_turns_out(source, described)


async def _into(
    source: Source,
    outside: Outside,
    options: ImportOptions,
    contract: TableContract,
    *,
    made: NewTable | None = None,
    extended: Extended | None = None,
) -> Outcome:
    new = made or extended
    own = {} if new is None else own_notations(new.typed)
    inferred = () if made is None else made.inferred
    added = () if extended is None else extended.added

    async def once(source: Source) -> Outcome:
        plan = plan_columns(source, contract, options)
        if options.mode is Mode.UPSERT:
            refuse_key(options, contract)
        if options.mode is Mode.REPLACE and source.format is None:
            return await with_rows_here(
                source, plan, outside, partial(loaded, plan), as_frames=options.dry_run
            )
        return await loaded(plan, source)

    async def loaded(plan: ColumnPlan, source: Source) -> Outcome:
        if not options.dry_run or added:  # rows without columns to come are not kept
            return await done(plan, source, None)
        bound = Bound(
            columns=plan.columns,
            contract=contract if made is None else None,
            new_columns=() if made is None else made.columns,
            content_sha256=outside.content_sha256,
        )
        keeper = RehearsalKeeper(outside.rehearsal, bound)
        outcome = await done(plan, source, keeper)
        await keeper.finish()
        return outcome

    async def done(plan: ColumnPlan, source: Source, keeper: RehearsalKeeper | None) -> Outcome:
        readings = Readings.of(
            source, plan, options, outside, own=own, made=made is not None, keeper=keeper
        )
        if made is not None and options.dry_run:
            return await _outcome(readings, await rehearse(readings), inferred)

        async def work(target: Target) -> Outcome:
            done = await MODES[options.mode](Load(target, readings))
            missing = unfilled(plan, contract) if options.mode is Mode.REPLACE else ()
            return await _outcome(readings, done, (*inferred, *added, *missing))

        return await Transaction(
            outside, contract, alone=options.mode is Mode.REPLACE, dry_run=options.dry_run
        ).run(work, restart=readings.restart)

    async def restart() -> None:
        await outside.rejects.restart()
        await outside.rehearsal.restart()

    return await as_it_turns_out(source, once, restart=restart)


async def _outcome(
    readings: Readings, loaded: Loaded, inferred: tuple[InferredColumn, ...]
) -> Outcome:
    refuse_nothing(readings, loaded)
    return Outcome(
        rows=RowCounts(
            read=loaded.seen.rows,
            loaded=loaded.inserted + loaded.updated,
            rejected=readings.report.rows,
            inserted=loaded.inserted,
            updated=loaded.updated,
            deleted=loaded.deleted,
        ),
        bytes_read=loaded.seen.bytes,
        format=format_by_the_end(readings.source.format, readings.rules, loaded.seen.left_out),
        inferred=(
            *inferred,
            *notes(readings.plan),
            *(readings.doubts.told if readings.watches else ()),
        ),
        reasons=readings.report.reasons,
        columns=tuple((column.source, column.target) for column in readings.plan.columns),
        reading=READING.dump_json(Reading.of(readings.plan, readings.rules))
        if readings.report.rows
        else None,
        profile=await readings.profile(),
    )
