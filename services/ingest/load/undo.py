"""Taking an import back: what it inserted goes, what it overwrote or removed comes back.

Beside `target`, this is the only file outside the service `records` that writes into the schema
`data`. It works under a lock that shuts out other writers, on what `standing` found under it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg

from services.ingest.domain.former import FormerRows
from services.ingest.domain.options import Edited
from services.ingest.domain.outcome import Outcome, RowCounts
from services.ingest.domain.undo import Family
from services.ingest.errors import (
    ConstraintBrokenError,
    EditedSinceError,
    KeyTakenError,
    NotUndoableError,
    StillReferencedError,
)
from services.ingest.load.former import keep_versions
from services.ingest.load.outside import FormerStore
from services.ingest.load.references import is_still_referenced, require_rows_unreferenced
from services.ingest.load.standing import BACK, EDITED, TAKEN, Look, Standing, file
from shared.contracts.records import TableContract
from shared.store.identifiers import quoted
from shared.values.names import formatted

PUT_BACK = "pg_temp.undo_put_back"


def refuse_changed_columns(family: Family, contract: TableContract) -> None:
    """Raise NotUndoableError where former rows do not fit the table any more."""
    for member in family.done:
        if member.table_oid not in (None, contract.oid):
            raise NotUndoableError("the table was dropped and made again since")
        if member.former is not None:
            current_names(member.former, contract)


def current_names(former: FormerRows, contract: TableContract) -> list[str]:
    """What the columns of former rows are called now; raises NotUndoableError where one is gone."""
    now = {column.attnum: column for column in contract.columns}
    names = []
    for column in former.columns:
        current = now.get(column.attnum)
        if current is None:
            raise NotUndoableError(f"the column {column.name} is gone from the table")
        if formatted(current.type) != column.type:
            raise NotUndoableError(
                f"the column {current.name} was {column.type} then, and is"
                f" {formatted(current.type)} now"
            )
        names.append(str(current.name))
    return names


def refuse_edited(standing: Standing, family: Family, edited: Edited) -> None:
    """Raise EditedSinceError, unless the caller has said what is to become of such records."""
    if edited is not Edited.REFUSE or standing.is_untouched:
        return
    parts = []
    if standing.edited:
        parts.append(f"{standing.edited:,} edited")
    if standing.deleted:
        parts.append(f"{standing.deleted:,} deleted")
    for later, rows in standing.rewritten.items():
        parts.append(f"{rows:,} overwritten or removed by import {later}")
    raise EditedSinceError(
        f"of the records of import {family.id}, these were changed since: {'; '.join(parts)}."
        " Undo later imports first, or send `edited=keep` to leave such records as they are, or"
        " `edited=overwrite` to take them back, too",
        errors=standing.examples,
    )


@dataclass(frozen=True, slots=True)
class Undoing:
    """One undo inside its transaction."""

    look: Look
    edited: Edited

    async def run(self, former: FormerStore | None) -> Outcome:
        """Take the import back, after refusing what the caller does not want.

        `former` gets the versions of records that are put back. Raises EditedSinceError,
        KeyTakenError, StillReferencedError, ConstraintBrokenError, ObjectMissingError.
        """
        try:
            if (deleted := await self._delete_untouched()) is not None:
                return Outcome(RowCounts(deleted=deleted), bytes_read=0, format=None)
            standing = await self.look.standing()
            refuse_edited(standing, self.look.family, self.edited)
            counts = await self._take_back(standing)
        except asyncpg.UniqueViolationError as error:
            raise KeyTakenError(
                "a record that would come back has a key that another has by now:"
                f" {error.detail or error}"
            ) from error
        except asyncpg.IntegrityConstraintViolationError as error:
            if not is_still_referenced(error, self.look.contract):
                raise ConstraintBrokenError(
                    f"a record that would come back breaks a rule: {error.detail or error}"
                ) from error
            raise StillReferencedError(
                f"other records reference what would change: {error.detail or error}"
            ) from error
        if former is not None and counts.updated:
            await keep_versions(self.look.connection, PUT_BACK, former)
        return Outcome(rows=counts, bytes_read=0, format=None)

    async def _delete_untouched(self) -> int | None:
        """Delete the rows of an append in one scan, if all of them are as they were.

        None where they are not, or where there is more to do; nothing was done then.
        """
        loaded = self.look.only_inserted
        if loaded is None:
            return None
        savepoint = self.look.connection.transaction()
        await savepoint.start()
        deleted = await self._delete_rows(f"t._import = {self.look.family.id} AND t._version = 1")
        if deleted == loaded:
            await savepoint.commit()
            return deleted
        await savepoint.rollback()
        return None

    async def _take_back(self, standing: Standing) -> RowCounts:
        connection = self.look.connection
        await connection.execute(
            "CREATE TEMPORARY TABLE undo_put_back (id bigint, _import bigint, _version integer)"
            " ON COMMIT DROP"
        )
        deleted = await self._delete(standing)
        updated = inserted = 0
        # The last correction first: it may have given a record a key that another had before.
        for number, former in reversed([*enumerate(self.look.files)]):
            names = current_names(former, self.look.contract)
            updated += await self._put_back(number, former, names)
            inserted += await self._insert(number, former, names)
        kept = 0 if self.edited is Edited.OVERWRITE else standing.edited
        return RowCounts(
            read=inserted + updated + kept,
            loaded=inserted + updated,
            rejected=kept,
            inserted=inserted,
            updated=updated,
            deleted=deleted,
        )

    async def _delete(self, standing: Standing) -> int:
        """Delete what the import inserted, but for what is to stay."""
        stays = " AND NOT EXISTS (SELECT 1 FROM {} b WHERE b.id = t.id)"
        conditions = f"t._import = {self.look.family.id}"
        if standing.edited and self.edited is Edited.KEEP:
            conditions += stays.format(EDITED)
        elif standing.rewritten and self.edited is Edited.OVERWRITE:
            conditions = f"({conditions} OR t.id IN (SELECT id FROM {TAKEN}))"  # noqa: S608
        if self.look.files:
            conditions += stays.format(BACK)
        return await self._delete_rows(conditions)

    async def _delete_rows(self, doomed: str) -> int:
        look = self.look
        await require_rows_unreferenced(
            look.connection, look.contract, look.family.id, doomed=doomed
        )
        return await self._changed(f"DELETE FROM ONLY {look.table} t WHERE {doomed}")  # noqa: S608

    async def _put_back(self, number: int, former: FormerRows, names: Sequence[str]) -> int:
        """Give records that are there the values that they had; their `_version` goes on."""
        sets = "".join(
            f", {quoted(name)} = f.c{column.attnum}"
            for name, column in zip(names, former.columns, strict=True)
        )
        which = "true"
        if self.edited is not Edited.OVERWRITE:
            which = (
                f"t._import = {self.look.family.id}"  # noqa: S608 - an id of ours
                f" AND NOT EXISTS (SELECT 1 FROM {EDITED} e WHERE e.id = t.id)"
            )
        return await self._changed(
            f"WITH put AS (UPDATE ONLY {self.look.table} t"  # noqa: S608 - quoted
            f" SET _import = f._import, _version = t._version + 1{sets}"
            f" FROM {self._coming_back(number)} WHERE t.id = f.id AND {which}"
            " RETURNING t.id, t._import, t._version)"
            f" INSERT INTO {PUT_BACK} SELECT * FROM put"
        )

    async def _insert(self, number: int, former: FormerRows, names: Sequence[str]) -> int:
        """Insert records that are gone: those that a replace removed, or all."""
        into = "".join(f", {quoted(name)}" for name in names)
        cells = "".join(f", f.c{column.attnum}" for column in former.columns)
        # What bears the same id and is another's is a key that was taken, and named as such.
        there = "" if self.edited is Edited.OVERWRITE else f" AND t._import = {self.look.family.id}"
        which = "true" if self.edited is Edited.OVERWRITE else "f.removed"
        return await self._changed(
            f"INSERT INTO {self.look.table} (id, _import, _version{into})"  # noqa: S608 - quoted
            f" SELECT f.id, f._import, f._version{cells} FROM {self._coming_back(number)}"
            f" WHERE {which} AND NOT EXISTS (SELECT 1 FROM {PUT_BACK} p WHERE p.id = f.id)"
            f" AND NOT EXISTS (SELECT 1 FROM ONLY {self.look.table} t WHERE t.id = f.id{there})"
            " ORDER BY f.id"
        )

    def _coming_back(self, number: int) -> str:
        return (
            f"(SELECT f.*, b.removed FROM {file(number)} f"  # noqa: S608
            f" JOIN {BACK} b ON b.id = f.id AND b.file = {number}) f"
        )

    async def _changed(self, statement: str) -> int:
        status: str = await self.look.connection.execute(statement)
        return int(status.rsplit(maxsplit=1)[-1])
