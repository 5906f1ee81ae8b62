"""Summaries of a table's records: groups, counts, sums."""

from fastapi import APIRouter, Request, Response

from services.records.dependencies import Process, RecordReader, TableName
from services.records.face import openapi_parts as parts
from services.records.face import raw_answers
from services.records.schemas import SummaryPage
from shared.http.json_bodies import JsonRoute

router = APIRouter(prefix="/api/tables/{table:segment}", tags=["records"], route_class=JsonRoute)


@router.get(
    "/summary",
    response_model=SummaryPage,
    summary="Sums of records, by group",
    openapi_extra=parts.SUMMARY,
)
async def records_summary(
    service: Process, caller: RecordReader, table: TableName, request: Request
) -> Response:
    """Groups of the records that the filters select, with their counts, sums and averages.

    Items are keyed by the words of the request, such as `sum(total)`. What takes longer than ten
    seconds is ended: 503 `took_too_long`.
    """
    query, path = request.scope["query_string"].decode("latin-1"), request.scope["path"]
    return raw_answers.groups(await service.summaries.page(caller, table, query, path=path))
