"""The calls of the older systems: translated, then the same use cases."""

from fastapi import APIRouter, Response

from services.ingest.dependencies import Body, Cataloguer, Importer, RequestKey, State
from services.ingest.routes.answering import accepted
from services.ingest.routes.forms import catalog_file_request, multipart, upload_csv_request
from services.ingest.routes.schemas import CatalogFileForm, ImportAnswer, UploadCsvForm
from shared.http.idempotency import not_idempotent

router = APIRouter(tags=["verbs"])


@router.post(
    "/api/upload-csv",
    summary="Upload a CSV file into a table",
    status_code=202,
    openapi_extra=multipart(
        UploadCsvForm, example={"table_name": "Customer", "email": "ann@example.com"}
    ),
)
@not_idempotent("a multipart body differs each time; its import's row keeps the key")
async def upload_csv_action(
    body: Body, caller: Importer, state: State, response: Response, request_key: RequestKey
) -> ImportAnswer:
    """Queue the import of a CSV file; the result is mailed to `email`."""
    run = await state.intake.submit_file(caller, body, upload_csv_request, request_key=request_key)
    return accepted(run, response)


@router.post(
    "/api/data/file",
    summary="Fill the catalog from a file",
    status_code=202,
    openapi_extra=multipart(CatalogFileForm, example={}),
)
@not_idempotent("a multipart body differs each time; its import's row keeps the key")
async def data_file_action(
    body: Body, caller: Cataloguer, state: State, response: Response, request_key: RequestKey
) -> ImportAnswer:
    """Queue a CSV, JSON or NDJSON file of `etl_name,schema_name,table_name` for the catalog."""
    run = await state.intake.submit_file(
        caller, body, catalog_file_request, request_key=request_key
    )
    return accepted(run, response)
