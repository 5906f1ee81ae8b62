"""Imports from databases: PostgreSQL against psql piped into psql, Oracle against its driver."""

import asyncio
import statistics
from collections.abc import Mapping, Sequence

from bench import database_oracle as oracle
from bench import database_postgresql as postgresql
from bench.import_shape import ROWS, fresh, server
from bench.memory import peak_mib
from bench.results import Section, machine
from tests.support.databases import Database

ROUNDS = 3
NAMES = {
    "piped": '`psql -c "copy … to stdout (format binary)" \\| psql -c "copy … from stdin (format'
    ' binary)"`',
    "passed": "import, all types the same: binary COPY passes through",
    "read": "import into a table with another NUMERIC: rows read, judged, encoded",
    "arrow": "the driver alone, `fetch_df_batches`, nothing kept",
    "rows": "the driver alone, `fetchmany`, nothing kept",
    "import": "import, to the commit",
}

Seconds = Mapping[str, Sequence[float]]


async def measure(database: Database) -> tuple[Seconds, Seconds, float]:
    """Seconds of the PostgreSQL ways and of the Oracle ways, and the peak of memory in MiB."""
    source = await postgresql.make_source(database)
    ours: dict[str, list[float]] = {"piped": [], "passed": [], "read": []}
    theirs: dict[str, list[float]] = {"arrow": [], "rows": [], "import": []}
    for _ in range(ROUNDS):
        await fresh(database, postgresql.TABLE)
        ours["piped"].append(await asyncio.to_thread(postgresql.piped_s, source, database))
        await fresh(database, postgresql.TABLE)
        ours["passed"].append((await postgresql.imported_s(source, database))[0])
        await postgresql.widened(database)
        ours["read"].append((await postgresql.imported_s(source, database))[0])
    async with oracle.server() as login:
        for _ in range(ROUNDS):
            theirs["arrow"].append(await oracle.driver_arrow_s(login))
            theirs["rows"].append(await oracle.driver_rows_s(login))
            await fresh(database, postgresql.TABLE)
            theirs["import"].append(await oracle.imported_s(login, database))
    return ours, theirs, peak_mib()


def main() -> None:
    with server() as (_folder, database):
        ours, theirs, most_mib = asyncio.run(measure(database))
    section = Section("databases", "Imports from databases")
    section.say(
        f"`python -m bench database_imports`, {machine()}, one durable cluster for both sides, "
        f"{ROUNDS} rounds, medians. Ten columns, about 128 bytes a row as text; every table has "
        "an identity primary key."
    )
    section.say(f"PostgreSQL → PostgreSQL, {ROWS:,} rows:")
    _table(section, ours, ROWS, "against psql")
    section.say(
        f"Oracle → PostgreSQL, {oracle.ROWS:,} rows, from the test server in a process of its own "
        "(no Oracle runs here; a real one sends faster or slower):"
    )
    _table(section, theirs, oracle.ROWS, "against the driver")
    section.say(
        f"Peak memory of the importing process over all of it: {most_mib:.0f} MiB (`VmHWM`)."
    )
    section.write()


def _table(section: Section, seconds: Seconds, rows: int, against: str) -> None:
    floor_s = statistics.median(next(iter(seconds.values())))
    section.table(
        ("way", "seconds", "rows/s", against),
        [
            (
                NAMES[way],
                f"{statistics.median(taken):.2f}",
                f"{rows / statistics.median(taken):,.0f}",
                f"{statistics.median(taken) / floor_s:.2f}",
            )
            for way, taken in seconds.items()
        ],
    )


if __name__ == "__main__":
    main()
