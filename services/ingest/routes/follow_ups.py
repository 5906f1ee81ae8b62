"""What follows an import: corrections of its refused rows, the commit of a dry run."""

# ruff: noqa: FAST003 - the path says `{id}`, the function `import_id`

from typing import Annotated

from fastapi import APIRouter, Path, Response

from services.ingest.answers import ImportAnswer
from services.ingest.dependencies import Body, Importer, Process, RequestKey
from services.ingest.routes.forms import json_of, multipart, or_json, validated
from services.ingest.routes.imports import accepted
from services.ingest.routes.schemas import CorrectionForm, RowCorrections
from shared.contracts.base import Id
from shared.http.app import STREAMED
from shared.http.idempotency import not_idempotent
from shared.http.json_bodies import JsonRoute

router = APIRouter(tags=["imports"], route_class=JsonRoute)

ImportId = Annotated[Id, Path(alias="id")]
CORRECTION = {"format": "auto"}


@router.post(
    "/api/imports/{id:int}/corrections",
    summary="Correct refused rows of an import",
    status_code=202,
    max_body_size=STREAMED,
    openapi_extra=or_json(multipart(CorrectionForm, example=CORRECTION), RowCorrections),
)
@not_idempotent("a multipart body differs each time; its import's row keeps the key")
async def imports_correct(
    process: Process,
    caller: Importer,
    import_id: ImportId,
    body: Body,
    response: Response,
    request_key: RequestKey,
) -> ImportAnswer:
    """Take the rejects file, corrected (in any format), or rows by their lines as JSON.

    The rows are judged as those of the import were, and what is in order enters as rows of that
    import: it leaves its `/errors` and `/rejects`, and counts as `rows.corrected`. What is in
    already is skipped, and counted as `skipped`.
    """
    if body.media_type == "application/json":
        given = await json_of(body, RowCorrections)
        run = await process.corrections.submit_rows(
            caller, import_id, given.corrected(), request_key=request_key
        )
    else:
        run = await process.corrections.submit_file(
            caller,
            import_id,
            body,
            lambda fields: validated(CorrectionForm, fields).options(),
            request_key=request_key,
        )
    return accepted(run, response)


@router.post("/api/imports/{id:int}/commit", summary="Load what a dry run judged", status_code=202)
async def imports_commit(
    process: Process, caller: Importer, import_id: ImportId, response: Response
) -> ImportAnswer:
    """Load the rows that a dry run judged, as it said, or none.

    The source is not read again, and the rows that were refused then are those that are refused
    now. A table that was changed since, or rows that would come out otherwise, end the new import
    as `failed` with `not_as_rehearsed`, which names the first difference.
    """
    return accepted(await process.commits.submit(caller, import_id), response)
