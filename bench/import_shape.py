"""What the import benchmarks have in common: the file of facts, a server of their own, timing."""

import asyncio
import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import polars as pl

from deploy.local import postgresql
from services.ingest.domain.options import ImportOptions
from services.ingest.domain.outcome import Outcome
from services.ingest.load.load import load_file
from tests.ingest.load.loading import Column, Loader, Rejects
from tests.support.databases import Database, make_database, make_owner, migrate

ROWS = int(os.environ.get("BENCH_ROWS", "2000000"))
TYPES = {
    "name": "TEXT",
    "email": "TEXT",
    "born": "DATE",
    "seen_at": "TIMESTAMP",
    "age": "INTEGER",
    "amount": "NUMERIC(12,2)",
    "active": "BOOLEAN",
    "city": "TEXT",
    "note": "TEXT",
    "points": "BIGINT",
}


def columns(*, unique: bool = False) -> list[Column]:
    """The table's columns, with a unique e-mail address if wanted."""
    return [Column(name, kind, unique=unique and name == "email") for name, kind in TYPES.items()]


def rows(count: int, first: int = 0) -> pl.DataFrame:
    """Rows of the shape of the facts: ten columns, about 128 bytes each, all texts."""
    n = pl.int_range(first, first + count, dtype=pl.Int64)
    mixed = (n * 2_654_435_761) % 4_294_967_296
    return pl.select(
        name=pl.format("Person Number {}", mixed % 100_000),
        email=pl.format("user{}@example{}.com", n, mixed % 97),
        born=pl.date(1950, 1, 1) + pl.duration(days=mixed % 20_000),
        seen_at=pl.datetime(2020, 1, 1) + pl.duration(seconds=mixed % 100_000_000),
        age=(mixed % 90).cast(pl.Int32),
        amount=((mixed % 100_000_000).cast(pl.Decimal(14, 2)) / 100).cast(pl.Decimal(12, 2)),
        active=mixed % 2 == 0,
        city=pl.format("City {}", mixed % 5_000),
        note=pl.format('said "{}", then left', mixed % 1_000_000),
        points=mixed * 1_000,
    ).with_columns(
        pl.col("born").dt.strftime("%Y-%m-%d"),
        pl.col("seen_at").dt.strftime("%Y-%m-%d %H:%M:%S"),
        pl.col("active").cast(pl.String),
    )


def write_csv(path: Path, count: int, *, bad_every: int = 0, duplicate_every: int = 0) -> None:
    """The file, written in pieces; every n-th row bad in one cell, or with an earlier e-mail."""
    with path.open("wb") as file:
        for first in range(0, count, 100_000):
            size = min(100_000, count - first)
            piece = rows(size, first).with_columns(
                pl.col("age", "amount", "points").cast(pl.String)
            )
            number = pl.int_range(first, first + size)
            if bad_every:
                bad = number % bad_every == 1
                piece = piece.with_columns(
                    age=pl.when(bad).then(pl.lit("unknown")).otherwise("age")
                )
            if duplicate_every:
                again = (number % duplicate_every == duplicate_every - 1) & (number > 1_000)
                piece = piece.with_columns(
                    email=pl.when(again).then(pl.col("email").shift(7)).otherwise("email")
                )
            piece.write_csv(file, include_header=first == 0)


@dataclass
class OnDisk(Rejects):
    """Rejects into a file, as the service streams them to storage."""

    path: Path | None = None

    async def write(self, data: bytes) -> None:
        assert self.path is not None
        with self.path.open("ab") as file:
            file.write(data)


@dataclass(frozen=True)
class StoredFile:
    """An upload in a folder."""

    path: Path

    @property
    def size_bytes(self) -> int:
        return self.path.stat().st_size

    async def chunks(self) -> AsyncIterator[bytes]:
        with self.path.open("rb") as file:
            while chunk := await asyncio.to_thread(file.read, 1 << 20):
                yield chunk


@contextlib.contextmanager
def server() -> Iterator[tuple[Path, Database]]:
    """A folder and a migrated database on a cluster of its own, durable as in production."""
    folder = Path(tempfile.mkdtemp(prefix="tabularium-bench-"))
    folder.chmod(0o755)
    cluster = postgresql.prepare(folder, durable=True)
    cluster.initialise()
    cluster.start()
    try:
        asyncio.run(make_owner(cluster))
        database = asyncio.run(make_database(cluster, "bench"))
        migrate(database, "auth", "records")
        yield folder, database
    finally:
        cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)


def psql(database: Database, *commands: str) -> None:
    """Run commands as the tables' owner."""
    arguments = [part for command in commands for part in ("-c", command)]
    subprocess.run(
        ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", database.url("records"), *arguments],
        check=True,
    )


def copied_s(database: Database, table: str, path: Path) -> float:
    """Seconds of `psql \\copy` of a CSV into a fresh table."""
    names = ", ".join(TYPES)
    began = time.perf_counter()
    psql(database, f"\\copy data.{table} ({names}) from '{path}' csv header")
    return time.perf_counter() - began


async def fresh(database: Database, table: str, *, unique: bool = False) -> None:
    """The table, empty, and a checkpoint, so that no run pays for the one before."""
    superuser = await asyncpg.connect(database.superuser_url)
    await superuser.execute(f"DROP TABLE IF EXISTS data.{table}")
    owner = await asyncpg.connect(database.url("records"))
    ddl = ", ".join(column.ddl for column in columns(unique=unique))
    await owner.execute(
        f"CREATE TABLE data.{table} (id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,"
        f" _import bigint, _version integer NOT NULL DEFAULT 1, {ddl})"
    )
    await superuser.execute("CHECKPOINT")
    await owner.close()
    await superuser.close()


async def imported(
    database: Database, table: str, path: Path, *, options: ImportOptions | None = None
) -> tuple[float, Outcome]:
    """Seconds from the job's start to its commit, and what it did."""
    report = path.with_suffix(".rejects")
    report.unlink(missing_ok=True)
    owner = await asyncpg.create_pool(database.url("records"), min_size=1, max_size=2)
    pool = await asyncpg.create_pool(database.url("ingest"), min_size=2, max_size=4)
    loader = Loader(pool=pool, owner=owner, rejects=OnDisk(path=report))
    began = time.perf_counter()
    options = options or ImportOptions()
    stored, outside = StoredFile(path), loader.outside(table)
    outcome = await load_file(stored, outside, options, file_name=path.name)
    took = time.perf_counter() - began
    await pool.close()
    await owner.close()
    report.unlink(missing_ok=True)
    return took, outcome
