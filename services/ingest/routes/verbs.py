"""The calls of the older systems: translated, then the same use cases."""

from fastapi import APIRouter, Response

from services.ingest.answers import ImportAnswer
from services.ingest.dependencies import Body, Cataloguer, Importer, Process, RequestKey
from services.ingest.routes.forms import catalog_file_request, multipart, upload_csv_request
from services.ingest.routes.imports import accepted
from services.ingest.routes.schemas import CatalogFileForm, UploadCsvForm
from services.ingest.routes.schemas_of_connections import CatalogDatabase
from shared.http.app import STREAMED
from shared.http.idempotency import not_idempotent
from shared.http.json_bodies import JsonRoute

router = APIRouter(tags=["verbs"], route_class=JsonRoute)

EXAMPLES = {
    "postgres": {
        "value": {
            "db_type": "postgres",
            "host": "db.example.com",
            "port": 5432,
            "dbname": "crm",
            "user": "reader",
            "password": "secret",
            "etl_name": "nightly",
        }
    },
    "oracle": {
        "value": {
            "db_type": "oracle",
            "dsn": "ora.example.com:1521/FREEPDB1",
            "user": "reader",
            "password": "secret",
            "etl_name": "nightly",
        }
    },
}


@router.post(
    "/api/upload-csv",
    summary="Upload a CSV file into a table",
    status_code=202,
    max_body_size=STREAMED,
    openapi_extra=multipart(
        UploadCsvForm, example={"table_name": "Customer", "email": "ann@example.com"}
    ),
)
@not_idempotent("a multipart body differs each time; its import's row keeps the key")
async def upload_csv_action(
    process: Process, caller: Importer, body: Body, response: Response, request_key: RequestKey
) -> ImportAnswer:
    """Queue the import of a CSV file; the result is mailed to `email`."""
    run = await process.intake.submit_file(
        caller, body, upload_csv_request, request_key=request_key
    )
    return accepted(run, response)


@router.post(
    "/api/data/file",
    summary="Fill the catalog from a file",
    status_code=202,
    max_body_size=STREAMED,
    openapi_extra=multipart(CatalogFileForm, example={}),
)
@not_idempotent("a multipart body differs each time; its import's row keeps the key")
async def data_file_action(
    process: Process, caller: Cataloguer, body: Body, response: Response, request_key: RequestKey
) -> ImportAnswer:
    """Queue a CSV, JSON or NDJSON file of `etl_name,schema_name,table_name` for the catalog."""
    run = await process.intake.submit_file(
        caller, body, catalog_file_request, request_key=request_key
    )
    return accepted(run, response)


@router.post(
    "/api/data/database",
    summary="Fill the catalog from a database",
    status_code=202,
    openapi_extra={"requestBody": {"content": {"application/json": {"examples": EXAMPLES}}}},
)
async def data_database_action(
    process: Process, caller: Cataloguer, scan: CatalogDatabase, response: Response
) -> ImportAnswer:
    """Queue a scan: the database's tables enter the catalog under the ETL, with their columns.

    The log-in is tried first: 422 says within 10 s, in plain words, what does not work.
    """
    run = await process.databases.submit_scan(caller, scan.request(), scan.login())
    return accepted(run, response)
