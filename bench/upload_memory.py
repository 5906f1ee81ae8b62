"""What a large upload costs gateway and ingest in memory, above what they held when idle.

Sent through the gateway of a running stack (one is started if none runs), and stored, but not
imported: the run is cancelled as soon as it is accepted.
"""

import os
import tempfile
import time
from pathlib import Path

from rich.console import Console

from bench.import_shape import write_csv
from bench.memory import forget_peak, peak_mib, resident_mib
from bench.results import Section, machine
from demo.api import Api
from demo.stack import running_stack

GIGABYTES = float(os.environ.get("BENCH_UPLOAD_GB", "2"))
ROW_BYTES = 147
FIELDS = {"table": "bench_upload", "create_table": "true", "dry_run": "true"}
PROCESSES = ("gateway", "ingest")


def main() -> None:
    with running_stack() as stack, tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "large.csv"
        write_csv(file, int(GIGABYTES * 1e9 / ROW_BYTES))
        api = Api(stack.url, Console(quiet=True))
        api.sign_in(stack.admin(), log_in_file=stack.log_in_file)
        pids = {name: int(stack.facts()["pids"][name]) for name in PROCESSES}
        idle = {name: resident_mib(pid) for name, pid in pids.items()}
        for pid in pids.values():
            forget_peak(pid)
        began = time.monotonic()
        accepted = api.upload("/api/imports", file, fields=FIELDS)
        took = time.monotonic() - began
        peak = {name: peak_mib(pid) for name, pid in pids.items()}
        api.call("POST", f"{accepted['links']['self']}/cancel", status=202, shown=False)
        size = file.stat().st_size
    section = Section("upload_memory", f"An upload of {size / 1e9:.2f} GB through the gateway")
    section.say(
        f"`python -m bench upload_memory`, {machine()}; one upload, {took:.1f} s,"
        f" {size / took / 1e6:,.0f} MB/s. MiB resident, before it and at the peak of it."
    )
    above = {name: peak[name] - idle[name] for name in PROCESSES}
    section.table(
        ("process", "idle", "peak", "above idle"),
        [
            (name, f"{idle[name]:.0f}", f"{peak[name]:.0f}", f"{above[name]:.0f}")
            for name in PROCESSES
        ],
    )
    section.say(f"Both together: {sum(above.values()):.0f} MiB above idle (at most 76 is the aim).")
    section.write()


if __name__ == "__main__":
    main()
