"""What is in the rows of a table (`catalog:read`, for those who may read the table)."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from services.catalog.dependencies import (
    Namespace,
    Process,
    Reader,
    SchemaName,
    TableName,
    schema_of,
)
from shared.contracts.base import Id
from shared.contracts.ingest import ProfileFormat, TableProfile
from shared.http.json_bodies import JsonRoute
from shared.http.pictures import CONTENT, picture_response

router = APIRouter(prefix="/api/catalog", tags=["catalog"], route_class=JsonRoute)

OneImport = Annotated[
    Id | None, Query(alias="import", description="An import into the table; by default the newest.")
]
Format = Annotated[ProfileFormat, Query(alias="format")]
PROFILE: dict[int | str, dict[str, Any]] = {
    200: {"description": "The profile in the format asked for.", "content": CONTENT}
}


@router.get(
    "/tables/{schema:segment}/{table:segment}/profile",
    summary="What is in a table's rows",
    response_model=TableProfile,
    responses=PROFILE,
)
async def catalog_tables_profile(
    catalog: Process,
    caller: Reader,
    schema: SchemaName,
    table: TableName,
    namespace: Namespace = None,
    import_id: OneImport = None,
    format_: Format = ProfileFormat.JSON,
) -> Response:
    """Nulls, different values, extremes, commonest values and histograms of each column.

    Computed while an import into the table ran, of its rows. `svg` is a picture with a row for each
    column. 404 where no import has one, and for those who may not read the table.
    """
    asked = (caller, schema_of(schema), table)
    if format_ is ProfileFormat.SVG:
        return picture_response(
            await catalog.profiles.picture(*asked, namespace=namespace, import_id=import_id)
        )
    profile = await catalog.profiles.read(*asked, namespace=namespace, import_id=import_id)
    return Response(profile.model_dump_json(by_alias=True), media_type="application/json")
