"""Records of a table: pages, and one at a time.

Pages, and plain inserts (`routes/bulk.py`), are also served by `routes/fast_path.py`, which calls
the functions here without FastAPI's layers.
"""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response

from services.records.dependencies import (
    IfMatch,
    Process,
    RecordId,
    RecordReader,
    RecordWriter,
    SentBody,
    TableName,
)
from services.records.face import openapi_parts as parts
from services.records.face import raw_answers
from services.records.query.parameters import pairs_of
from services.records.schemas import RecordPage
from shared.http.json_bodies import JsonRoute

router = APIRouter(
    prefix="/api/tables/{table:segment}/records", tags=["records"], route_class=JsonRoute
)

Fields = Annotated[str | None, Query(description="Columns to answer, separated by commas.")]

Numbers = Annotated[
    Literal["json", "text"], Query(description="BIGINT and NUMERIC as numbers, or as texts.")
]


@router.get("", response_model=RecordPage, summary="Read records", openapi_extra=parts.LIST)
async def records_list(
    service: Process, caller: RecordReader, table: TableName, request: Request
) -> Response:
    """A page of records by cursor (stable under inserts) or page number; `Link` to the next."""
    query, path = request.scope["query_string"].decode("latin-1"), request.scope["path"]
    pairs = pairs_of(query)
    page = await service.records.page(caller, table, pairs, path=path, query_string=query)
    return raw_answers.page(page)


@router.get(
    "/{id:int}",
    response_model=dict[str, Any],
    summary="One record",
    responses={304: {"description": "The record is still the one you have."}},
)
async def records_get(
    service: Process,
    caller: RecordReader,
    table: TableName,
    id: RecordId,  # noqa: A002 - as the path names it
    request: Request,
    fields: Fields = None,
    numbers: Numbers = "json",
) -> Response:
    """One record, with its `ETag`."""
    record = await service.records.get(caller, table, id, fields=fields, numbers=numbers)
    return raw_answers.conditional(raw_answers.record(record), request)


@router.patch(
    "/{id:int}",
    response_model=dict[str, Any],
    summary="Change a record",
    openapi_extra=parts.body(parts.RECORD, {"name": "Ann"}),
)
async def records_change(
    service: Process,
    caller: RecordWriter,
    table: TableName,
    id: RecordId,  # noqa: A002
    sent: SentBody,
    if_match: IfMatch = None,
) -> Response:
    """Change the named fields; the others stay."""
    record = await service.records.change(caller, table, id, sent, if_match=if_match)
    return raw_answers.record(record)


@router.put(
    "/{id:int}",
    response_model=dict[str, Any],
    summary="Replace a record",
    openapi_extra=parts.body(parts.RECORD, parts.RECORD_EXAMPLE),
)
async def records_replace(
    service: Process,
    caller: RecordWriter,
    table: TableName,
    id: RecordId,  # noqa: A002
    sent: SentBody,
    if_match: IfMatch = None,
) -> Response:
    """Replace the whole record; fields that are not named get their defaults."""
    record = await service.records.replace(caller, table, id, sent, if_match=if_match)
    return raw_answers.record(record)


@router.delete("/{id:int}", status_code=204, summary="Delete a record")
async def records_delete(
    service: Process,
    caller: RecordWriter,
    table: TableName,
    id: RecordId,  # noqa: A002
    if_match: IfMatch = None,
) -> Response:
    """Delete one record."""
    await service.records.delete(caller, table, id, if_match=if_match)
    return Response(status_code=204)
