"""A worker process: `python -m services.ingest.worker`.

It listens to arq, runs imports, takes over those of dead workers, delivers mails and edges, and
keeps the house. Any number of them may run, on any number of machines.
"""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg
import structlog
import uvloop
from arq.connections import ArqRedis
from arq.worker import Worker, func
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from services.ingest.connections.access import source_access
from services.ingest.dependencies import bookkeeping_engine, peers_of
from services.ingest.mailer import Mailer
from services.ingest.runs.kept import KeepingRepository
from services.ingest.runs.rejects import RejectRepository
from services.ingest.runs.worked import JobRepository
from services.ingest.settings import WorkerSettings
from services.ingest.storage import Storage
from services.ingest.tables import outbox
from services.ingest.wake_ups import (
    QUEUE,
    REDIS_AWAY,
    TASK,
    arq_redis,
    deserialised,
    serialised,
)
from services.ingest.work.database_loads import DatabaseLoads
from services.ingest.work.deliver import Deliveries
from services.ingest.work.loads import LOADS
from services.ingest.work.runner import Runner
from services.ingest.work.slots import Crew
from services.ingest.work.tidy import Upkeep
from services.ingest.work.wake_up_job import run_imports
from shared.errors import UnavailableError
from shared.http.peers import http_client
from shared.process.logging import configure_logging
from shared.process.tasks import end
from shared.store.away import AWAY
from shared.store.engine import database_pool
from shared.store.outbox import deliver_forever

log = structlog.get_logger()

WAKE_UP_TIMEOUT_S = 24 * 3600
LISTEN_AGAIN_S = 1.0
LAST_WORDS_S = 5.0
REDIS_RETRIES = 10

SESSION_LOST: tuple[type[Exception], ...] = (
    *AWAY,
    asyncpg.PostgresError,
    DBAPIError,
    UnavailableError,
    OSError,
    TimeoutError,
)
"""The database or the storage, for now."""


@dataclass(frozen=True)
class WorkerState:
    """Everything that one worker process holds."""

    settings: WorkerSettings
    engine: AsyncEngine
    redis: ArqRedis
    jobs: JobRepository
    upkeep: Upkeep
    runner: Runner
    databases: DatabaseLoads
    deliveries: Deliveries


@asynccontextmanager
async def worker_state(settings: WorkerSettings) -> AsyncIterator[WorkerState]:
    """The state of a worker process."""
    async with (
        http_client() as http,
        bookkeeping_engine(settings) as engine,
        database_pool(
            settings.database_url.get_secret_value(),
            application_name="tabularium-ingest:worker",
            size=settings.worker_concurrency * 2 + 4,
        ) as pool,
        arq_redis(settings.redis_url.get_secret_value(), retries=REDIS_RETRIES) as redis,
    ):
        storage, jobs = Storage(settings.storage_url), JobRepository(pool)
        peers = peers_of(http, settings)
        upkeep = Upkeep(
            jobs=jobs, keeping=KeepingRepository(pool), storage=storage, settings=settings
        )
        databases = DatabaseLoads(
            engine=engine,
            access=source_access(settings, engine),
            password_retention_days=settings.source_password_retention_days,
        )
        yield WorkerState(
            settings=settings,
            engine=engine,
            redis=redis,
            jobs=jobs,
            upkeep=upkeep,
            runner=Runner(
                jobs=jobs,
                kept_rejects=RejectRepository(pool),
                storage=storage,
                records=peers.records,
                catalog=peers.catalog,
                upkeep=upkeep,
                loads={**LOADS, **databases.by_kind()},
                settings=settings,
            ),
            databases=databases,
            deliveries=Deliveries(
                mailer=Mailer(settings, public_url=settings.public_url),
                catalog=peers.catalog,
                records=peers.records,
                keeping=KeepingRepository(pool),
            ),
        )


async def work(settings: WorkerSettings, stop: asyncio.Event) -> None:
    """Work until told to stop; imports that run then are given back, and go on elsewhere."""
    async with worker_state(settings) as state, asyncio.TaskGroup() as group:
        due = asyncio.Event()
        crew = Crew(
            group, state.runner.run_next, places=settings.worker_concurrency, after_each=due.set
        )
        duties = [
            group.create_task(duty)
            for duty in (
                listen(state.redis, crew, places=settings.worker_concurrency),
                repeat(lambda: sweep(state, crew), every_s=settings.sweep_s),
                repeat(state.upkeep.keep_house, every_s=settings.housekeeping_s),
                repeat(state.databases.forget_passwords, every_s=settings.housekeeping_s),
                deliver_forever(state.engine, outbox, state.deliveries.handlers(), wake=due),
            )
        ]
        log.info("worker_started", places=settings.worker_concurrency)
        await stop.wait()
        log.info("worker_stops")
        await end([*duties, *crew.shifts])
    log.info("worker_stopped")


async def sweep(state: WorkerState, crew: Crew) -> None:
    """Take over silent imports, and take up queued ones that no wake-up has reached."""
    await state.upkeep.take_over()
    if crew.has_room and await state.jobs.is_any_due():
        crew.start_shift()


async def repeat(step: Callable[[], Awaitable[None]], *, every_s: float) -> None:
    """Take a step now and every few seconds; a database or storage that is away is outlived."""
    while True:
        try:
            await step()
        except SESSION_LOST as exc:
            log.warning("step_put_off", error=type(exc).__name__)
        except Exception:
            # An edge: what is wrong with keeping the house must not end imports that run.
            log.exception("step_broke")
        await asyncio.sleep(every_s)


async def listen(redis: ArqRedis, crew: Crew, *, places: int) -> None:
    """Hear arq's wake-ups for ever; a Redis that stays away is asked again every second."""
    while True:
        worker = Worker(
            functions=[func(run_imports, name=TASK, timeout=WAKE_UP_TIMEOUT_S)],
            queue_name=QUEUE,
            redis_pool=redis,
            max_jobs=places,
            handle_signals=False,
            keep_result=0,
            ctx={"crew": crew},
            job_serializer=serialised,
            job_deserializer=deserialised,
        )
        listening = asyncio.create_task(worker.async_run())
        try:
            await asyncio.wait([listening])
        finally:
            await _hang_up(worker, listening)
        if (broken := listening.exception()) is not None and not isinstance(broken, REDIS_AWAY):
            raise broken
        # Wake-ups that are being served go on by themselves: the imports are the crew's.
        log.warning("redis_away", error=type(broken).__name__)
        await asyncio.sleep(LISTEN_AGAIN_S)


async def _hang_up(worker: Worker, listening: "asyncio.Task[None]") -> None:
    # arq puts wake-ups that were being served back into the queue; without Redis they are lost.
    await end([listening])
    if worker.tasks:
        await asyncio.wait(worker.tasks.values(), timeout=LAST_WORDS_S)


def main() -> None:
    """Run a worker until SIGTERM or SIGINT."""
    settings = WorkerSettings()
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
    await work(settings, stop)


if __name__ == "__main__":
    main()
