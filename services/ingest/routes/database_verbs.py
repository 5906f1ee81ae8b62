"""The older systems' call for databases: translated, then the same use case."""

from fastapi import APIRouter, Response

from services.ingest.dependencies import Cataloguer, RequestKey, State
from services.ingest.routes.answering import accepted
from services.ingest.routes.schemas import ImportAnswer
from services.ingest.routes.schemas_of_connections import CatalogDatabase

router = APIRouter(tags=["verbs"])

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
    "/api/data/database",
    summary="Fill the catalog from a database",
    status_code=202,
    openapi_extra={"requestBody": {"content": {"application/json": {"examples": EXAMPLES}}}},
)
async def data_database_action(
    wanted: CatalogDatabase,
    caller: Cataloguer,
    state: State,
    response: Response,
    request_key: RequestKey,
) -> ImportAnswer:
    """Queue a scan: the database's tables enter the catalog under the ETL, with their columns.

    The log-in is tried first: 422 says within 10 s, in plain words, what does not work.
    """
    run = await state.databases.submit_scan(
        caller, wanted.request(), wanted.login(), request_key=request_key
    )
    return accepted(run, response)
