"""Previews: a look at a file, an upload or a database's rows before they land."""

from fastapi import APIRouter

from services.ingest.connections.domain import SourceId
from services.ingest.dependencies import Body, Importer, Process
from services.ingest.routes.forms import json_of, multipart, or_json, validated
from services.ingest.routes.schemas_of_previews import (
    PreviewAnswer,
    PreviewBody,
    PreviewForm,
    preview_answer,
)
from services.ingest.uploads.domain import UploadId
from shared.http.app import STREAMED
from shared.http.idempotency import not_idempotent
from shared.http.json_bodies import JsonRoute

router = APIRouter(tags=["uploads"], route_class=JsonRoute)

EXAMPLE = {"table": "Customer"}


@router.post(
    "/api/previews",
    summary="Look at a file before it lands",
    max_body_size=STREAMED,
    openapi_extra=or_json(multipart(PreviewForm, example=EXAMPLE), PreviewBody),
)
@not_idempotent("it changes nothing but what is kept for a day")
async def previews_create(process: Process, caller: Importer, body: Body) -> PreviewAnswer:
    """Say what a file is, what its columns would be, and what would be refused; load nothing.

    Reads the first 8 MiB of a text file, or the first 10,000 rows of a workbook, a typed file or
    a database. The file is kept as an upload. `table` compares it with a table; without it the
    types are those that `create_table` would give.
    """
    if body.media_type == "application/json":
        given = await json_of(body, PreviewBody)
        if given.source_id is not None:
            wanted = given.wanted_of_source()
            return preview_answer(
                await process.previews.of_database(
                    caller, SourceId(given.source_id), given.selection(), wanted
                )
            )
        assert given.upload is not None
        preview = await process.previews.of_upload(caller, UploadId(given.upload), given.wanted())
    else:
        preview = await process.previews.of_file(
            caller, body, lambda fields: validated(PreviewForm, fields).wanted()
        )
    return preview_answer(preview)
