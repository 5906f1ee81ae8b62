"""A page of records by a body: for filters that are too long for an address."""

from fastapi import APIRouter, Request, Response

from services.records.dependencies import Process, RecordReader, SentBody, TableName
from services.records.face import openapi_parts as parts
from services.records.face import raw_answers
from services.records.query.parameters import pairs_of, pairs_of_body
from services.records.schemas import RecordPage
from shared.http.idempotency import not_idempotent
from shared.http.json_bodies import JsonRoute

router = APIRouter(
    prefix="/api/tables/{table:segment}/query", tags=["records"], route_class=JsonRoute
)


@router.post(
    "",
    response_model=RecordPage,
    summary="Read records by a long filter",
    openapi_extra=parts.body(parts.QUERY_BODY, parts.QUERY_EXAMPLE, parameters=parts.FURTHER),
)
@not_idempotent("it changes nothing")
async def records_query(
    service: Process, caller: RecordReader, table: TableName, sent: SentBody, request: Request
) -> Response:
    """The parameters of the list as a JSON object, lists as arrays.

    Send the same body to `next` for the next page.
    """
    going_on = dict(pairs_of(request.scope["query_string"].decode("latin-1")))
    pairs = {**dict(pairs_of_body(sent.value)), **going_on}
    if "cursor" in going_on:
        pairs.pop("page", None)
    page = await service.records.page(caller, table, pairs.items(), path=request.scope["path"])
    return raw_answers.page(page)
