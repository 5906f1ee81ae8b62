"""200,000 of the same rows by pandas `to_sql` and polars `write_database`, beside our import.

They are no dependencies of ours: `PEERS_PYTHON` names an interpreter that has pandas, polars,
sqlalchemy, psycopg2 and adbc-driver-postgresql. `PEERS_PYTHON=… python -m bench.import_peers`.
"""

import asyncio
import os
import subprocess
import sys

import uvloop

from bench.import_shape import copied_s, fresh, imported, server, write_csv
from bench.results import Section, machine

ROWS = int(os.environ.get("BENCH_PEER_ROWS", "200000"))
PANDAS = """
import sys, time, pandas, sqlalchemy
engine = sqlalchemy.create_engine(sys.argv[2].replace("postgresql://", "postgresql+psycopg2://"))
began = time.perf_counter()
frame = pandas.read_csv(sys.argv[1], parse_dates=["born", "seen_at"])
frame.to_sql("b", engine, schema="data", if_exists="append", index=False)
print(time.perf_counter() - began)
"""
POLARS = """
import sys, time, polars
began = time.perf_counter()
frame = polars.read_csv(sys.argv[1], try_parse_dates=True)
frame.write_database("data.c", sys.argv[2], engine="adbc", if_table_exists="replace")
print(time.perf_counter() - began)
"""


def main() -> None:
    python = os.environ.get("PEERS_PYTHON")
    if python is None:
        sys.exit("set PEERS_PYTHON to an interpreter that has pandas and polars with their drivers")
    with server() as (folder, database):
        file = folder / "clean.csv"
        write_csv(file, ROWS)
        ways: list[tuple[str, float]] = []
        asyncio.run(fresh(database, "a"))
        ways.append(("import (validated)", uvloop.run(imported(database, "a", file))[0]))
        asyncio.run(fresh(database, "b"))
        ways.append(("`psql \\copy`", copied_s(database, "b", file)))
        for name, script in (
            ("polars `write_database` (ADBC)", POLARS),
            ("pandas `to_sql`", PANDAS),
        ):
            # ADBC casts to no table's types: it gets a table of what polars makes of the file.
            asyncio.run(fresh(database, "b"))
            done = subprocess.run(
                [python, "-c", script, str(file), database.url("records")],
                capture_output=True,
                text=True,
                check=False,
            )
            seconds = float(done.stdout) if done.returncode == 0 else float("nan")
            if done.returncode:
                print(done.stderr[-500:], file=sys.stderr)
            ways.append((name, seconds))
    ours = ways[0][1]
    section = Section("import_peers", f"Imports beside their peers: {ROWS:,} rows of 10 columns")
    section.say(f"`PEERS_PYTHON=… python -m bench.import_peers`, {machine()}, one run each.")
    section.table(
        ("way", "seconds", "against our import"),
        [(name, f"{took:.2f}", f"{took / ours:.1f}") for name, took in ways],
    )
    section.write()


if __name__ == "__main__":
    main()
