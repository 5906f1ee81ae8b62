"""The records service against the plainest endpoint, the gateway, pgbench and psql; one run.

Pages of 25 and of 1,000 rows out of 1,000,000; single inserts; search with and without an index;
CSV export. All peers of one line take turns on one durable cluster.
Needs wrk (Debian: `apt-get install wrk`); says so and stops where it is missing.
"""

import functools
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx2

from bench.records_setup import (
    CONNECTIONS,
    ROWS,
    Bench,
    has_wrk,
    requests_per_s,
    running,
    wait_for,
)
from bench.results import Section, machine
from deploy.local.postgresql import find_binaries
from deploy.local.processes import free_port
from deploy.local.valkey import Valkey, find_server

SECONDS = 2
ROUNDS = 9
BEHIND = 500_000
POST = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '{"name": "Ann", "email": "ann@example.com", "born": "1990-01-31", "age": 30}'
"""
PGBENCH = (
    "INSERT INTO data.people (name, email, born, age)"
    " VALUES ('Ann', 'ann@example.com', '1990-01-31', 30);\n"
)


@contextmanager
def gateway(bench: Bench) -> Iterator[str]:
    """The gateway in front of the service, its rate limits counted but never met."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        valkey = Valkey(server=find_server(), folder=Path(folder))
        valkey.start()
        environment = os.environ | {
            "HOST": "127.0.0.1",
            "PORT": str(port),
            "REDIS_URL": valkey.url,
            "AUTH_URL": bench.issuer.url,
            "RECORDS_URL": bench.url,
            "CATALOG_URL": bench.url,
            "INGEST_URL": bench.url,
            "RATE_LIMIT_REQUESTS_PER_S": "1000000",
            "RATE_LIMIT_REQUESTS_BURST": "1000000000",
            "LOG_FORMAT": "json",
        }
        quiet = subprocess.DEVNULL
        command = [sys.executable, "-m", "gateway"]
        with subprocess.Popen(command, env=environment, stdout=quiet, stderr=quiet) as process:
            try:
                url = f"http://127.0.0.1:{port}"
                wait_for(url, process)
                yield url
            finally:
                process.terminate()
                process.wait()
                valkey.stop()


def in_turns(
    ways: Mapping[str, Callable[[], float]], *, rounds: int = ROUNDS
) -> dict[str, list[float]]:
    """Every way once to warm up, then all of them, round by round."""
    for measure in ways.values():
        measure()
    figures: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, measure in ways.items():
            figures[name].append(measure())
    return figures


def ratio(figures: dict[str, list[float]], name: str, peer: str) -> str:
    """The median (least to greatest) of the ratios of one round."""
    ratios = sorted(a / b for a, b in zip(figures[name], figures[peer], strict=True))
    return f"**{statistics.median(ratios):.2f}** ({ratios[0]:.2f} to {ratios[-1]:.2f})"


def pages(bench: Bench, gateway_url: str, limit: int) -> list[list[str]]:
    """Requests per second of one page, behind row 500,000, by keyset."""
    path = f"/api/tables/people/records?limit={limit}&cursor={cursor(bench)}"
    ways = {
        "plain": lambda: requests_per_s(
            f"{bench.plain_url}/plain?after={BEHIND}&limit={limit}", {}, seconds=SECONDS
        ),
        "service": lambda: requests_per_s(bench.url + path, bench.bearer, seconds=SECONDS),
        "gateway": lambda: requests_per_s(gateway_url + path, bench.bearer, seconds=SECONDS),
    }
    figures = in_turns(ways)
    what = f"page of {limit:,} by keyset"
    return [
        [f"{what}, plain endpoint", per_s(figures["plain"]), "1"],
        *(
            [f"{what}, through the {name}", per_s(figures[name]), ratio(figures, name, "plain")]
            for name in ("service", "gateway")
        ),
    ]


def cursor(bench: Bench) -> str:
    """A cursor behind row 500,000."""
    query = f"/api/tables/people/records?limit=1&id__gte={BEHIND}"
    with httpx2.Client(base_url=bench.url, trust_env=False, headers=bench.bearer) as http:
        following: str = http.get(query).json()["next"]
    return following.partition("cursor=")[2]


def inserts(bench: Bench) -> list[list[str]]:
    """Single inserts per second over 16 connections, each a durable commit."""
    url = f"{bench.url}/api/tables/people/records"
    ways = {
        "pgbench": lambda: transactions_per_s(bench),
        "service": lambda: requests_per_s(url, bench.bearer, seconds=SECONDS, script=POST),
    }
    figures = in_turns(ways, rounds=3)
    return [
        ["single INSERT, pgbench -M prepared", per_s(figures["pgbench"]), "1"],
        ["single POST", per_s(figures["service"]), ratio(figures, "service", "pgbench")],
    ]


def transactions_per_s(bench: Bench) -> float:
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
        script.write(PGBENCH)
        script.flush()
        command = [
            *(str(find_binaries() / "pgbench"), "-n", "-M", "prepared", "-f", script.name),
            *("-c", str(CONNECTIONS), "-j", "1", "-T", str(SECONDS)),
            bench.database.url("records"),
        ]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    rate = re.search(r"tps = ([\d.]+)", said)
    assert rate, said
    return float(rate[1])


def exports(bench: Bench) -> list[list[str]]:
    """Seconds for a CSV file of the whole table, written to a file by both."""
    with tempfile.TemporaryDirectory() as folder:
        by_psql, by_api = Path(folder) / "psql.csv", Path(folder) / "api.csv"
        columns = "id, name, email, born, seen, age, amount, active, note, remark, big"
        query = f"SELECT {columns} FROM data.people ORDER BY id"
        copy = f"\\copy ({query}) TO '{by_psql}' (FORMAT csv, HEADER)"
        ways = {
            "psql": lambda: timed(lambda: bench.psql("-c", "SET timezone = 'UTC'", "-c", copy)),
            "service": lambda: timed(lambda: download(bench, by_api)),
        }
        figures = in_turns(ways, rounds=3)
        assert by_psql.stat().st_size == by_api.stat().st_size
        size_mb = by_api.stat().st_size / 1e6
    rows = f"CSV of {ROWS:,} rows ({size_mb:.0f} MB)"
    return [
        [f"{rows}, `psql \\copy (…) to`", seconds(figures["psql"]), "1"],
        [f"{rows}, `/export`", seconds(figures["service"]), ratio(figures, "service", "psql")],
    ]


def download(bench: Bench, file: Path) -> None:
    command = ["curl", "-sf", "-o", str(file), f"{bench.url}/api/tables/people/export"]
    for name, value in bench.bearer.items():
        command += ["-H", f"{name}: {value}"]
    subprocess.run(command, check=True)


def searches(bench: Bench) -> list[list[str]]:
    """Milliseconds to find one row among all by a part of its text, before and after the index."""
    path = "/api/tables/people/records?name__icontains=8F14E45FCEEA167A"
    rows = []
    with httpx2.Client(
        base_url=bench.url, trust_env=False, headers=bench.bearer, timeout=600
    ) as http:
        for what in ("without an index", 'with `"searchable": true`'):
            if "searchable" in what:
                change = {"alter": [{"name": "name", "searchable": True}]}
                http.patch("/api/tables/people", json=change).raise_for_status()
            answers = [timed(lambda: http.get(path).raise_for_status()) * 1000 for _ in range(7)]
            found = len(http.get(path).json()["items"])
            rows.append(
                [
                    f"`icontains` over {ROWS:,} rows, {found} found, {what}",
                    f"{statistics.median(answers):,.1f} ms",
                    "",
                ]
            )
    return rows


def sorts(bench: Bench) -> list[list[str]]:
    """Milliseconds for the first page in the order of a text that no index has."""
    path = "/api/tables/people/records?limit=25&sort="
    with httpx2.Client(
        base_url=bench.url, trust_env=False, headers=bench.bearer, timeout=600
    ) as http:

        def page(sort: str) -> float:
            return timed(lambda: http.get(path + sort).raise_for_status()) * 1000

        ways = {sort: functools.partial(page, sort) for sort in ("email:code", "email")}
        figures = in_turns(ways)
    what = f"first page of {ROWS:,} rows by a text"
    return [
        [f"{what}, by code point", f"{statistics.median(figures['email:code']):,.0f} ms", "1"],
        [
            f"{what}, as people sort",
            f"{statistics.median(figures['email']):,.0f} ms",
            ratio(figures, "email", "email:code"),
        ],
    ]


def timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def per_s(values: list[float]) -> str:
    return f"{statistics.median(values):,.0f}/s"


def seconds(values: list[float]) -> str:
    return f"{statistics.median(values):.2f} s"


def main() -> None:
    if not has_wrk():
        return
    head = ["", "median", "against the first of its kind"]
    results = Section("records", "Records: pages, inserts, search, export")
    load = os.getloadavg()[0]
    with running() as bench:
        with gateway(bench) as gateway_url:
            page_rows = [row for limit in (25, 1000) for row in pages(bench, gateway_url, limit)]
        sort_rows = sorts(bench)
        search_rows = searches(bench)
        export_rows = exports(bench)
        insert_rows = inserts(bench)
    results.say(
        f"`python -m bench records_serving`, {machine()}. One uvicorn process each; a durable"
        f" cluster of its own; wrk and pgbench with {CONNECTIONS} connections for {SECONDS} s. All"
        " ways of one kind take turns; medians, and the median (least to greatest) of the ratios"
        " of one round. The plain endpoint is FastAPI and asyncpg with the same query, and"
        " without token, checks, request id, log line or metrics; the service does all of that."
        f" Load of the machine before it began: {load:.1f}."
    )
    results.table(head, [*page_rows, *insert_rows, *sort_rows, *search_rows, *export_rows])
    results.write()


if __name__ == "__main__":
    main()
