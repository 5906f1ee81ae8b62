"""Upsert: rows are staged, those that others rule out are refused, the rest merged by the key."""

from contextlib import closing

import asyncpg

from services.ingest.domain.options import ImportOptions, OnDuplicate
from services.ingest.errors import OptionError
from services.ingest.load.append import DUPLICATE_TRIES
from services.ingest.load.copying import staged_rows
from services.ingest.load.duplicates import FileKey
from services.ingest.load.ids import IdBlocks
from services.ingest.load.modes import Load, Loaded, unexplained
from services.ingest.load.readings import Seen
from services.ingest.load.staging import Staging, key_of
from shared.contracts.records import ID_COLUMN, TableContract
from shared.store.copying import ahead


def refuse_key(options: ImportOptions, contract: TableContract) -> None:
    """Raise OptionError unless the key is unique in the table."""
    unique = [set(key.columns) for key in contract.unique_keys]
    if set(options.key) not in (*unique, {ID_COLUMN}):
        raise OptionError.of(
            "key",
            "invalid_option",
            "an upsert needs a key that is unique in the table: a unique column or `id`",
        )


async def upsert(load: Load) -> Loaded:
    """Insert every row, and update the record that has its key instead where there is one."""
    names = [column.target for column in load.plan.columns]
    staging = Staging(load.connection, load.contract, names)
    for tries_left in reversed(range(DUPLICATE_TRIES)):
        if not tries_left:
            await load.target.shut_out_writers()
        seen = await _stage(load, staging)
        await _supersede(load, staging)
        await _refuse_rivals(load, staging)
        if await staging.has_absent():
            # A record that others change now must not get back what it had a moment ago.
            await load.target.shut_out_writers()
            await staging.fill_absent(_key(load))
        try:
            async with load.connection.transaction():
                inserted, updated = await load.target.merge(
                    names, load.options.key, load.outside.import_id
                )
        except asyncpg.UniqueViolationError as error:
            if not tries_left:
                raise unexplained(error) from error
            await load.readings.report.restart()
        else:
            if load.plan.brings_ids:
                ids = IdBlocks(load.outside.connections, load.contract.oid)
                await ids.advance_past(await staging.highest_id())
            return Loaded(seen, inserted, updated)
    raise AssertionError("unreachable")


async def _stage(load: Load, staging: Staging) -> Seen:
    columns = [(column.target, column.type) for column in load.plan.columns]
    await staging.make()
    seen = Seen()
    async with (
        ahead(load.readings.judged(seen)) as judged,
        ahead(staged_rows(judged, columns)) as data,
    ):
        await staging.copy(data)
    return seen


async def _supersede(load: Load, staging: Staging) -> None:
    """Of several rows with one key keep the first or last, where the caller says so."""
    which = load.options.on_duplicate
    if which is not OnDuplicate.REFUSE:
        await staging.keep_one(_key(load), last=which is OnDuplicate.LAST)


def _key(load: Load) -> FileKey:
    key = key_of(load.options.key, load.plan)
    assert key is not None
    return key


async def _refuse_rivals(load: Load, staging: Staging) -> None:
    """Take rows that others rule out from the stage; where there are any, report anew."""
    key = _key(load)
    others = [
        other
        for unique in load.contract.unique_keys
        if set(unique.columns) != set(load.options.key)
        and (other := key_of(unique.columns, load.plan)) is not None
    ]
    with closing(await staging.duplicates([key, *others], updating=key)) as rivals:
        if not rivals.any:
            return
        await load.readings.report.restart()
        async with ahead(load.readings.judged(Seen(), rivals)) as judged:
            async for _ in judged:
                pass
