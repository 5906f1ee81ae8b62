"""What is in the rows of an import, and its report for people."""

# ruff: noqa: FAST003 - the path says `{id}`, the function `import_id`

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response
from fastapi.responses import HTMLResponse

from services.ingest.dependencies import Importer, Process
from services.ingest.domain.profile import KeptProfile
from services.ingest.reports.page import POLICY
from services.ingest.reports.picture import profile_svg
from shared.contracts.base import Id
from shared.contracts.ingest import ProfileFormat, TableProfile
from shared.http.json_bodies import JsonRoute
from shared.http.pictures import CONTENT, picture_response

router = APIRouter(tags=["imports"], route_class=JsonRoute)

ImportId = Annotated[Id, Path(alias="id")]
PAGE_HEADERS = {
    "Content-Security-Policy": f"{POLICY}; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
PROFILE: dict[int | str, dict[str, Any]] = {
    200: {"description": "The profile in the format asked for.", "content": CONTENT}
}
PAGE: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/html": {}}, "description": "A page that needs nothing else."}
}


@router.get(
    "/api/imports/{id:int}/profile",
    summary="What is in the rows of an import",
    response_model=TableProfile,
    responses=PROFILE,
)
async def imports_profile(
    process: Process,
    caller: Importer,
    import_id: ImportId,
    format_: Annotated[ProfileFormat, Query(alias="format")] = ProfileFormat.JSON,
) -> Response:
    """Nulls, different values, extremes, commonest values and histograms of each column.

    Computed while the import ran, of the rows that were in order, for those who may read the table.
    `svg` is a picture with a row for each column. 404 while there is none: of an import that is not
    over or failed, and of rows that went from one PostgreSQL into the other without being read.
    """
    run = await process.control.look(caller, import_id)
    kept = await process.reports.profile(run, caller)
    if format_ is ProfileFormat.SVG:
        return picture_response(await picture_of(kept))
    return Response(profile_of(kept).model_dump_json(by_alias=True), media_type="application/json")


@router.get(
    "/api/imports/{id:int}/report",
    summary="The report of an import, for people",
    response_class=HTMLResponse,
    responses=PAGE,
)
async def imports_report(process: Process, caller: Importer, import_id: ImportId) -> HTMLResponse:
    """One HTML page: what became of the import, why rows were refused, where they come from.

    It shows the first refused rows as `/errors` does, how the file was read, and the profile to
    those who may read the table. It runs no script and loads nothing, so it can be kept as a file.
    """
    page = await process.reports.page(await process.control.look(caller, import_id), caller)
    return HTMLResponse(page, headers=PAGE_HEADERS)


def profile_of(kept: KeptProfile) -> TableProfile:
    """A profile as it is answered."""
    return TableProfile.of(
        kept.profile, import_=kept.import_id, profiled_at=kept.finished_at, table=kept.table
    )


async def picture_of(kept: KeptProfile) -> str:
    """A profile as a picture."""
    where = "" if kept.table is None else f"data.{kept.table} · "
    return await asyncio.to_thread(
        profile_svg, kept.profile, title=f"{where}import {kept.import_id}"
    )
