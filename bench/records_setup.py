"""What the benchmarks of records share: a durable cluster, a filled table, servers, wrk."""

import asyncio
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import httpx2

from deploy.local.postgresql import Cluster, find_binaries, prepare
from deploy.local.processes import free_port
from tests.support.databases import Database, make_database, make_owner, migrate
from tests.support.issuer import Issuer, person, running_issuer

ROWS = 1_000_000
CONNECTIONS = 16
CALLER = person("bench@example.com")
COLUMNS = [
    {"name": "name", "type": "TEXT"},
    {"name": "email", "type": "TEXT"},
    {"name": "born", "type": "DATE"},
    {"name": "seen", "type": "TIMESTAMPTZ"},
    {"name": "age", "type": "INTEGER"},
    {"name": "amount", "type": "NUMERIC(10,2)"},
    {"name": "active", "type": "BOOLEAN"},
    {"name": "note", "type": "TEXT"},
    {"name": "remark", "type": "TEXT"},
    {"name": "big", "type": "BIGINT"},
]
FILL = f"""
INSERT INTO data.people (name, email, born, seen, age, amount, active, note, remark, big)
SELECT 'name ' || md5(i::text), 'user' || i || '@example.com', date '1950-01-01' + i % 20000,
  timestamptz '2026-01-01' + i * interval '1 second', i % 90, (i * 1.25)::numeric % 100000,
  i % 2 = 0, 'a note of some length ' || i, 'with, commas and "quotes" ' || i,
  i::bigint * 1000003
FROM generate_series(1, {ROWS}) i
"""


@contextmanager
def cluster_of_its_own() -> Iterator[Cluster]:
    """A cluster as `make up` makes it, fsync and all."""
    with tempfile.TemporaryDirectory(prefix="tabularium-records-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        cluster = prepare(folder)
        cluster.initialise()
        cluster.start()
        try:
            yield cluster
        finally:
            cluster.stop()


@dataclass(frozen=True)
class Bench:
    """A running records service and what it stands on."""

    database: Database
    issuer: Issuer
    url: str
    plain_url: str

    @property
    def bearer(self) -> dict[str, str]:
        return self.issuer.bearer(CALLER)

    def psql(self, *arguments: str) -> None:
        """Run psql against the database, as the role records."""
        subprocess.run(
            [str(find_binaries() / "psql"), "-q", "-X", self.database.url("records"), *arguments],
            check=True,
        )


def issuer_in_a_thread() -> tuple[Issuer, threading.Event]:
    """An issuer that answers while the benchmark blocks; set the event to end it."""
    started: list[Issuer] = []
    ready, over = threading.Event(), threading.Event()

    async def run() -> None:
        async with running_issuer() as issuer:
            started.append(issuer)
            ready.set()
            await asyncio.to_thread(over.wait)

    threading.Thread(target=lambda: asyncio.run(run()), daemon=True).start()
    ready.wait()
    return started[0], over


@contextmanager
def server(application: str, environment: dict[str, str]) -> Iterator[str]:
    """One uvicorn process, from when it answers until it is stopped."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", application, "--factory", "--no-access-log"]
    quiet = subprocess.DEVNULL
    with subprocess.Popen(
        [*command, "--port", str(port)], env=os.environ | environment, stdout=quiet, stderr=quiet
    ) as process:
        url = f"http://127.0.0.1:{port}"
        try:
            wait_for(url, process)
            yield url
        finally:
            process.terminate()


def wait_for(url: str, process: "subprocess.Popen[bytes]") -> None:
    """Return when something answers there."""
    with httpx2.Client(trust_env=False) as http:
        while True:
            try:
                http.get(f"{url}/healthz")
            except httpx2.TransportError:
                if process.poll() is not None:
                    sys.exit("a server did not start")
                threading.Event().wait(0.05)
            else:
                return


def service_environment(database: Database, issuer: Issuer) -> dict[str, str]:
    """The settings of a records service."""
    nowhere = "http://127.0.0.1:1"
    return {
        "DATABASE_URL": database.url("records"),
        "REDIS_URL": "redis://127.0.0.1:1/0",
        "AUTH_URL": issuer.url,
        "CATALOG_URL": nowhere,
        "RECORDS_URL": nowhere,
        "INGEST_URL": nowhere,
        "SERVICE_CLIENT_ID": "records",
        "SERVICE_CLIENT_SECRET": "only-for-benchmarks",
        "LOG_FORMAT": "json",
    }


@contextmanager
def running() -> Iterator[Bench]:
    """Cluster, issuer, the service and its plain peer, and the table `people` with its rows."""
    with cluster_of_its_own() as cluster:
        asyncio.run(make_owner(cluster))
        database = asyncio.run(make_database(cluster, "bench"))
        migrate(database, "auth", "records")
        issuer, over = issuer_in_a_thread()
        environment = service_environment(database, issuer)
        try:
            with (
                server("services.records.main:create_app", environment) as url,
                server("bench.records_plain:create_app", environment) as plain_url,
            ):
                bench = Bench(database=database, issuer=issuer, url=url, plain_url=plain_url)
                asyncio.run(fill(bench))
                yield bench
        finally:
            over.set()


async def fill(bench: Bench) -> None:
    """Make the table through the API, and its rows in SQL."""
    async with httpx2.AsyncClient(base_url=bench.url, trust_env=False) as http:
        body = {"name": "people", "columns": COLUMNS}
        made = await http.post("/api/tables", json=body, headers=bench.bearer)
        made.raise_for_status()
    connection = await asyncpg.connect(bench.database.url("records"))
    await connection.execute(FILL)
    await connection.execute("VACUUM ANALYZE data.people")
    await connection.close()


def requests_per_s(url: str, headers: dict[str, str], *, seconds: int, script: str = "") -> float:
    """wrk with one thread and 16 connections; stops the benchmark on any answer but a success."""
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s"]
    for name, value in headers.items():
        command += ["-H", f"{name}: {value}"]
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        if script:
            file.write(script)
            file.flush()
            command += ["-s", file.name]
        done = subprocess.run([*command, url], capture_output=True, text=True, check=True)
    said = done.stdout
    if "Non-2xx" in said or "Socket errors" in said:
        answer = httpx2.get(url, headers=headers, trust_env=False)
        sys.exit(f"{said}\none more: {answer.status_code} {answer.text[:500]}")
    rate = re.search(r"Requests/sec:\s+([\d.]+)", said)
    assert rate, said
    return float(rate[1])


def has_wrk() -> bool:
    """Whether wrk is here; says so if not."""
    if shutil.which("wrk"):
        return True
    print("skipped: wrk not found (apt-get install wrk)")
    return False
