"""What only our own services call; the gateway does not route it."""

from typing import Annotated

from fastapi import APIRouter, Body, Query, Response

from services.records.dependencies import Peer, Process, TableName
from services.records.face.answers import contract_of, visible_table
from services.records.types.definitions import specs_for_import
from shared.contracts.records import (
    ColumnsForImport,
    ColumnsFound,
    ColumnsRequest,
    ContractRequest,
    DescribeRequest,
    TableContract,
    TableForImport,
    TableOid,
    VisibilityRequest,
    VisibleTable,
    VisibleTables,
)
from shared.http.json_bodies import JsonRoute

CALLER = {
    "sub": "4b1b8c1e-5d0e-4b5c-8a53-6f4c1f0d9a3e",
    "email": "ann@example.com",
    "role": "member",
    "scopes": ["imports:write"],
}
ASKED = {"table": "Customer", "caller": CALLER}
COLUMNS = [{"name": "zip", "type": {"name": "TEXT"}, "description": "ZIP code"}]

AskedContract = Annotated[ContractRequest, Body(examples=[ASKED])]
AskedTable = Annotated[TableForImport, Body(examples=[{**ASKED, "columns": COLUMNS}])]
AskedNewColumns = Annotated[
    ColumnsForImport, Body(examples=[{"columns": COLUMNS, "caller": CALLER}])
]
AskedDescription = Annotated[DescribeRequest, Body(examples=[ASKED])]
AskedVisibility = Annotated[
    VisibilityRequest, Body(examples=[{"tables": ["Customer", "Order"], "caller": CALLER}])
]
AskedColumns = Annotated[
    ColumnsRequest, Body(examples=[{"words": ["zip"], "caller": CALLER, "limit": 20}])
]

LARGEST_OID = 2**32 - 1

router = APIRouter(prefix="/internal", tags=["internal"], route_class=JsonRoute)


@router.post("/contracts", summary="The contract of a table")
async def contracts_get(service: Process, _peer: Peer, asked: AskedContract) -> TableContract:
    """What an import must know of a table; 404 or 403 as for the caller himself."""
    return contract_of(await service.tables.for_import(asked.caller, asked.table))


@router.post("/tables", status_code=201, summary="Make a table for an import")
async def import_tables_create(
    service: Process,
    _peer: Peer,
    asked: AskedTable,
) -> TableContract:
    """Make a table that belongs to the import's submitter."""
    columns = specs_for_import(asked.columns)
    table = await service.tables.create(
        asked.caller, asked.table, columns, description=asked.description, of="table"
    )
    return contract_of(table)


@router.post("/tables/{table:segment}/columns", summary="Add columns for an import")
async def import_columns_add(
    service: Process, _peer: Peer, table: TableName, asked: AskedNewColumns
) -> TableContract:
    """Add nullable columns to a table of the import's submitter, but those that it has."""
    columns = specs_for_import(asked.columns)
    return contract_of(await service.changes.add_columns(asked.caller, table, columns))


@router.post("/tables/describe", summary="What a caller may see")
async def import_tables_describe(
    service: Process, _peer: Peer, asked: AskedDescription
) -> VisibleTable:
    """Columns and estimated rows of a table, for those who may see it; else 404."""
    return visible_table(await service.tables.describe(asked.caller, asked.table), asked.caller)


@router.post("/tables/visible", summary="Which tables a caller may see")
async def import_tables_visible(
    service: Process, _peer: Peer, asked: AskedVisibility
) -> VisibleTables:
    """Those of the named tables that the caller may see; the others are left out."""
    visible = await service.tables.visible_among(asked.caller, asked.tables)
    return VisibleTables(tables=visible)


@router.post("/columns", summary="Columns with some words")
async def columns_find(service: Process, _peer: Peer, asked: AskedColumns) -> ColumnsFound:
    """Columns of tables that the caller may see, with each word in name or description."""
    columns = await service.tables.columns_with_words(asked.caller, asked.words, limit=asked.limit)
    return ColumnsFound(items=columns)


@router.delete(
    "/tables/{table:segment}", status_code=204, summary="Drop the table of a failed import"
)
async def import_tables_delete(
    service: Process, peer: Peer, table: TableName, oid: Annotated[int, Query(ge=1, le=LARGEST_OID)]
) -> Response:
    """Drop it if it is still the table of that oid and still empty; else leave it."""
    await service.tables.drop_if_unused(peer, table, TableOid(oid))
    return Response(status_code=204)
