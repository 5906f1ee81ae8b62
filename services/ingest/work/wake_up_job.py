"""arq's jobs: the second entry point. A job is a wake-up, and the rows say what there is to do."""

import asyncio
from typing import Any

from services.ingest.work.slots import Crew


async def run_imports(ctx: dict[str, Any], import_id: int) -> int:  # noqa: ARG001 - for the log
    """Work until no import is due; the one that the wake-up names may be another worker's by then.

    arq may lose its Redis, or time the job out: the import goes on, because it belongs to the
    crew. Returns how many imports were worked on.
    """
    crew: Crew = ctx["crew"]
    return await asyncio.shield(crew.start_shift())
