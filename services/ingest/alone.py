"""One claimed run in a process of its own, with a limit on its memory.

`python -m services.ingest.alone IMPORT LEASE` works on the run as a worker does, heartbeat and
end included, and gives it back when its worker ends. The worker only waits, and writes what
becomes of the run where this process died (`work.apart`).
"""

import asyncio
import math
import os
import signal
import sys
from typing import Any

import structlog
import uvloop

from services.ingest.domain.run import Claim, ImportId
from services.ingest.process import opened_worker
from services.ingest.read.serving import OUT_OF_MEMORY_STATUS, confine
from services.ingest.runs import worked
from services.ingest.settings import WorkerSettings
from shared.process.logging import configure_logging
from shared.process.tracing import traced

log = structlog.get_logger()


async def _work(import_id: ImportId, *, lease: int, settings: WorkerSettings) -> None:
    async with traced(settings, service="ingest-worker"), opened_worker(settings) as worker:
        run = await worked.claimed(worker.pool, import_id, lease=lease)
        if run is None:
            log.warning("import_fenced_out", import_id=import_id)
            return
        confine(
            memory_bytes=settings.import_memory_bytes, cpu_s=math.ceil(settings.import_deadline_s)
        )
        work = asyncio.create_task(worker.runner.work_on(Claim(run=run, exhausted=False)))
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(_end_without_memory)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, work.cancel)
        loop.add_reader(sys.stdin.fileno(), work.cancel)
        try:
            await asyncio.wait([work])
        finally:
            loop.remove_reader(sys.stdin.fileno())
        if not work.cancelled():
            work.result()


def _end_without_memory(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    # A message that is too large for the limit is met in the transport, which would only close
    # the connection: the import would be said to have lost it.
    if isinstance(context.get("exception"), MemoryError):
        os._exit(OUT_OF_MEMORY_STATUS)
    loop.default_exception_handler(context)


def main() -> None:
    """Work on the run that the arguments name."""
    settings = WorkerSettings()
    configure_logging(
        service="ingest-worker", level=settings.log_level, log_format=settings.log_format
    )
    try:
        uvloop.run(_work(ImportId(int(sys.argv[1])), lease=int(sys.argv[2]), settings=settings))
    except MemoryError:
        sys.exit(OUT_OF_MEMORY_STATUS)


if __name__ == "__main__":
    main()
