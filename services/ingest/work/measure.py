"""What an operator watches, for Prometheus.

The queue is asked of the database by the API's process, so that every one of them says the same;
what a worker does is counted by the worker.
"""

from collections.abc import Iterator

from prometheus_client import REGISTRY, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy.ext.asyncio import AsyncEngine

from services.ingest.domain.run import QueueFigures, State
from services.ingest.runs import asked


class Queue(Collector):
    """The queue, as this process saw it last; a process that does not look says nothing of it."""

    figures: QueueFigures | None = None

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """A gauge for each figure."""
        if (figures := self.figures) is None:
            return
        imports = GaugeMetricFamily(
            "tabularium_imports", "Imports by state; queued is the queue.", labels=["state"]
        )
        for state in State:
            imports.add_metric([state.value], figures.by_state.get(state, 0))
        yield imports
        yield GaugeMetricFamily(
            "tabularium_imports_oldest_queued_seconds",
            "How long the oldest queued import has waited.",
            value=figures.oldest_queued_s,
        )
        yield GaugeMetricFamily(
            "tabularium_imports_rows_per_second",
            "Rows read per second, over all running imports.",
            value=figures.rows_per_s,
        )
        yield GaugeMetricFamily(
            "tabularium_imports_undelivered",
            "Mails and catalog edges that wait to be delivered.",
            value=figures.intents,
        )
        yield GaugeMetricFamily(
            "tabularium_imports_former_bytes",
            "What the rows kept for undo take in storage, compressed.",
            value=figures.former_bytes,
        )


queue = Queue()
REGISTRY.register(queue)

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
    """Look at the queue."""
    async with engine.connect() as connection:
        queue.figures = await asked.figures(connection)
