"""Upsert: rows are staged, those that others rule out are refused, the rest merged by the key."""

import json
from collections.abc import Sequence
from contextlib import closing
from urllib.parse import quote

from services.ingest.domain.options import ImportOptions, OnDuplicate
from services.ingest.errors import OptionError
from services.ingest.load.append import DUPLICATE_TRIES
from services.ingest.load.copying import staged_rows
from services.ingest.load.duplicates import FileKey, HeldRule
from services.ingest.load.ids import IdBlocks
from services.ingest.load.modes import VIOLATIONS, Load, Loaded, unexplained
from services.ingest.load.readings import Seen
from services.ingest.load.references import is_still_referenced
from services.ingest.load.staging import Staging, key_of, rules_of
from shared.contracts.records import ID_COLUMN, TableContract
from shared.store.copying import ahead


def refuse_key(options: ImportOptions, contract: TableContract) -> None:
    """Raise OptionError unless the key is unique in the table."""
    unique = [set(key.columns) for key in contract.unique_keys]
    if set(options.key) not in (*unique, {ID_COLUMN}):
        raise OptionError.of(
            "key",
            "invalid_option",
            "an upsert needs a key that is unique in the table: a unique column, a unique key of"
            f" several, or `id`; {making(options.key, contract)} makes this one",
        )


def making(key: Sequence[str], contract: TableContract) -> str:
    """The call that makes a key unique."""
    change: dict[str, object] = {"unique": {"add": [list(key)]}}
    if len(key) == 1:
        change = {"alter": [{"name": key[0], "unique": True}]}
    path = f"/api/tables/{quote(contract.table, safe='')}"
    return f"`PATCH {path}` with `{json.dumps(change, ensure_ascii=False)}`"


async def upsert(load: Load) -> Loaded:
    """Insert every row, and update the record that has its key instead where there is one."""
    names = [column.target for column in load.plan.columns]
    staging = Staging(load.connection, load.contract, names)
    for tries_left in reversed(range(DUPLICATE_TRIES)):
        if not tries_left:
            await load.target.shut_out_writers()
        seen = await _stage(load, staging)
        await _supersede(load, staging)
        # A rule that frames are judged by is looked at again only after PostgreSQL refused a row.
        first = tries_left == DUPLICATE_TRIES - 1
        await _refuse_forbidden(load, staging, rules_of(load.plan, left_alone=first))
        if await staging.has_absent():
            # A record that others change now must not get back what it had a moment ago.
            await load.target.shut_out_writers()
            await staging.fill_absent(_key(load))
        try:
            async with load.connection.transaction():
                inserted, updated = await load.target.merge(
                    names, load.options.key, load.outside.rows_of, former=load.former
                )
        except VIOLATIONS as error:
            if not tries_left or is_still_referenced(error, load.contract):
                raise unexplained(error, load.contract) from error
            await load.readings.restart()
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


async def _refuse_forbidden(load: Load, staging: Staging, rules: Sequence[HeldRule]) -> None:
    """Take rows that others or rules rule out from the stage; where there are any, report anew."""
    key = _key(load)
    others = [
        other
        for unique in load.contract.unique_keys
        if set(unique.columns) != set(load.options.key)
        and (other := key_of(unique.columns, load.plan)) is not None
    ]
    with closing(await staging.duplicates([key, *others], rules, updating=key)) as forbidden:
        if not forbidden.any:
            return
        await load.readings.restart()
        async with ahead(load.readings.judged(Seen(), forbidden)) as judged:
            async for _ in judged:
                pass
