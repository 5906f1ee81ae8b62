"""Records of a table: pages, and one at a time."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response

from services.records.dependencies import (
    BODY_LIMIT_BYTES,
    Body,
    Kept,
    RecordId,
    RecordReader,
    RecordWriter,
    TableName,
)
from services.records.face import openapi_parts as parts
from services.records.face.raw_answers import conditional, page_response, record_response
from services.records.schemas import RecordPage
from services.records.service import reading, writing
from shared.http.idempotency import IdempotentRoute

router = APIRouter(
    prefix="/api/tables/{table:segment}/records",
    tags=["records"],
    route_class=IdempotentRoute,
    max_body_size=BODY_LIMIT_BYTES,
)

IfMatch = Annotated[str | None, Header(description="Only if the record's ETag is still this one.")]
Fields = Annotated[str | None, Query(description="Columns to answer, separated by commas.")]


@router.get("", response_model=RecordPage, summary="Read records", openapi_extra=parts.LIST)
async def records_list(
    stores: Kept, caller: RecordReader, table: TableName, request: Request
) -> Response:
    """A page of records by cursor (stable under inserts) or page number; `Link` to the next."""
    query, path = request.scope["query_string"].decode("latin-1"), request.scope["path"]
    return page_response(await reading.list_records(stores, caller, table, query, path=path))


@router.get(
    "/{id:int}",
    response_model=dict[str, Any],
    summary="One record",
    responses={304: {"description": "The record is still the one you have."}},
)
async def records_get(
    stores: Kept,
    caller: RecordReader,
    table: TableName,
    id: RecordId,  # noqa: A002 - as the path names it
    request: Request,
    fields: Fields = None,
) -> Response:
    """One record, with its `ETag`."""
    record = await reading.get_record(stores, caller, table, id, fields=fields)
    return conditional(record_response(record), request)


@router.patch(
    "/{id:int}",
    response_model=dict[str, Any],
    summary="Change a record",
    openapi_extra=parts.body(parts.RECORD, {"name": "Ann"}),
)
async def records_change(
    stores: Kept,
    caller: RecordWriter,
    table: TableName,
    id: RecordId,  # noqa: A002
    body: Body,
    if_match: IfMatch = None,
) -> Response:
    """Change the named fields; the others stay."""
    record = await writing.change(
        stores, caller, table, id, body.value, body.source(), if_match=if_match
    )
    return record_response(record)


@router.put(
    "/{id:int}",
    response_model=dict[str, Any],
    summary="Replace a record",
    openapi_extra=parts.body(parts.RECORD, parts.RECORD_EXAMPLE),
)
async def records_replace(
    stores: Kept,
    caller: RecordWriter,
    table: TableName,
    id: RecordId,  # noqa: A002
    body: Body,
    if_match: IfMatch = None,
) -> Response:
    """Replace the whole record; fields that are not named get their defaults."""
    record = await writing.replace(
        stores, caller, table, id, body.value, body.source(), if_match=if_match
    )
    return record_response(record)


@router.delete("/{id:int}", status_code=204, summary="Delete a record")
async def records_delete(
    stores: Kept,
    caller: RecordWriter,
    table: TableName,
    id: RecordId,  # noqa: A002
    if_match: IfMatch = None,
) -> Response:
    """Delete one record."""
    await writing.delete(stores, caller, table, id, if_match=if_match)
    return Response(status_code=204)
