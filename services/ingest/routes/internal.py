"""What our own services ask of imports."""

from typing import Annotated

from fastapi import APIRouter, Query

from services.ingest.answers import summary_of
from services.ingest.dependencies import Peer, Process
from services.ingest.routes.reports import picture_of, profile_of
from shared.contracts.base import Id, StorableText
from shared.contracts.events import TableNews
from shared.contracts.ingest import ImportSummaries, ProfilePicture, TableProfile
from shared.http.app import MIB
from shared.http.json_bodies import JsonRoute

router = APIRouter(prefix="/internal", include_in_schema=False, route_class=JsonRoute)

OneImport = Annotated[Id | None, Query(alias="import")]
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


@router.get("/profiles")
async def internal_profiles(
    process: Process, _peer: Peer, table: StorableText, import_id: OneImport = None
) -> TableProfile:
    """The profile of an import's rows in a table, by default of the newest."""
    return profile_of(await process.reports.of_table(table, import_id))


@router.get("/profiles/picture")
async def internal_profiles_picture(
    process: Process, _peer: Peer, table: StorableText, import_id: OneImport = None
) -> ProfilePicture:
    """The same as a picture."""
    kept = await process.reports.of_table(table, import_id)
    return ProfilePicture(svg=await picture_of(kept))


@router.post("/events", status_code=204, max_body_size=LARGEST_TABLE_BYTES)
async def internal_events(process: Process, _peer: Peer, news: TableNews) -> None:
    """What happened to a table, for those who have it sent to them."""
    await process.webhooks.announce(news)
