"""The answer that every way of submitting an import gives."""

from datetime import UTC, datetime

from fastapi import Response

from services.ingest.domain import Run
from services.ingest.routes.schemas import ImportAnswer


def accepted(run: Run, response: Response) -> ImportAnswer:
    """The import as it stands, and in `Location` where to follow it."""
    response.headers["Location"] = f"/api/imports/{run.id}"
    return ImportAnswer.of_run(run, now=datetime.now(UTC))
