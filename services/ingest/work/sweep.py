"""Silent runs are taken over; queued ones that no wake-up has reached are taken up."""

from dataclasses import dataclass

import structlog

from services.ingest.runs import worked
from services.ingest.work.slots import WorkerSlots
from shared.store.engine import RawPool

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Sweeper:
    """Finds what was lost: with a worker that died, or with a wake-up."""

    pool: RawPool
    slots: WorkerSlots
    silent_s: float

    async def sweep(self) -> None:
        """Queue silent runs again; start a session when a slot is free and a run is due."""
        for import_id in await worked.take_over_silent(self.pool, silent_s=self.silent_s):
            log.warning("import_taken_over", import_id=import_id)
        if self.slots.has_room and await worked.is_any_due(self.pool):
            self.slots.start()
