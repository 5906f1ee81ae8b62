"""What our own services ask of imports."""

from typing import Annotated

from fastapi import APIRouter, Query

from services.ingest.answers import summary_of
from services.ingest.dependencies import Peer, Process
from shared.contracts.base import StorableText
from shared.contracts.events import TableNews
from shared.contracts.ingest import ImportSummaries
from shared.http.app import MIB

router = APIRouter(prefix="/internal", include_in_schema=False)

LARGEST_TABLE_BYTES = 16 * MIB
"""1,600 columns with their descriptions, and as many grants."""


@router.get("/imports")
async def internal_imports(
    process: Process,
    _peer: Peer,
    table: StorableText | None = None,
    etl: StorableText | None = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 10,
) -> ImportSummaries:
    """The newest imports into a table, or by an ETL."""
    runs = await process.control.feeding(table=table, etl=etl, limit=limit)
    return ImportSummaries(items=tuple(summary_of(run) for run in runs))


@router.post("/events", status_code=204, max_body_size=LARGEST_TABLE_BYTES)
async def internal_events(process: Process, _peer: Peer, news: TableNews) -> None:
    """What happened to a table, for those who have it sent to them."""
    await process.webhooks.announce(news)
