"""The verb face of tables and records: translated, then the same service as the resource face."""

from typing import Any

from fastapi import APIRouter, Request, Response

from services.records.dependencies import (
    IfMatch,
    Process,
    RecordReader,
    RecordWriter,
    SentBody,
    TableWriter,
    read_as,
)
from services.records.face import openapi_parts as parts
from services.records.face import raw_answers
from services.records.face.answers import table_answer
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
from services.records.types.definitions import change_adding, specs_of_fields
from shared.errors import InvalidInputError
from shared.http.json_bodies import ExactRoute

router = APIRouter(
    prefix="/api",
    tags=["verbs"],
    route_class=ExactRoute,
)

DATA = {"name": "Ann", "email": "ann@example.com"}


@router.post(
    "/create-table",
    status_code=201,
    summary="Make a table",
    openapi_extra={"parameters": [parts.IDEMPOTENCY]},
)
async def create_table_action(
    service: Process, caller: TableWriter, body: CreateTableBody
) -> TableAnswer:
    """Make a table of the caller's; fields are types, then any of UNIQUE, NOT NULL, DEFAULT."""
    columns = specs_of_fields(body.fields)
    table = await service.tables.create(caller, body.table_name, columns, of="table_name")
    return table_answer(table, caller)


@router.post(
    "/add-column",
    summary="Add a column",
    openapi_extra={"parameters": [parts.IDEMPOTENCY]},
)
async def add_column_action(
    service: Process, caller: TableWriter, body: AddColumnBody
) -> TableAnswer:
    """Add a column; every process knows it as soon as this has answered."""
    change = change_adding(body.column_name, body.column_type)
    return table_answer(await service.changes.change(caller, body.table_name, change), caller)


@router.delete("/delete-table", status_code=204, summary="Drop a table")
async def delete_table_action(
    service: Process, caller: TableWriter, body: DeleteTableBody
) -> Response:
    """Drop a table with all its records."""
    await service.tables.drop(caller, body.table_name)
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
async def insert_record_action(service: Process, caller: RecordWriter, sent: SentBody) -> Response:
    """Insert one record; the answer has its `id`."""
    body = read_as(InsertRecordBody, sent)
    record = await service.records.insert(caller, body.table_name, sent.of("data"))
    return raw_answers.record(record, status=201, table=body.table_name)


@router.get(
    "/get-records",
    response_model=NumberedPage,
    summary="Read records, page by page",
    openapi_extra=parts.NUMBERED,
)
async def get_records_action(service: Process, caller: RecordReader, request: Request) -> Response:
    """A page of records with the exact total; column filters as in the resource face."""
    name = request.query_params.get("table_name")
    if not name:
        raise InvalidInputError.of("table_name", "missing", "name the table")
    pairs = request.query_params.multi_items()
    return raw_answers.numbered_page(await service.records.numbered_page(caller, name, pairs))


@router.put(
    "/update-record",
    response_model=dict[str, Any],
    summary="Change a record",
    openapi_extra=parts.body_of(
        UpdateRecordBody, {"table_name": "Customer", "id": 1, "data": DATA}
    ),
)
async def update_record_action(
    service: Process, caller: RecordWriter, sent: SentBody, if_match: IfMatch = None
) -> Response:
    """Change the named fields of one record."""
    body = read_as(UpdateRecordBody, sent)
    record = await service.records.change(
        caller, body.table_name, body.id, sent.of("data"), if_match=if_match
    )
    return raw_answers.record(record)


@router.delete("/delete-record", status_code=204, summary="Delete a record")
async def delete_record_action(
    service: Process, caller: RecordWriter, body: DeleteRecordBody, if_match: IfMatch = None
) -> Response:
    """Delete one record."""
    await service.records.delete(caller, body.table_name, body.id, if_match=if_match)
    return Response(status_code=204)
