"""Records of a table, many at a time: inserts, upserts, and changes by filter."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response

from services.records.dependencies import (
    NoIfMatch,
    Process,
    RecordWriter,
    SentBody,
    TableName,
)
from services.records.face import openapi_parts as parts
from services.records.face import raw_answers
from services.records.schemas import DeletedAnswer, ManyAnswer, UpdatedAnswer
from shared.http.json_bodies import JsonRoute

router = APIRouter(
    prefix="/api/tables/{table:segment}/records", tags=["records"], route_class=JsonRoute
)

OnConflict = Annotated[
    Literal["error", "ignore", "update"],
    Query(description="What happens to a record whose key is there already."),
]
Key = Annotated[str | None, Query(description="The unique column(s) that make the key.")]
FILTERED = {"parameters": [parts.Q, parts.ACCENTS, parts.FILTERS]}


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
    service: Process,
    caller: RecordWriter,
    table: TableName,
    sent: SentBody,
    on_conflict: OnConflict = "error",
    key: Key = None,
) -> Response:
    """One object answers the record; an array (up to 10,000, all or nothing) answers counts."""
    if isinstance(sent.value, list):
        written = await service.bulk.insert(caller, table, sent, on_conflict=on_conflict, key=key)
        return raw_answers.bulk(written)
    if on_conflict == "error" and key is None:
        record = await service.records.insert(caller, table, sent)
    else:
        record = await service.bulk.upsert_one(
            caller, table, sent, on_conflict=on_conflict, key=key
        )
    return raw_answers.record(record, status=201, table=table)


@router.patch(
    "",
    summary="Change all records that filters select",
    openapi_extra={**parts.body(parts.RECORD, {"name": "Ann"}), **FILTERED},
)
async def records_change_selected(
    service: Process,
    caller: RecordWriter,
    table: TableName,
    sent: SentBody,
    request: Request,
    _one_by_one: NoIfMatch,
) -> UpdatedAnswer:
    """Change the named fields of every record that the filters select; 422 without a filter."""
    pairs = request.query_params.multi_items()
    return UpdatedAnswer(updated=await service.bulk.change(caller, table, sent, pairs))


@router.delete(
    "",
    summary="Delete all records that filters select",
    openapi_extra=FILTERED,
)
async def records_delete_selected(
    service: Process,
    caller: RecordWriter,
    table: TableName,
    request: Request,
    _one_by_one: NoIfMatch,
) -> DeletedAnswer:
    """Delete every record that the filters select; 422 without a filter."""
    pairs = request.query_params.multi_items()
    return DeletedAnswer(deleted=await service.bulk.delete(caller, table, pairs))
