"""What an operator watches, for Prometheus; asked of the database every few seconds."""

import asyncio

import structlog
from prometheus_client import Gauge

from services.ingest.domain import State
from services.ingest.service.control import Steering
from shared.store.away import is_away

EVERY_S = 5.0

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

log = structlog.get_logger()


async def measure(steering: Steering) -> None:
    """Set the gauges from the database."""
    figures = await steering.figures()
    for state in State:
        imports_by_state.labels(state.value).set(figures.by_state.get(state, 0))
    oldest_queued_s.set(figures.oldest_queued_s)
    rows_per_s.set(figures.rows_per_s)
    waiting_intents.set(figures.intents)


async def measure_forever(steering: Steering) -> None:
    """Keep the gauges fresh; a database that is away leaves them as they were."""
    while True:
        try:
            await measure(steering)
        except Exception as exc:
            if not is_away(exc) and not isinstance(exc, OSError):
                raise
            log.warning("metrics_wait_for_database", error=type(exc).__name__)
        await asyncio.sleep(EVERY_S)
