"""Tables: made, told, changed, dropped; as JSON Schema and as an OpenAPI document."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from services.records.dependencies import (
    BODY_LIMIT_BYTES,
    Kept,
    TableName,
    TableReader,
    TableWriter,
)
from services.records.face import openapi_parts as parts
from services.records.face.answers import table_answer
from services.records.face.documents import document_of
from services.records.face.raw_answers import (
    conditional,
    document_response,
    following_tables,
    table_path,
)
from services.records.schemas import NewTable, TableAnswer, TableChange
from services.records.service import changes, tables
from services.records.types.json_schema import columns_wanted, description_wanted, schema_of
from shared.contracts.base import Page
from shared.errors import InvalidInputError
from shared.http.idempotency import IdempotentRoute
from shared.values.texts import is_storable

router = APIRouter(
    prefix="/api/tables",
    tags=["tables"],
    route_class=IdempotentRoute,
    max_body_size=BODY_LIMIT_BYTES,
)

Limit = Annotated[int, Query(ge=1, le=1000, description="Tables on a page.")]
After = Annotated[str | None, Query(description="Where the page before ended; follow `next`.")]


@router.post(
    "",
    status_code=201,
    summary="Make a table",
    openapi_extra={"parameters": [parts.IDEMPOTENCY]},
)
async def tables_create(
    stores: Kept, caller: TableWriter, wanted: NewTable, response: Response
) -> TableAnswer:
    """Make a table that belongs to the caller, from columns or from a JSON Schema."""
    columns, description = columns_wanted(wanted), description_wanted(wanted)
    table = await tables.create(stores, caller, wanted.name, columns, description=description)
    response.headers["Location"] = table_path(table.name)
    return table_answer(table, caller)


@router.get("", summary="Tables that you may see")
async def tables_list(
    stores: Kept, caller: TableReader, limit: Limit = 100, cursor: After = None
) -> Page[TableAnswer]:
    """Tables that the caller owns or has a grant on (admins: all), by name."""
    if cursor is not None and not is_storable(cursor):
        raise InvalidInputError.of("cursor", "invalid_cursor", "follow `next` as it stands")
    found = await tables.list_visible(stores, caller, after=cursor, limit=limit + 1)
    items = [table_answer(table, caller) for table in found[:limit]]
    return Page(items=items, next=following_tables(items, limit, more=len(found) > limit))


@router.get("/{table:segment}", summary="One table")
async def tables_get(stores: Kept, caller: TableReader, table: TableName) -> TableAnswer:
    """Columns, constraints, estimated rows, owner and version."""
    return table_answer(await tables.describe(stores, caller, table), caller)


@router.patch("/{table:segment}", summary="Change a table")
async def tables_change(
    stores: Kept, caller: TableWriter, table: TableName, wanted: TableChange
) -> TableAnswer:
    """Rename, add, drop and alter, all or nothing; 409 names up to ten rows in the way."""
    return table_answer(await changes.change(stores, caller, table, wanted), caller)


@router.delete("/{table:segment}", status_code=204, summary="Drop a table")
async def tables_delete(stores: Kept, caller: TableWriter, table: TableName) -> Response:
    """Drop a table with all its records."""
    await tables.drop(stores, caller, table)
    return Response(status_code=204)


@router.get("/{table:segment}/schema", summary="JSON Schema of a record")
async def tables_schema(stores: Kept, caller: TableReader, table: TableName) -> dict[str, Any]:
    """A JSON Schema (2020-12) of a record; sent as `json_schema`, it makes the same table."""
    return schema_of(await tables.describe(stores, caller, table))


@router.get(
    "/{table:segment}/openapi.json",
    response_model=dict[str, Any],
    summary="OpenAPI document of one table",
    responses={304: {"description": "The document is still the one you have."}},
)
async def tables_openapi(
    stores: Kept, caller: TableReader, table: TableName, request: Request
) -> Response:
    """A live OpenAPI 3.1 document: typed bodies, typed filters, examples; ETag by version."""
    known = await tables.describe(stores, caller, table)
    response = document_response(document_of(known), etag=f'"{known.oid}-{known.version}"')
    return conditional(response, request)
