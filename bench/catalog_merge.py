"""A bulk merge of 1,000,000 triples against `psql \\copy` of the same triples into a bare table.

One durable cluster of its own, the catalog in a process of its own, the lines streamed to it over
HTTP as ingest does. The bare table has no index and keeps duplicates: it is the floor of what it
costs to move these bytes into PostgreSQL. The one with a unique key refuses a second load.
"""

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import asyncpg
import httpx2

from bench.memory import peak_mib
from bench.results import Section, machine
from deploy.local.postgresql import Cluster, find_binaries, prepare
from deploy.local.processes import free_port
from tests.support.databases import Database, make_database, make_owner, migrate
from tests.support.issuer import Issuer, peer, running_issuer

LINES = 1_000_000
ETLS, SCHEMAS = 1000, 50
ROUNDS = 3
UNIQUE = ", UNIQUE (schema_name, name, etl)"
BESIDE = [
    part
    for statement in (
        "DROP SCHEMA IF EXISTS beside CASCADE",
        "CREATE SCHEMA beside",
        "CREATE TABLE beside.tables (LIKE catalog.tables INCLUDING ALL)",
        "CREATE TABLE beside.edges (LIKE catalog.edges INCLUDING ALL)",
    )
    for part in ("-c", statement)
]
"""Empty tables with the same columns, keys and indexes as the catalog's own."""


def triples() -> Iterator[tuple[str, str, str]]:
    """Every table new, every edge new: the hardest load of this size that there is."""
    for number in range(LINES):
        yield f"etl {number % ETLS}", f"schema {number % SCHEMAS}", f"table {number}"


def write_files(folder: Path) -> tuple[Path, Path]:
    lines, csv = folder / "triples.ndjson", folder / "triples.csv"
    with lines.open("w") as as_lines, csv.open("w") as as_csv:
        for etl, schema, table in triples():
            names = {"etl_name": etl, "schema_name": schema, "table_name": table}
            as_lines.write(json.dumps(names, separators=(",", ":")) + "\n")
            as_csv.write(f"{etl},{schema},{table}\n")
    return lines, csv


@contextmanager
def cluster_of_its_own(folder: Path) -> Iterator[Cluster]:
    cluster = prepare(folder)
    cluster.initialise()
    cluster.start()
    try:
        yield cluster
    finally:
        cluster.stop()


@asynccontextmanager
async def catalog(database: Database, issuer: Issuer) -> AsyncIterator[tuple[str, int]]:
    """The catalog in its own process: its URL and process id."""
    port = free_port()
    nowhere = "http://127.0.0.1:1"
    environment = os.environ | {
        "DATABASE_URL": database.url("catalog"),
        "REDIS_URL": "redis://127.0.0.1:1/0",
        "AUTH_URL": issuer.url,
        "CATALOG_URL": nowhere,
        "RECORDS_URL": nowhere,
        "INGEST_URL": nowhere,
        "SERVICE_CLIENT_ID": "catalog",
        "SERVICE_CLIENT_SECRET": "only-for-benchmarks",
        "LOG_LEVEL": "WARNING",
    }
    command = [sys.executable, "-m", "uvicorn", "services.catalog.main:create_app", "--factory"]
    process = await asyncio.create_subprocess_exec(
        *command, "--port", str(port), "--log-level", "warning", env=environment
    )
    url = f"http://127.0.0.1:{port}"
    try:
        async with httpx2.AsyncClient(trust_env=False) as http:
            while not await answers(http, url):
                if process.returncode is not None:
                    sys.exit("the catalog did not start")
                await asyncio.sleep(0.05)
        yield url, process.pid
    finally:
        process.terminate()
        await process.wait()


async def answers(http: httpx2.AsyncClient, url: str) -> bool:
    try:
        return (await http.get(f"{url}/healthz")).is_success
    except httpx2.TransportError:
        return False


async def pieces_of(file: Path) -> AsyncIterator[bytes]:
    with file.open("rb") as source:
        while piece := source.read(1 << 18):
            yield piece


async def merged_s(url: str, issuer: Issuer, file: Path, *, import_id: int, inserted: int) -> float:
    async with httpx2.AsyncClient(base_url=url, trust_env=False, timeout=600) as http:
        began = time.monotonic()
        answer = await http.post(
            "/internal/catalog/merge",
            params={"import_id": import_id},
            content=pieces_of(file),
            headers=issuer.bearer(peer("ingest")) | {"Content-Type": "application/x-ndjson"},
        )
        took_s = time.monotonic() - began
    answer.raise_for_status()
    body = answer.json()
    assert (body["received"], body["inserted"]) == (LINES, inserted), body
    return took_s


def finished_rows_copied_s(database: Database, folder: Path) -> float:
    """`psql \\copy` of a merge's finished rows, sorted and with their ids, into its two tables."""
    psql = [str(find_binaries() / "psql"), "-q", "-X", database.url()]
    subprocess.run([*psql, "-c", "SET client_min_messages = warning", *BESIDE], check=True)
    files = {}
    for table, order in (("tables", "id"), ("edges", "table_id, etl_id")):
        file = files[table] = folder / f"{table}.bin"
        rows = f"(SELECT * FROM catalog.{table} ORDER BY {order})"
        command = f"\\copy {rows} TO '{file}' (FORMAT binary)"
        subprocess.run([*psql, "-c", command], check=True)
    began = time.monotonic()
    copies = (
        f"\\copy beside.{table} FROM '{file}' (FORMAT binary)" for table, file in files.items()
    )
    commands = [part for copy in copies for part in ("-c", copy)]
    subprocess.run([*psql, "--single-transaction", *commands], check=True)
    return time.monotonic() - began


def copied_s(database: Database, file: Path, *, key: str = "") -> float:
    """`psql \\copy` with its start, as a user runs it; the table is made before."""
    psql = [str(find_binaries() / "psql"), "-q", "-X", database.url()]
    for statement in (
        "SET client_min_messages = warning; DROP TABLE IF EXISTS bare",
        f"CREATE TABLE bare (etl text, schema_name text, name text {key})",
    ):
        subprocess.run([*psql, "-c", statement], check=True)
    began = time.monotonic()
    subprocess.run([*psql, "-c", f"\\copy bare FROM '{file}' (FORMAT csv)"], check=True)
    return time.monotonic() - began


async def empty(database: Database) -> None:
    connection = await asyncpg.connect(database.url())
    await connection.execute(
        "TRUNCATE catalog.edges, catalog.former_names, catalog.tables, catalog.schemas,"
        " catalog.etls"
    )
    await connection.close()


async def measure(
    database: Database, lines: Path, csv: Path
) -> tuple[dict[str, list[float]], float]:
    seconds: dict[str, list[float]] = {
        way: [] for way in ("psql", "keyed", "finished", "new", "known")
    }
    async with running_issuer() as issuer, catalog(database, issuer) as (url, pid):
        for number in range(ROUNDS):
            await empty(database)
            seconds["psql"].append(copied_s(database, csv))
            seconds["keyed"].append(copied_s(database, csv, key=UNIQUE))
            for case, inserted in (("new", LINES), ("known", 0)):
                import_id = 2 * number + (1 if case == "new" else 2)
                took_s = await merged_s(url, issuer, lines, import_id=import_id, inserted=inserted)
                seconds[case].append(took_s)
                if case == "new":
                    seconds["finished"].append(finished_rows_copied_s(database, csv.parent))
        return seconds, peak_mib(pid)


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="tabularium-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        lines, csv = write_files(folder)
        with cluster_of_its_own(folder) as cluster:
            asyncio.run(make_owner(cluster))
            database = asyncio.run(make_database(cluster, "catalog_merge"))
            migrate(database, "auth", "catalog")
            seconds, most_mib = asyncio.run(measure(database, lines, csv))
    tell(seconds, most_mib)


def tell(seconds: dict[str, list[float]], most_mib: float) -> None:
    floor_s = statistics.median(seconds["keyed"])
    names = {
        "psql": "`psql \\copy` into a bare table, no index, no duplicates removed",
        "keyed": "`psql \\copy` into one table with a unique key over the three names",
        "finished": "`psql \\copy` of finished rows (found, sorted, numbered) into the merge's two "
        "tables with their four indexes",
        "new": "merge, every table and edge new",
        "known": "merge of the same lines by another import, every edge known",
    }
    section = Section("catalog", f"{LINES:,} triples into the catalog")
    section.say(
        f"`python -m bench catalog_merge`, {machine()}, a durable cluster of its own, "
        f"{ROUNDS} rounds, medians. A merge is one streamed HTTP call and one transaction."
    )
    section.table(
        ("way", "seconds", "lines/s", "against one table with a key"),
        [
            (
                names[way],
                f"{statistics.median(taken):.2f}",
                f"{LINES / statistics.median(taken):,.0f}",
                f"{statistics.median(taken) / floor_s:.1f}",
            )
            for way, taken in seconds.items()
        ],
    )
    section.say(
        "Each line makes a row in each of two tables with two indexes each. What that writing "
        "alone costs, with every name found and every id known beforehand, is the third way: "
        "the bound of this model."
    )
    section.say(f"Peak memory of the catalog's process: {most_mib:.0f} MiB (`VmHWM`).")
    section.write()


if __name__ == "__main__":
    main()
