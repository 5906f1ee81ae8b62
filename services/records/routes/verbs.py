"""The verb face of tables and records: translated, then the same service as the resource face."""

from typing import Any

from fastapi import APIRouter, Request, Response

from services.records.dependencies import (
    BODY_LIMIT_BYTES,
    Body,
    Kept,
    RecordReader,
    RecordWriter,
    TableWriter,
)
from services.records.face import openapi_parts as parts
from services.records.face.answers import table_answer
from services.records.face.raw_answers import numbered_response, record_response
from services.records.schemas import (
    AddColumnBody,
    CreateTableBody,
    DeleteRecordBody,
    DeleteTableBody,
    InsertRecordBody,
    NumberedPage,
    TableAnswer,
    UpdateRecordBody,
)
from services.records.service import changes, reading, tables, writing
from services.records.types.definitions import change_adding, specs_of_fields
from shared.errors import InvalidInputError
from shared.http.idempotency import IdempotentRoute

router = APIRouter(
    prefix="/api",
    tags=["verbs"],
    route_class=IdempotentRoute,
    max_body_size=BODY_LIMIT_BYTES,
)

DATA = {"name": "Ann", "email": "ann@example.com"}


@router.post(
    "/create-table",
    status_code=201,
    summary="Make a table",
    openapi_extra={"parameters": [parts.IDEMPOTENCY]},
)
async def create_table_action(
    stores: Kept, caller: TableWriter, wanted: CreateTableBody
) -> TableAnswer:
    """Make a table of the caller's; fields are types, then any of UNIQUE, NOT NULL, DEFAULT."""
    columns = specs_of_fields(wanted.fields)
    table = await tables.create(stores, caller, wanted.table_name, columns, of="table_name")
    return table_answer(table, caller)


@router.post(
    "/add-column",
    summary="Add a column",
    openapi_extra={"parameters": [parts.IDEMPOTENCY]},
)
async def add_column_action(
    stores: Kept, caller: TableWriter, wanted: AddColumnBody
) -> TableAnswer:
    """Add a column; every process knows it as soon as this has answered."""
    change = change_adding(wanted.column_name, wanted.column_type)
    return table_answer(await changes.change(stores, caller, wanted.table_name, change), caller)


@router.delete("/delete-table", status_code=204, summary="Drop a table")
async def delete_table_action(
    stores: Kept, caller: TableWriter, wanted: DeleteTableBody
) -> Response:
    """Drop a table with all its records."""
    await tables.drop(stores, caller, wanted.table_name)
    return Response(status_code=204)


@router.post(
    "/insert-record",
    status_code=201,
    response_model=dict[str, Any],
    summary="Insert a record",
    openapi_extra=parts.body_of(
        InsertRecordBody,
        {"table_name": "Customer", "data": DATA},
        parameters=[parts.IDEMPOTENCY],
    ),
)
async def insert_record_action(stores: Kept, caller: RecordWriter, body: Body) -> Response:
    """Insert one record; the answer has its `id`."""
    wanted = body.checked(InsertRecordBody)
    record = await writing.insert(
        stores, caller, wanted.table_name, body.member("data"), body.source("data")
    )
    return record_response(record, status=201, table=wanted.table_name)


@router.get(
    "/get-records",
    response_model=NumberedPage,
    summary="Read records, page by page",
    openapi_extra=parts.NUMBERED,
)
async def get_records_action(stores: Kept, caller: RecordReader, request: Request) -> Response:
    """A page of records with the exact total; column filters as in the resource face."""
    name = request.query_params.get("table_name")
    if not name:
        raise InvalidInputError.of("table_name", "missing", "name the table")
    pairs = request.query_params.multi_items()
    return numbered_response(await reading.list_numbered(stores, caller, name, pairs))


@router.put(
    "/update-record",
    response_model=dict[str, Any],
    summary="Change a record",
    openapi_extra=parts.body_of(
        UpdateRecordBody, {"table_name": "Customer", "id": 1, "data": DATA}
    ),
)
async def update_record_action(stores: Kept, caller: RecordWriter, body: Body) -> Response:
    """Change the named fields of one record."""
    wanted = body.checked(UpdateRecordBody)
    record = await writing.change(
        stores, caller, wanted.table_name, wanted.id, body.member("data"), body.source("data")
    )
    return record_response(record)


@router.delete("/delete-record", status_code=204, summary="Delete a record")
async def delete_record_action(
    stores: Kept, caller: RecordWriter, wanted: DeleteRecordBody
) -> Response:
    """Delete one record."""
    await writing.delete(stores, caller, wanted.table_name, wanted.id)
    return Response(status_code=204)
