"""Tables: made, listed, changed, dropped; as JSON Schema and as an OpenAPI document."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response

from services.records.dependencies import (
    Process,
    TableName,
    TableReader,
    TableWriter,
)
from services.records.face import openapi_parts as parts
from services.records.face import raw_answers
from services.records.face.answers import table_answer
from services.records.face.documents import document_of
from services.records.schemas import NewTable, TableAnswer, TableChange
from services.records.types.json_schema import schema_of
from services.records.types.schema_reading import table_of
from shared.contracts.base import Page
from shared.http.json_bodies import ExactRoute
from shared.http.paging import cut, decoded, page

router = APIRouter(
    prefix="/api/tables",
    tags=["tables"],
    route_class=ExactRoute,
)

Limit = Annotated[int, Query(ge=1, le=1000, description="Tables on a page.")]
After = Annotated[str | None, Query(description="Where the page before ended; follow `next`.")]


Unsupported = Annotated[
    Literal["refuse", "ignore"],
    Query(description="What becomes of keywords of a JSON Schema that no column can keep."),
]


@router.post(
    "",
    status_code=201,
    summary="Make a table",
    openapi_extra={"parameters": [parts.IDEMPOTENCY]},
)
async def tables_create(
    service: Process,
    caller: TableWriter,
    new: NewTable,
    response: Response,
    unsupported: Unsupported = "refuse",
) -> TableAnswer:
    """Make a table that belongs to the caller, from columns or from a JSON Schema."""
    made = table_of(new, ignoring=unsupported == "ignore")
    table = await service.tables.create(
        caller, new.name, made.columns, unique=made.unique, description=made.description
    )
    response.headers["Location"] = raw_answers.table_path(table.name)
    return table_answer(table, caller).model_copy(update={"ignored": made.ignored})


@router.get("", summary="Tables that you may see")
async def tables_list(
    service: Process,
    caller: TableReader,
    request: Request,
    limit: Limit = 100,
    cursor: After = None,
) -> Page[TableAnswer]:
    """Tables that the caller owns or has a grant on (admins: all), by name."""
    (after,) = (None,) if cursor is None else decoded(cursor, parts=1)
    tables = await service.tables.page(caller, after=after, limit=limit + 1)
    found = cut(tables, limit=limit, key=lambda table: (table.name,))
    return page(request, found, lambda table: table_answer(table, caller))


@router.get("/{table:segment}", summary="One table")
async def tables_get(service: Process, caller: TableReader, table: TableName) -> TableAnswer:
    """Columns, constraints, estimated rows, owner and version."""
    return table_answer(await service.tables.describe(caller, table), caller)


@router.patch("/{table:segment}", summary="Change a table")
async def tables_change(
    service: Process, caller: TableWriter, table: TableName, change: TableChange
) -> TableAnswer:
    """Rename, add, drop and alter, all or nothing; 409 names up to ten rows in the way."""
    return table_answer(await service.changes.change(caller, table, change), caller)


@router.delete("/{table:segment}", status_code=204, summary="Drop a table")
async def tables_delete(service: Process, caller: TableWriter, table: TableName) -> Response:
    """Drop a table with all its records."""
    await service.tables.drop(caller, table)
    return Response(status_code=204)


@router.get("/{table:segment}/schema", summary="JSON Schema of a record")
async def tables_schema(service: Process, caller: TableReader, table: TableName) -> dict[str, Any]:
    """A JSON Schema (2020-12) of a record; sent as `json_schema`, it makes the same table."""
    return schema_of(await service.tables.describe(caller, table))


@router.get(
    "/{table:segment}/openapi.json",
    response_model=dict[str, Any],
    summary="OpenAPI document of one table",
    responses={304: {"description": "The document is still the one you have."}},
)
async def tables_openapi(
    service: Process, caller: TableReader, table: TableName, request: Request
) -> Response:
    """A live OpenAPI 3.1 document: typed bodies, typed filters, examples; ETag by version."""
    known = await service.tables.describe(caller, table)
    etag = f'"{known.id}-{known.version}"'
    return raw_answers.conditional(raw_answers.document(document_of(known), etag=etag), request)
