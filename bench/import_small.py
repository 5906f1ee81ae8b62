"""Files of ten rows: from the POST to `succeeded` by the event stream, and many at once.

`.venv/bin/python -m bench.import_small`; `BENCH_SMALL` is how many one after the other. Through the
gateway of a stack of its own, whose rate limits are raised. What many cost is the CPU time of each
process over all of them, until their edges are delivered, too. The clients share the machine with
the stack, so they are bare: what they take is stated beside it. Idle cost is the CPU time of
worker, Valkey and PostgreSQL over ten seconds in which nothing is asked.
"""

import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import aiohttp

from bench.cpu import cpu_s
from bench.results import Section, machine
from tests.support.stack import RunningStack, running_stack

ONE_BY_ONE = int(os.environ.get("BENCH_SMALL", "100"))
AT_ONCE = 20
OF_THEM = 400
IDLE_S = 10
DELIVERED_S = 1
CLIENTS = "clients"
UNLIMITED = {
    "RATE_LIMIT_REQUESTS_PER_S": "1000000",
    "RATE_LIMIT_REQUESTS_BURST": "1000000000",
}
BOUNDARY = b"a-line-that-no-file-has"
MULTIPART = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY.decode()}"}
COLUMNS = [{"name": "name", "type": "TEXT"}, {"name": "age", "type": "INTEGER"}]


def content(number: int) -> bytes:
    """A CSV that is no other's."""
    rows = "".join(f"person {number}-{row},{row}\n" for row in range(10))
    return f"name,age\n{rows}".encode()


def form(number: int) -> bytes:
    """The body of its import."""
    parts = (
        b'name="table"\r\n\r\nsmall',
        b'name="file"; filename="small.csv"\r\nContent-Type: text/csv\r\n\r\n' + content(number),
    )
    fields = b"".join(
        b"--%b\r\nContent-Disposition: form-data; %b\r\n" % (BOUNDARY, part) for part in parts
    )
    return fields + b"--%b--\r\n" % BOUNDARY


async def imported(http: aiohttp.ClientSession, number: int) -> float:
    """Seconds from the POST to `done`."""
    began = time.perf_counter()
    async with http.post("/api/imports", data=form(number), headers=MULTIPART) as answer:
        submitted = await answer.json()
        assert answer.status == 202, submitted
    async with http.get(submitted["links"]["events"]) as stream:
        events = await stream.read()
    last = events.rpartition(b"data:")[2].replace(b" ", b"")
    assert b'"state":"succeeded"' in last, last
    return time.perf_counter() - began


async def measured(stack: RunningStack, token: str) -> tuple[list[float], float, dict[str, float]]:
    """Seconds of each import by itself, imports a second, and CPU seconds of one by process."""
    connector = aiohttp.TCPConnector(limit=2 * AT_ONCE)
    async with aiohttp.ClientSession(
        stack.url, headers={"Authorization": f"Bearer {token}"}, connector=connector
    ) as http:
        table = {"name": "small", "columns": COLUMNS}
        async with http.post("/api/tables", json=table) as answer:
            assert answer.status == 201, await answer.text()
        for number in range(10):
            await imported(http, number)
        one_by_one = [await imported(http, 100 + number) for number in range(ONE_BY_ONE)]
        numbers = iter(range(100_000, 100_000 + OF_THEM))

        async def work(numbers: Iterator[int]) -> None:
            for number in numbers:
                await imported(http, number)

        before, began = cpu_by_process(stack), time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(work(numbers))
        per_s = OF_THEM / (time.perf_counter() - began)
        await asyncio.sleep(DELIVERED_S)
        after = cpu_by_process(stack)
        return one_by_one, per_s, {name: (after[name] - before[name]) / OF_THEM for name in after}


def cpu_by_process(stack: RunningStack) -> dict[str, float]:
    """CPU seconds of each process of the stack so far, and of this one."""
    own = {CLIENTS: time.process_time()}
    return own | {name: cpu_s(int(pid)) for name, pid in stack.facts["pids"].items()}


def idle(stack: RunningStack) -> dict[str, float]:
    """Share of one core, by process."""
    before = cpu_by_process(stack)
    time.sleep(IDLE_S)
    after = cpu_by_process(stack)
    names = ("worker", "valkey", "postgresql")
    return {name: (after[name] - before[name]) / IDLE_S for name in names}


def main() -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        running_stack(Path(folder) / "state", settings=UNLIMITED) as stack,
    ):
        with stack.signed_in() as http:
            token = http.headers["Authorization"].removeprefix("Bearer ")
        one_by_one, per_s, costs = asyncio.run(measured(stack, token))
        shares = idle(stack)
    clients = costs.pop(CLIENTS)
    milliseconds = sorted(1000 * seconds for seconds in one_by_one)
    p50, p95 = statistics.median(milliseconds), milliseconds[int(0.95 * len(milliseconds))]
    section = Section("import_small", "Imports of ten rows")
    section.say(
        f"`python -m bench import_small`, {machine()}; through the gateway, from the POST until the"
        f" event stream says `done`; {ONE_BY_ONE} one after the other, then {OF_THEM},"
        f" {AT_ONCE} at once, rate limits raised."
    )
    section.table(
        ("what", "measured", "aim"),
        [
            ("one, p50", f"{p50:.0f} ms", "50 ms"),
            ("one, p95", f"{p95:.0f} ms", "120 ms"),
            (f"{AT_ONCE} at once", f"{per_s:.0f} imports/s", "80 imports/s"),
            ("CPU of one of 20, all processes", f"{1000 * sum(costs.values()):.0f} ms", ""),
            *(
                (f"CPU of one of 20, {name}", f"{1000 * cost:.1f} ms", "")
                for name, cost in sorted(costs.items(), key=lambda each: -each[1])
                if cost >= 0.00005
            ),
            ("CPU of one of 20, the bench's clients", f"{1000 * clients:.1f} ms", ""),
            *((f"{name}, idle", f"{share:.1%} of a core", "") for name, share in shares.items()),
        ],
    )
    section.write()


if __name__ == "__main__":
    main()
