"""Append and replace: rows go straight into the table.

After a violation the source is read again: its keys and rules are looked at by PostgreSQL, and the
next try leaves out the rows that it forbids.
"""

import dataclasses
from collections.abc import Sequence

from services.ingest.domain.options import Mode
from services.ingest.load.copying import Copies, TableRows, staged_rows
from services.ingest.load.direct import copy_directly
from services.ingest.load.duplicates import DuplicateLines, FileKey, HeldRule
from services.ingest.load.former import beside, reading_beside
from services.ingest.load.ids import IdBlocks
from services.ingest.load.modes import VIOLATIONS, Load, Loaded, unexplained
from services.ingest.load.readings import Seen
from services.ingest.load.references import require_unreferenced
from services.ingest.load.staging import Staging, key_of, rules_of
from services.ingest.read.source import Source
from shared.store.copying import ahead

DUPLICATE_TRIES = 3
SMALL_FILE_BYTES = 64 * 1024


async def replace(load: Load) -> Loaded:
    """Delete the table's rows, then append; raises StillReferencedError."""
    await require_unreferenced(load.connection, load.contract)
    if (former := load.former) is None:
        return await _replaced(load)
    async with reading_beside(load.outside.connections, load.contract) as reader:
        if reader is not None:
            kept, loaded = await beside(
                load.target.keep_all(reader, former), lambda: _replaced(load)
            )
            assert kept == loaded.deleted, "no writer was let in"
            return loaded
    deleted = await load.target.empty_into(former)
    return dataclasses.replace(await append(load), deleted=deleted)


async def _replaced(load: Load) -> Loaded:
    deleted = await load.target.empty()
    return dataclasses.replace(await append(load), deleted=deleted)


async def append(load: Load) -> Loaded:
    """Insert every row; raises as `unexplained` for a violation that no row explains."""
    return await copy_directly(load) or await _insert(load)


async def _insert(load: Load) -> Loaded:
    keys = [
        key
        for unique in load.contract.unique_keys
        if (key := key_of(unique.columns, load.plan)) is not None
    ]
    rules = rules_of(load.plan)
    duplicates: DuplicateLines | None = None
    for tries_left in reversed(range(DUPLICATE_TRIES + 1)):
        try:
            async with load.connection.transaction():
                return await _straight(load, duplicates)
        except VIOLATIONS as error:
            if not tries_left or not (keys or rules):
                raise unexplained(error, load.contract) from error
        finally:
            if duplicates is not None:
                duplicates.close()
        await load.readings.restart()
        if tries_left == 1:  # others insert the same keys as fast as we look for them
            await load.target.shut_out_writers()
        duplicates = await _find_duplicates(load, keys, rules)
    raise AssertionError("unreachable")


async def _straight(load: Load, duplicates: DuplicateLines | None) -> Loaded:
    """COPY into the table itself, with ids from blocks while they can be had."""
    ids = IdBlocks(
        load.outside.connections, load.contract.oid, exhausted=_is_small(load.readings.source)
    )
    seen, inserted = Seen(), 0
    rows = TableRows(ids, load.plan, load.outside.rows_of)
    async with (
        ahead(load.readings.judged(seen, duplicates)) as judged,
        ahead(rows.encoded(judged)) as pieces,
    ):
        copies = Copies(pieces)
        deferred = _is_worth_a_set(load, ids) and await load.target.defer_references()
        while await copies.begin():
            inserted += await load.target.copy(copies.columns, copies.data())
    if deferred:
        await load.target.check_references(load.outside.rows_of, ids.lowest)
    if rows.highest_id:
        await ids.advance_past(rows.highest_id)
    return Loaded(seen, inserted)


def _is_worth_a_set(load: Load, ids: IdBlocks) -> bool:
    """Whether references are better looked at together, by a scan of the ids from the first on."""
    references = any(column.rules.references is not None for column in load.contract.columns)
    return references and not ids.exhausted and not load.plan.brings_ids


def _is_small(source: Source) -> bool:
    """Whether the rows are so few that a block of ids costs more than it saves."""
    size_bytes, format_ = source.size_bytes, source.format
    packed = format_ is None or format_.compression is not None
    return size_bytes is not None and not packed and size_bytes <= SMALL_FILE_BYTES


async def _find_duplicates(
    load: Load, keys: Sequence[FileKey], rules: Sequence[HeldRule]
) -> DuplicateLines:
    """Read the source for its keys and columns with rules, and let PostgreSQL look at them."""
    judged: list[FileKey | HeldRule] = [*keys, *rules]
    columns = {column.target: column.type for each in judged for column in each.columns}
    # Rows may reference others of the file.
    own = {rule.reference.column for rule in rules if rule.reference and rule.is_to(load.contract)}
    columns |= {each.target: each.type for each in load.plan.columns if each.target in own}
    staging = Staging(load.connection, load.contract, list(columns))
    await staging.make()
    async with (
        ahead(load.readings.unreported()) as good,
        ahead(staged_rows(good, list(columns.items()))) as data,
    ):
        await staging.copy(data)
    # A replace has emptied the table: only the source's own rows can be rivals.
    return await staging.duplicates(
        keys, rules, against_table=load.options.mode is not Mode.REPLACE
    )
