"""One claimed run in a process of its own (`services.ingest.alone`): started, and waited for."""

import asyncio
import os
import signal
import sys
from dataclasses import dataclass

from pydantic import SecretStr

from services.ingest.domain.run import Run
from services.ingest.read.serving import OUT_OF_MEMORY_STATUS
from services.ingest.settings import WorkerSettings


class ProcessDiedError(Exception):
    """The process that worked on a run ended before the run did."""

    def __init__(self, status: int) -> None:
        memory = status in (OUT_OF_MEMORY_STATUS, -signal.SIGABRT, -signal.SIGKILL)
        how = f"signal {-status}" if status < 0 else f"status {status}"
        why = "it took more memory than it may" if memory else f"it ended with {how}"
        super().__init__(f"the process that had the import to itself died: {why}")


@dataclass(frozen=True, slots=True)
class Apart:
    """Starts such processes, and waits for them."""

    settings: WorkerSettings

    async def work_on(self, run: Run) -> None:
        """Return when the process has ended or given back the run; raises ProcessDiedError.

        Cancelled, it lets the process give the run back first.
        """
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "services.ingest.alone", str(run.id), str(run.lease)),
            # Open as long as this worker lives.
            stdin=asyncio.subprocess.PIPE,
            env=environment_of(self.settings),
        )
        try:
            status = await process.wait()
        except asyncio.CancelledError:
            process.terminate()
            await process.wait()
            raise
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if status:
            raise ProcessDiedError(status)


def environment_of(settings: WorkerSettings) -> dict[str, str]:
    """The worker's environment, with its settings as they are."""
    values = {
        name.upper(): value.get_secret_value() if isinstance(value, SecretStr) else str(value)
        for name, value in settings
        if value is not None
    }
    return {**os.environ, **values, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
