"""What an operator watches, for Prometheus.

The queue is asked of the database by the API's process, so that every one of them says the same;
what a worker does is counted by the worker.
"""

from prometheus_client import Counter, Gauge, Histogram
from sqlalchemy.ext.asyncio import AsyncEngine

from services.ingest.domain.run import State
from services.ingest.runs import asked

imports_by_state = Gauge("tabularium_imports", "Imports by state; queued is the queue.", ["state"])
oldest_queued_s = Gauge(
    "tabularium_imports_oldest_queued_seconds", "How long the oldest queued import has waited."
)
rows_per_s = Gauge(
    "tabularium_imports_rows_per_second", "Rows read per second, over all running imports."
)
waiting_intents = Gauge(
    "tabularium_imports_undelivered", "Mails and catalog edges that wait to be delivered."
)
former_bytes = Gauge(
    "tabularium_imports_former_bytes", "What the rows kept for undo take in storage, compressed."
)

places = Gauge("tabularium_worker_places", "Imports that this worker runs at once, at most.")
running = Gauge("tabularium_worker_imports_running", "Imports that this worker runs now.")
attempts = Counter(
    "tabularium_worker_attempts_total",
    "Attempts at imports by kind and how they ended: succeeded, failed, given_back, taken_over.",
    ["kind", "result"],
)
attempt_s = Histogram(
    "tabularium_worker_attempt_seconds",
    "Duration of attempts at imports by kind.",
    ["kind"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600),
)


async def measure(engine: AsyncEngine) -> None:
    """Set the gauges."""
    async with engine.connect() as connection:
        figures = await asked.figures(connection)
    for state in State:
        imports_by_state.labels(state.value).set(figures.by_state.get(state, 0))
    oldest_queued_s.set(figures.oldest_queued_s)
    rows_per_s.set(figures.rows_per_s)
    waiting_intents.set(figures.intents)
    former_bytes.set(figures.former_bytes)
