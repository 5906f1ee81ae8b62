"""Wake-ups, from arq and as hints. The table of imports says what there is to do."""

import asyncio
from dataclasses import dataclass
from typing import Any

from arq.connections import ArqRedis
from arq.worker import Worker, func
from redis.asyncio import Redis

from services.ingest.wake_ups import QUEUE, TASK, deserialised, next_hint, serialised
from services.ingest.work.slots import WorkerSlots
from shared.process.stopping import end, to_its_end

JOB_TIMEOUT_S = 10
SHUTDOWN_GRACE_S = 5.0


@dataclass(frozen=True, slots=True)
class Listener:
    """Listens; each wake-up starts a session in the slots."""

    redis: ArqRedis
    hints: Redis
    slots: WorkerSlots
    places: int

    async def hear(self) -> None:
        """Start a session for each hint, while a slot is free; raises what ends the connection."""
        while True:
            await self.slots.room()
            if await next_hint(self.hints):
                self.slots.start()

    async def listen(self) -> None:
        """One listening session; raises what ended it, for example a Redis that is away."""
        worker = Worker(
            functions=[func(run_imports, name=TASK, timeout=JOB_TIMEOUT_S)],
            queue_name=QUEUE,
            redis_pool=self.redis,
            max_jobs=self.places,
            handle_signals=False,
            keep_result=0,
            ctx={"slots": self.slots},
            job_serializer=serialised,
            job_deserializer=deserialised,
        )
        listening = asyncio.create_task(worker.async_run())
        try:
            await asyncio.wait([listening])
        finally:
            # Or a worker that nobody ends would go on taking wake-ups.
            await to_its_end(_hang_up(worker, listening))
        listening.result()


async def run_imports(ctx: dict[str, Any]) -> None:
    """Start a session; the job is over at once, and the session belongs to the slots.

    So arq may lose its Redis, or stop: the imports go on.
    """
    slots: WorkerSlots = ctx["slots"]
    slots.start()


async def _hang_up(worker: Worker, listening: "asyncio.Task[None]") -> None:
    # arq puts wake-ups that were being served back into the queue; without Redis they are lost.
    await end([listening])
    if worker.tasks:
        await asyncio.wait(worker.tasks.values(), timeout=SHUTDOWN_GRACE_S)
