"""Grants on a table."""

from typing import Annotated

from fastapi import APIRouter, Path, Response

from services.records.dependencies import (
    Process,
    TableName,
    TableReader,
    TableWriter,
)
from services.records.domain import Level
from services.records.face.answers import grant_answer
from services.records.schemas import GrantAnswer, GrantLevel
from shared.contracts.base import Page
from shared.http.json_bodies import JsonRoute

router = APIRouter(
    prefix="/api/tables/{table:segment}/grants", tags=["grants"], route_class=JsonRoute
)

Identifier = Annotated[
    str, Path(description="An e-mail address or a client id.", examples=["bob@example.com"])
]


@router.get("", summary="Who may do what")
async def grants_list(service: Process, caller: TableReader, table: TableName) -> Page[GrantAnswer]:
    """All grants on the table; for its owners and admins."""
    grants = await service.grants.all(caller, table)
    return Page(items=[grant_answer(grant) for grant in grants], next=None)


@router.put("/{identifier:segment}", summary="Give a grant")
async def grants_put(
    service: Process,
    caller: TableWriter,
    table: TableName,
    identifier: Identifier,
    grant: GrantLevel,
) -> GrantAnswer:
    """Let a person or machine client see (viewer), write (editor) or own the table."""
    level = Level[grant.level.upper()]
    return grant_answer(await service.grants.put(caller, table, identifier, level))


@router.delete("/{identifier:segment}", status_code=204, summary="Take a grant")
async def grants_delete(
    service: Process, caller: TableWriter, table: TableName, identifier: Identifier
) -> Response:
    """Take a grant back."""
    await service.grants.take(caller, table, identifier)
    return Response(status_code=204)
