"""A worker process: `python -m services.ingest.worker`.

It listens to arq, runs imports, takes over those of dead workers, delivers mails and edges, and
applies the retention rules. Any number of them may run, on any number of machines.
"""

import asyncio
import signal

import structlog
import uvloop

from services.ingest.books import outbox
from services.ingest.process import WorkerProcess, opened_worker
from services.ingest.runs.events import LINEAGE
from services.ingest.settings import WorkerSettings
from services.ingest.work.feed_health import FeedHealth
from services.ingest.work.listen import Listener
from services.ingest.work.measure import places
from services.ingest.work.sweep import Sweeper
from services.ingest.work.tick import Ticks
from shared.process.duties import Duty, on_duty
from shared.process.logging import configure_logging
from shared.process.mail import MailServerDownError
from shared.process.metrics import metrics_served
from shared.process.settings import of_environment
from shared.process.tracing import traced
from shared.store.outbox import deliver_due
from shared.store.redis import REDIS_AWAY

log = structlog.get_logger()

LISTEN_AGAIN_S = 1.0
DELIVER_EVERY_S = 2.0
DELIVER_REST_S = 0.25
"""Of many small imports, what they deliver is gathered."""
SWEEPS_PER_HEALTH = 5
"""It looks at every feed's last run, and a moment later is as good."""


async def work(settings: WorkerSettings, stop: asyncio.Event) -> None:
    """Work until `stop` is set; imports that run then are given back, and go on elsewhere."""
    async with opened_worker(settings) as worker, on_duty(*duties_of(worker)):
        places.set(settings.worker_concurrency)
        log.info("worker_started", places=settings.worker_concurrency)
        await stop.wait()
        log.info("worker_stops")
    log.info("worker_stopped")


def duties_of(worker: WorkerProcess) -> tuple[Duty, ...]:
    """What a worker does beside the imports in its slots."""
    settings = worker.settings
    listener = Listener(
        worker.redis, worker.hints, worker.slots, places=settings.worker_concurrency
    )
    sweeper = Sweeper(worker.pool, worker.slots, silent_s=settings.silent_s)
    health = FeedHealth(worker.engine)
    ticks = Ticks(worker.engine, worker.slots)
    handlers = worker.deliveries.handlers()
    return (
        Duty("listen", listener.listen, every_s=LISTEN_AGAIN_S, bears=REDIS_AWAY),
        Duty("hear", listener.hear, every_s=LISTEN_AGAIN_S, bears=REDIS_AWAY),
        Duty("sweep", sweeper.sweep, every_s=settings.sweep_s),
        Duty("feeds", ticks.tick, every_s=settings.sweep_s),
        Duty("health of feeds", health.tell, every_s=settings.sweep_s * SWEEPS_PER_HEALTH),
        Duty(
            "tidy", worker.tidy.apply_retention, every_s=settings.housekeeping_s, bears=(OSError,)
        ),
        Duty(
            "deliver",
            lambda: deliver_due(worker.engine, outbox, handlers),
            every_s=DELIVER_EVERY_S,
            woken_by=worker.due,
            rest_s=DELIVER_REST_S,
        ),
        # By itself: while its receiver is slow or away, mails and edges go on.
        Duty(
            "lineage",
            lambda: deliver_due(worker.engine, outbox, {LINEAGE: worker.lineage.tell}),
            every_s=DELIVER_EVERY_S,
        ),
        Duty(
            "webhooks",
            worker.sender.send_due,
            every_s=DELIVER_EVERY_S,
            woken_by=worker.sender.due,
        ),
        Duty(
            "gathered mails",
            worker.mails.send_gathered,
            every_s=settings.gather_s,
            bears=(MailServerDownError,),
        ),
    )


def main() -> None:
    """Run a worker until SIGTERM or SIGINT."""
    settings = of_environment(WorkerSettings)
    configure_logging(
        service="ingest-worker", level=settings.log_level, log_format=settings.log_format
    )
    # The loop that uvicorn chooses for the services too: a COPY takes a tenth less memory on it.
    uvloop.run(_main(settings))


async def _main(settings: WorkerSettings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with metrics_served(settings), traced(settings, service="ingest-worker"):
        await work(settings, stop)


if __name__ == "__main__":
    main()
