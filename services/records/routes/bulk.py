"""Records of a table, many at a time: inserts, upserts, and changes by filter."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response

from services.records.dependencies import BODY_LIMIT_BYTES, Body, Kept, RecordWriter, TableName
from services.records.face import openapi_parts as parts
from services.records.face.raw_answers import many_response, record_response
from services.records.schemas import DeletedAnswer, ManyAnswer, UpdatedAnswer
from services.records.service import bulk, writing
from shared.http.idempotency import IdempotentRoute

router = APIRouter(
    prefix="/api/tables/{table:segment}/records",
    tags=["records"],
    route_class=IdempotentRoute,
    max_body_size=BODY_LIMIT_BYTES,
)

OnConflict = Annotated[
    Literal["error", "ignore", "update"],
    Query(description="What happens to a record whose key is there already."),
]
Key = Annotated[str | None, Query(description="The unique column(s) that make the key.")]
FILTERED = {"parameters": [parts.Q, parts.FILTERS]}


@router.post(
    "",
    status_code=201,
    response_model=ManyAnswer | dict[str, Any],
    summary="Insert records",
    openapi_extra=parts.body(
        {"oneOf": [parts.RECORD, {"type": "array", "items": parts.RECORD}]},
        parts.RECORD_EXAMPLE,
        parameters=[parts.IDEMPOTENCY],
    ),
)
async def records_create(
    stores: Kept,
    caller: RecordWriter,
    table: TableName,
    body: Body,
    on_conflict: OnConflict = "error",
    key: Key = None,
) -> Response:
    """One object answers the record; an array (up to 10,000, all or nothing) answers counts."""
    if isinstance(body.value, list):
        written = await bulk.insert_many(
            stores, caller, table, body.value, body.source(), on_conflict=on_conflict, key=key
        )
        return many_response(written)
    if on_conflict == "error" and key is None:
        record = await writing.insert(stores, caller, table, body.value, body.source())
    else:
        record = await bulk.upsert_one(
            stores, caller, table, body.value, body.source(), on_conflict=on_conflict, key=key
        )
    return record_response(record, status=201, table=table)


@router.patch(
    "",
    summary="Change all records that filters select",
    openapi_extra={**parts.body(parts.RECORD, {"name": "Ann"}), **FILTERED},
)
async def records_change_selected(
    stores: Kept, caller: RecordWriter, table: TableName, body: Body, request: Request
) -> UpdatedAnswer:
    """Change the named fields of every record that the filters select; 422 without a filter."""
    pairs = request.query_params.multi_items()
    count = await bulk.change_selected(stores, caller, table, body.value, body.source(), pairs)
    return UpdatedAnswer(updated=count)


@router.delete(
    "",
    summary="Delete all records that filters select",
    openapi_extra=FILTERED,
)
async def records_delete_selected(
    stores: Kept, caller: RecordWriter, table: TableName, request: Request
) -> DeletedAnswer:
    """Delete every record that the filters select; 422 without a filter."""
    pairs = request.query_params.multi_items()
    return DeletedAnswer(deleted=await bulk.delete_selected(stores, caller, table, pairs))
