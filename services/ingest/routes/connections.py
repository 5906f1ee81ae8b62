"""Saved connections to other databases, which the API calls sources."""

# ruff: noqa: FAST003 - the path says `{id}`, the function `source_id`

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from services.ingest.dependencies import Importer, Process
from services.ingest.routes.schemas import Limit
from services.ingest.routes.schemas_of_sources import (
    SAVED_EXAMPLES,
    SourceAnswer,
    SourceTested,
    SourceToSave,
    source_answer,
)
from shared.contracts.base import LARGEST_BIGINT, Id, Page
from shared.http.json_bodies import JsonRoute
from shared.http.paging import page

router = APIRouter(tags=["sources"], route_class=JsonRoute)

SourceId = Annotated[Id, Path(alias="id")]


@router.get("/api/sources", summary="List saved sources")
async def sources_list(
    request: Request,
    process: Process,
    caller: Importer,
    after: Annotated[int, Query(ge=0, le=LARGEST_BIGINT, description="Ids above this one.")] = 0,
    limit: Limit = 25,
) -> Page[SourceAnswer]:
    """Your saved connections (an admin's: everyone's); without passwords."""
    saved = await process.saved.page(caller, after=after, limit=limit)
    return page(request, saved, source_answer, by="after")


@router.post(
    "/api/sources",
    summary="Save a source",
    status_code=201,
    openapi_extra={"requestBody": {"content": {"application/json": {"examples": SAVED_EXAMPLES}}}},
)
async def sources_create(
    process: Process, caller: Importer, source: SourceToSave, response: Response
) -> SourceAnswer:
    """Keep a connection under a name; its password is encrypted, and never returned."""
    saved = await process.saved.add(caller, source.name, source.login())
    response.headers["Location"] = f"/api/sources/{saved.id}"
    return source_answer(saved)


@router.delete("/api/sources/{id:int}", summary="Forget a source", status_code=204)
async def sources_delete(process: Process, caller: Importer, source_id: SourceId) -> None:
    """Forget a connection and its password; imports that wait for it will fail."""
    await process.saved.remove(caller, source_id)


@router.post("/api/sources/{id:int}/test", summary="Try a source")
async def sources_test(process: Process, caller: Importer, source_id: SourceId) -> SourceTested:
    """Log in and out again; 422 says within 10 s, in plain words, what does not work."""
    return SourceTested.of(await process.saved.test(caller, source_id))
