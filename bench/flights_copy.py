"""The demo's import of 336,776 flights against `psql \\copy` of the same file on the same server.

Pairs in turn on a running stack (one is started if none runs), medians; the import's time is
from its start to its commit as its own row tells it, the peak memory that of the worker process.
"""

import statistics
import subprocess
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from bench.memory import peak_mib
from bench.results import Section, machine
from demo.__main__ import FIELDS
from demo.api import Api
from demo.dataset import flights
from demo.stack import Stack, running_stack
from deploy.local.postgresql import find_binaries

PAIRS = 5
TABLE, PEER_TABLE = "bench_flights", "bench_flights_psql"


def main() -> None:
    with running_stack() as stack:
        data = flights(stack.state / "demo")
        api = Api(stack.url, Console(quiet=True))
        api.sign_in(stack.admin(), log_in_file=stack.log_in_file)
        ours, peer, waits = [], [], []
        for _ in range(PAIRS):
            for table in (TABLE, PEER_TABLE):
                fresh_table(api, table)
            began = time.monotonic()
            done = imported(api, data.file)
            waits.append(time.monotonic() - began)
            assert done["rows"]["loaded"] == 336_776, done
            ours.append(seconds(done))
            peer.append(copied(stack, data.file))
        for table in (TABLE, PEER_TABLE):
            api.call("DELETE", f"/api/tables/{table}", status=204, shown=False)
        worker_mib = peak_mib(stack.facts()["pids"]["worker"])
    ratio = statistics.median(ours) / statistics.median(peer)
    section = Section("flights_copy", "336,776 flights (31 MB, 19 columns), one run of pairs")
    section.say(f"`.venv/bin/python -m bench flights_copy`, {machine()}, {PAIRS} pairs, medians.")
    section.table(
        ("way", "seconds", "against psql"),
        [
            ("`psql \\copy`, no validation", f"{statistics.median(peer):.2f}", "1.00"),
            ("import, start to commit", f"{statistics.median(ours):.2f}", f"{ratio:.2f}"),
            (
                "import, from the first byte of the upload to `done`",
                f"{statistics.median(waits):.2f}",
                f"{statistics.median(waits) / statistics.median(peer):.2f}",
            ),
        ],
    )
    section.say(f"Peak memory of the worker: {worker_mib:.0f} MiB (`VmHWM`).")
    section.write()


def fresh_table(api: Api, name: str) -> None:
    if api.status_of("GET", f"/api/tables/{name}") == 200:
        api.call("DELETE", f"/api/tables/{name}", status=204, shown=False)
    body = {"table_name": name, "fields": FIELDS}
    api.call("POST", "/api/create-table", body=body, status=201, shown=False)


def imported(api: Api, file: Path) -> dict[str, Any]:
    accepted = api.upload("/api/imports", file, fields={"table": TABLE, "null_values": "NA"})
    api.follow(accepted)
    done: dict[str, Any] = api.call("GET", accepted["links"]["self"], shown=False)
    return done


def seconds(done: dict[str, Any]) -> float:
    started, finished = (
        datetime.fromisoformat(done[f"{end}_at"]) for end in ("started", "finished")
    )
    return (finished - started).total_seconds()


def copied(stack: Stack, file: Path) -> float:
    with file.open() as source:
        columns = source.readline().strip()
    command = f"\\copy data.{PEER_TABLE} ({columns}) FROM '{file}' (FORMAT csv, HEADER, NULL 'NA')"
    began = time.monotonic()
    subprocess.run(
        [find_binaries() / "psql", "-q", "-X", stack.facts()["owner_url"], "-c", command],
        check=True,
    )
    return time.monotonic() - began


if __name__ == "__main__":
    main()
