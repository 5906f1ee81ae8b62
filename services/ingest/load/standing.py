"""How the rows of an import stand now: as it left them, edited, deleted, or a later import's.

A record is as the import left it while it bears the import's id and the `_version` that the import
gave it: 1 where it was inserted, else what came after the version that is kept of it. What an undo
has put back bears a newer version, which that undo kept.

Nothing here writes to the users' tables. What is read out of storage goes into temporary tables,
which end with the transaction.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

import zstandard

from services.ingest.domain.former import FormerRows
from services.ingest.domain.options import ImportKind
from services.ingest.domain.run import ImportId
from services.ingest.domain.undo import Family, Later, Member
from services.ingest.load.former import IS_FORMER
from services.ingest.storage import Storage
from shared.contracts.problem import FieldError
from shared.contracts.records import DATA_SCHEMA, TableContract
from shared.store.copying import while_connected
from shared.store.engine import RawConnection
from shared.store.identifiers import quoted

EXAMPLES = 10
KNOWN = "pg_temp.undo_known"
"""`id`, and the `_version` that it has while nobody has changed it; where that is not 1."""
EDITED = "pg_temp.undo_edited"
TAKEN = "pg_temp.undo_taken"
"""Records of the import that a later one overwrote or removed: `id`, `by`."""
BACK = "pg_temp.undo_back"
"""What is to come back: `id`, and in which of the family's files it is."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How many of an import's records stand how."""

    present: int
    """Records that bear the import's id, edited ones among them."""
    edited: int
    deleted: int
    rewritten: dict[ImportId, int]
    """Records that later imports overwrote or removed, by those imports."""
    examples: tuple[FieldError, ...]
    """The first of those that are not as the import left them."""

    @property
    def is_untouched(self) -> bool:
        """Whether every record is as the import left it."""
        return not (self.edited or self.deleted or self.rewritten)


@dataclass
class Look:
    """A look at an import's records, inside one transaction."""

    connection: RawConnection
    storage: Storage
    contract: TableContract
    family: Family
    later: Sequence[Later]
    files: list[FormerRows] = field(default_factory=list)
    """The family's former rows; the first is in the temporary table `file(0)`."""

    @property
    def table(self) -> str:
        """The users' table, as SQL."""
        return f"{quoted(DATA_SCHEMA)}.{quoted(self.contract.table)}"

    @property
    def only_inserted(self) -> int | None:
        """How many rows were inserted, where nothing else was ever done; else None."""
        if any(member.former is not None for member in self.family.done):
            return None
        if any(later.kind is ImportKind.UNDO for later in self.later):
            return None
        return sum(member.inserted for member in self.family.done)

    async def standing(self) -> Standing:
        """Stage what is kept, and count; raises ObjectMissingError where it is gone."""
        await self._stage_family()
        await self._note_versions()
        changed = "t._version <> coalesce(k.version, 1)"
        await self._run(
            f"CREATE TEMPORARY TABLE undo_edited ON COMMIT DROP AS SELECT t.id, t._version"  # noqa: S608
            f" FROM ONLY {self.table} t LEFT JOIN {KNOWN} k USING (id)"
            f" WHERE t._import = {self.family.id} AND {changed}"
        )
        present = await self._count(f"ONLY {self.table} t WHERE t._import = {self.family.id}")
        edited = await self._count(EDITED)
        missing = max(0, await self._loaded() - present)
        rewritten = await self._rewritten(missing)
        return Standing(
            present=present,
            edited=edited,
            deleted=max(0, missing - sum(rewritten.values())),
            rewritten=rewritten,
            examples=await self._examples(),
        )

    async def _stage_family(self) -> None:
        """Stage the family's former rows; each record comes back out of the first that has it."""
        await self._run(
            "CREATE TEMPORARY TABLE undo_back (id bigint, file integer, removed boolean)"
            " ON COMMIT DROP"
        )
        for member in self.family.done:
            if member.former is None:
                continue
            name = file(len(self.files))
            await self._stage(name, member.former)
            # A correction may overwrite what the import itself has put in.
            await self._run(
                f"INSERT INTO {BACK} SELECT f.id, {len(self.files)}, {member.removed}"  # noqa: S608
                f" FROM {name} f WHERE f._import IS DISTINCT FROM {self.family.id}"
                f" AND NOT EXISTS (SELECT 1 FROM {BACK} b WHERE b.id = f.id)"
            )
            self.files.append(member.former)
        await self._run(f"ANALYZE {BACK}")

    async def _note_versions(self) -> None:
        versions = [
            f"SELECT id, _version + 1 AS version FROM {file(number)}"  # noqa: S608
            for number, member in enumerate(self._with_files())
            if not member.removed
        ]
        for number, undo in enumerate(self.later):
            if undo.kind is ImportKind.UNDO:
                name = f"pg_temp.undo_put_back_{number}"
                await self._stage(name, undo.former)
                versions.append(
                    f"SELECT id, _version AS version FROM {name} WHERE _import = {self.family.id}"  # noqa: S608
                )
        every = " UNION ALL ".join(versions) or "SELECT 0::bigint AS id, 1 AS version LIMIT 0"
        await self._run(
            "CREATE TEMPORARY TABLE undo_known ON COMMIT DROP AS"  # noqa: S608
            f" SELECT id, max(version) AS version FROM ({every}) v GROUP BY id"
        )
        await self._run(f"ANALYZE {KNOWN}")

    def _with_files(self) -> list[Member]:
        return [member for member in self.family.done if member.former is not None]

    async def _loaded(self) -> int:
        """How many records bore the import's id when it and its corrections had ended."""
        overwritten = await self._count(f"{BACK} WHERE NOT removed")
        return sum(member.inserted for member in self.family.done) + overwritten

    async def _rewritten(self, missing: int) -> dict[ImportId, int]:
        """Which later imports have the missing records; those are read while any is missing."""
        await self._run("CREATE TEMPORARY TABLE undo_taken (id bigint, by bigint) ON COMMIT DROP")
        by: dict[ImportId, int] = {}
        for number, later in enumerate(self.later):
            if sum(by.values()) >= missing:
                break
            if later.kind is ImportKind.UNDO:
                continue
            name = f"pg_temp.undo_later_{number}"
            await self._stage(name, later.former)
            found = await self._changed(
                f"INSERT INTO {TAKEN} SELECT l.id, {later.id} FROM {name} l"  # noqa: S608
                f" WHERE l._import = {self.family.id}"
                f" AND NOT EXISTS (SELECT 1 FROM {TAKEN} n WHERE n.id = l.id)"
                f" AND NOT EXISTS (SELECT 1 FROM ONLY {self.table} t"
                f" WHERE t.id = l.id AND t._import = {self.family.id})"
            )
            await self._run(f"DROP TABLE {name}")
            if found:
                by[later.id] = found
        return by

    async def _examples(self) -> tuple[FieldError, ...]:
        rows = await self.connection.fetch(
            "SELECT * FROM ("  # noqa: S608
            f" (SELECT id, 'edited' AS code, _version::bigint AS what FROM {EDITED}"
            f" ORDER BY id LIMIT {EXAMPLES})"
            f" UNION ALL (SELECT id, 'rewritten', by FROM {TAKEN} ORDER BY id LIMIT {EXAMPLES})"
            f" UNION ALL (SELECT b.id, 'deleted', NULL FROM {BACK} b WHERE NOT b.removed"
            f" AND NOT EXISTS (SELECT 1 FROM ONLY {self.table} t WHERE t.id = b.id)"
            f" AND NOT EXISTS (SELECT 1 FROM {TAKEN} n WHERE n.id = b.id)"
            f" ORDER BY b.id LIMIT {EXAMPLES})) e LIMIT {EXAMPLES}"
        )
        words = {
            "edited": "edited since, now in version {what}",
            "rewritten": "overwritten or removed by import {what}",
            "deleted": "deleted since",
        }
        return tuple(
            FieldError(
                field=f"record {row['id']}",
                code=row["code"],
                message=words[row["code"]].format(what=row["what"]),
            )
            for row in rows
        )

    async def _stage(self, name: str, former: FormerRows) -> None:
        """Former rows in a temporary table: `id`, `_import`, `_version`, `c<attnum>`."""
        columns = [(f"c{column.attnum}", column.type) for column in former.columns]
        words = "".join(f", {column} {kind}" for column, kind in columns)
        await self._run(
            f"CREATE TEMPORARY TABLE {name.removeprefix('pg_temp.')}"
            f" (id bigint, _import bigint, _version integer{words}) ON COMMIT DROP"
        )
        async with while_connected(self.connection):
            await self.connection.copy_to_table(
                name.removeprefix("pg_temp."),
                source=self._unpacked(former.stored.path),
                columns=["id", "_import", "_version", *(column for column, _ in columns)],
                format="binary",
                where=IS_FORMER,
            )
        await self._run(f"ANALYZE {name}")

    async def _unpacked(self, path: str) -> AsyncIterator[bytes]:
        stream = zstandard.ZstdDecompressor().decompressobj()
        async for chunk in self.storage.chunks(path):
            yield await asyncio.to_thread(stream.decompress, chunk)

    async def _count(self, source: str) -> int:
        return int(await self.connection.fetchval(f"SELECT count(*) FROM {source}"))  # noqa: S608

    async def _run(self, statement: str) -> None:
        await self.connection.execute(statement)

    async def _changed(self, statement: str) -> int:
        status: str = await self.connection.execute(statement)
        return int(status.rsplit(maxsplit=1)[-1])


def file(number: int) -> str:
    """The temporary table that holds the family's `number`th former rows."""
    return f"pg_temp.undo_former_{number}"
