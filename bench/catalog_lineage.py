"""Walks through a lineage of 100,000 edges, search over it, and 10,000 events of OpenLineage.

One durable cluster of its own, the catalog in a process of its own, everything over HTTP. The edges
lead through ten layers of tables: each ETL reads three of one layer and writes two of the next.
"""

import asyncio
import random
import statistics
import tempfile
import time
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import httpx2

from bench.catalog_merge import catalog, cluster_of_its_own
from bench.results import Section, machine
from tests.support.databases import Database, make_database, make_owner, migrate
from tests.support.issuer import Issuer, person, running_issuer
from tests.support.waiting import until

ETLS, LAYERS, TABLES_OF_LAYER = 20_000, 10, 4_000
READS, WRITES = 3, 2
CALLS = 60
EVENTS, BATCH = 10_000, 100
START = datetime(2026, 11, 1, tzinfo=UTC)


async def fill(database: Database, chance: random.Random) -> None:
    """The edges by COPY, with as many from column to column."""
    tables = [
        (layer * TABLES_OF_LAYER + number + 1, f"layer_{layer}", f"table_{number}")
        for layer in range(LAYERS)
        for number in range(TABLES_OF_LAYER)
    ]
    inputs, outputs, columns = set(), set(), set()
    for etl in range(1, ETLS + 1):
        layer = etl % (LAYERS - 1)
        first = layer * TABLES_OF_LAYER + 1
        read = [first + chance.randrange(TABLES_OF_LAYER) for _ in range(READS)]
        behind = first + TABLES_OF_LAYER
        written = [behind + chance.randrange(TABLES_OF_LAYER) for _ in range(WRITES)]
        inputs |= {(etl, table, START, START) for table in read}
        outputs |= {(etl, table, START, START) for table in written}
        columns |= {
            (output, "total", table, "total", etl, START) for output in written for table in read
        }
    connection = await asyncpg.connect(database.url())
    seen = ["etl_id", "table_id", "first_seen", "last_seen"]
    made_of = ["output_table_id", "output_column", "input_table_id", "input_column"]
    etls = [(number, f"job {number}") for number in range(1, ETLS + 1)]
    for name, named, rows in (
        ("etls", ["id", "name"], etls),
        ("tables", ["id", "schema_name", "name"], tables),
        ("inputs", seen, inputs),
        ("edges", seen, outputs),
        ("column_edges", [*made_of, "etl_id", "last_seen"], columns),
    ):
        await connection.copy_records_to_table(
            name, schema_name="catalog", columns=named, records=list(rows)
        )
    for table in ("etls", "tables"):
        # The ids above were not the sequence's own.
        sequence = f"pg_get_serial_sequence('catalog.{table}', 'id')"
        await connection.execute(f"SELECT setval({sequence}, {len(tables) + ETLS})")
    await connection.execute("ANALYZE")
    await connection.close()


async def asked_ms(http: httpx2.AsyncClient, path: str, **params: Any) -> float:
    began = time.monotonic()
    answer = await http.get(path, params=params)
    took_s = time.monotonic() - began
    answer.raise_for_status()
    return took_s * 1000


async def walks_ms(http: httpx2.AsyncClient, chance: random.Random) -> dict[str, list[float]]:
    """Each kind of question at tables in the middle, one at a time."""
    kinds: dict[str, dict[str, Any]] = {
        "walk of depth 5, both ways, 500 arrows each": {},
        "walk of depth 5, both ways, 5,000 arrows each": {"limit": 5000},
        "walk of depth 5 by columns, 5,000 arrows each": {"limit": 5000, "column": "total"},
        "picture of depth 1 (SVG)": {"depth": 1, "format": "svg"},
    }
    took: dict[str, list[float]] = {}
    for name, params in kinds.items():
        took[name] = [
            await asked_ms(
                http,
                "/api/catalog/lineage",
                table=f"layer_5.table_{chance.randrange(TABLES_OF_LAYER)}",
                **params,
            )
            for _ in range(CALLS)
        ]
    took["search for two words"] = [
        await asked_ms(
            http, "/api/catalog/search", q=f"layer_5 {chance.randrange(TABLES_OF_LAYER)}"
        )
        for _ in range(CALLS)
    ]
    return took


def event(number: int) -> dict[str, Any]:
    """START or COMPLETE of a run with two inputs and an output."""
    namespace = "postgres://db.example.com:5432"
    job = number // 2

    def dataset(name: str) -> dict[str, Any]:
        fields = [{"name": column, "type": "text"} for column in ("id", "name", "total")]
        return {"namespace": namespace, "name": name, "facets": {"schema": {"fields": fields}}}

    return {
        "eventType": "COMPLETE" if number % 2 else "START",
        "eventTime": (START + timedelta(seconds=number)).isoformat(),
        "run": {"runId": str(uuid.UUID(int=job)), "facets": {}},
        "job": {"namespace": "bench", "name": f"event job {job % 1000}", "facets": {}},
        "inputs": [dataset(f"shop.public.in_{job % 500}"), dataset(f"shop.public.in_{job % 300}")],
        "outputs": [dataset(f"shop.public.out_{job % 1000}")],
        "producer": "https://example.com/bench",
    }


async def events_s(http: httpx2.AsyncClient, database: Database) -> tuple[float, float]:
    """Seconds until every event was answered, and until every one was applied."""
    connection = await asyncpg.connect(database.url())
    batches = [
        [event(number) for number in range(first, first + BATCH)]
        for first in range(0, EVENTS, BATCH)
    ]
    began = time.monotonic()
    for batch in batches:
        answer = await http.post("/api/v1/lineage/batch", json=batch)
        assert answer.json()["summary"]["successful"] == BATCH, answer.text
    answered_s = time.monotonic() - began
    left = "SELECT count(*) = 0 FROM catalog.lineage_inbox"
    await until("all events are applied", lambda: connection.fetchval(left), timeout_s=600)
    applied_s = time.monotonic() - began
    await connection.close()
    return answered_s, applied_s


async def measure(
    database: Database, issuer: Issuer
) -> tuple[dict[str, list[float]], tuple[float, float]]:
    chance = random.Random(18)
    await fill(database, chance)
    async with (
        catalog(database, issuer) as (url, _),
        httpx2.AsyncClient(base_url=url, trust_env=False, timeout=60) as http,
    ):
        http.headers.update(issuer.bearer(person("ann@example.com")))
        return await walks_ms(http, chance), await events_s(http, database)


async def run(database: Database) -> None:
    async with running_issuer() as issuer:
        report(*await measure(database, issuer))


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="tabularium-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        with cluster_of_its_own(folder) as cluster:
            asyncio.run(make_owner(cluster))
            database = asyncio.run(make_database(cluster, "catalog_lineage"))
            migrate(database, "auth", "catalog")
            asyncio.run(run(database))


def report(took: dict[str, list[float]], events: tuple[float, float]) -> None:
    section = Section("catalog_lineage", "A lineage of 100,000 edges")
    section.say(
        f"`python -m bench catalog_lineage`, {machine()}, a durable cluster of its own, {CALLS}"
        f" calls of each kind, one at a time, over HTTP. {ETLS:,} ETLs,"
        f" {LAYERS * TABLES_OF_LAYER:,} tables in ten layers, as many edges from column to column."
    )
    section.table(
        ("question", "median, ms", "95th percentile, ms", "longest, ms"),
        [
            (
                name,
                f"{statistics.median(each):.0f}",
                f"{statistics.quantiles(each, n=20)[-1]:.0f}",
                f"{max(each):.0f}",
            )
            for name, each in took.items()
        ],
    )
    answered_s, applied_s = events
    section.say(
        f"{EVENTS:,} events of OpenLineage in batches of {BATCH}, one after the other:"
        f" {EVENTS / answered_s:,.0f}/s answered, {EVENTS / applied_s:,.0f}/s applied."
    )
    section.write()


if __name__ == "__main__":
    main()
