"""arq's wake-ups: "look at run 42". The table of imports says what there is to do."""

import asyncio
from dataclasses import dataclass
from typing import Any

from arq.connections import ArqRedis
from arq.worker import Worker, func

from services.ingest.wake_ups import QUEUE, TASK, deserialised, serialised
from services.ingest.work.slots import WorkerSlots
from shared.process.stopping import end

WAKE_UP_TIMEOUT_S = 24 * 3600
SHUTDOWN_GRACE_S = 5.0


@dataclass(frozen=True, slots=True)
class Listener:
    """Listens to arq; each wake-up starts a session in the slots."""

    redis: ArqRedis
    slots: WorkerSlots
    places: int

    async def listen(self) -> None:
        """One listening session; raises what ended it, for example a Redis that is away."""
        worker = Worker(
            functions=[func(run_imports, name=TASK, timeout=WAKE_UP_TIMEOUT_S)],
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
            await _hang_up(worker, listening)
        listening.result()


async def run_imports(ctx: dict[str, Any], import_id: int) -> int:  # noqa: ARG001 - for the log
    """Work until no import is due; the one that the wake-up names may be another worker's by then.

    arq may lose its Redis, or time the job out: the import goes on, because its session belongs
    to the slots. Returns how many imports were worked on.
    """
    slots: WorkerSlots = ctx["slots"]
    return await asyncio.shield(slots.start())


async def _hang_up(worker: Worker, listening: "asyncio.Task[None]") -> None:
    # arq puts wake-ups that were being served back into the queue; without Redis they are lost.
    await end([listening])
    if worker.tasks:
        await asyncio.wait(worker.tasks.values(), timeout=SHUTDOWN_GRACE_S)
