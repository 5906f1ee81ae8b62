"""Corrections of ten rows of a large import, from the POST until the event stream says `done`.

`.venv/bin/python -m bench.import_correction`; `BENCH_ROWS` changes the size of the import. Through
the gateway of a stack of its own; each correction is of ten other rows. The first file is gone
from storage by then, so that nothing of it can be read again.
"""

import asyncio
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx2

from bench.import_shape import ROWS, TYPES, write_csv
from bench.results import Section, machine
from tests.support.stack import RunningStack, running_stack

TABLE = "corrected"
AT_ONCE = 10
CORRECTIONS = 7
COLUMNS = [{"name": name, "type": kind} for name, kind in TYPES.items()]


async def finished(http: httpx2.AsyncClient, answer: httpx2.Response) -> tuple[int, float]:
    """The accepted import at its end: its id, and the moment."""
    assert answer.status_code == 202, answer.text
    body: dict[str, Any] = answer.json()
    last = ""
    async with http.stream("GET", body["links"]["events"], timeout=600) as stream:
        async for line in stream.aiter_lines():
            if line.startswith("data:"):
                last = line
    assert '"state":"succeeded"' in last.replace(" ", ""), last
    return body["id"], time.perf_counter()


async def measured(stack: RunningStack, token: str, file: Path) -> tuple[float, list[float]]:
    """Seconds of the import, and of each correction."""
    async with httpx2.AsyncClient(
        base_url=stack.url,
        headers={"Authorization": f"Bearer {token}"},
        trust_env=False,
        timeout=600,
    ) as http:
        answer = await http.post("/api/tables", json={"name": TABLE, "columns": COLUMNS})
        assert answer.status_code == 201, answer.text
        began = time.perf_counter()
        with file.open("rb") as content:
            files = {"file": (file.name, content, "text/csv")}
            answer = await http.post("/api/imports", data={"table": TABLE}, files=files)
        first, ended = await finished(http, answer)
        load_s = ended - began
        report = (await http.get(f"/api/imports/{first}/rejects")).text.splitlines()
        corrections = []
        for at in range(1, len(report), AT_ONCE):
            rows = (row.replace("unknown", "7") for row in report[at : at + AT_ONCE])
            corrected = "\n".join([report[0], *rows])
            ten = {"file": ("corrected.csv", corrected.encode(), "text/csv")}
            began = time.perf_counter()
            answer = await http.post(f"/api/imports/{first}/corrections", files=ten)
            _, ended = await finished(http, answer)
            corrections.append(ended - began)
        now = (await http.get(f"/api/imports/{first}")).json()["rows"]
        assert (now["corrected"], now["rejected"]) == (len(report) - 1, 0), now
    return load_s, corrections


def main() -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        running_stack(Path(folder) / "state") as stack,
    ):
        file = Path(folder) / "large.csv"
        write_csv(file, ROWS, bad_every=ROWS // (AT_ONCE * CORRECTIONS))
        with stack.signed_in() as http:
            token = http.headers["Authorization"].removeprefix("Bearer ")
        load_s, corrections = asyncio.run(measured(stack, token, file))
    section = Section("import_correction", f"Corrections of {AT_ONCE} rows out of {ROWS:,}")
    section.say(
        f"`.venv/bin/python -m bench.import_correction`, {machine()}; through the gateway, from the"
        f" POST until the event stream says `done`; {len(corrections)} corrections, of"
        f" {AT_ONCE} other rows each."
    )
    section.table(
        ("what", "s", "aim"),
        [
            (f"the import of {ROWS:,} rows", f"{load_s:.1f}", ""),
            (f"a correction of {AT_ONCE}, median", f"{statistics.median(corrections):.2f}", "1"),
            ("the slowest of them", f"{max(corrections):.2f}", "1"),
        ],
    )
    section.write()


if __name__ == "__main__":
    main()
