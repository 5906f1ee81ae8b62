"""Grants on a table."""

from typing import Annotated

from fastapi import APIRouter, Path, Response

from services.records.dependencies import (
    BODY_LIMIT_BYTES,
    Kept,
    State,
    TableName,
    TableReader,
    TableWriter,
)
from services.records.domain import Level
from services.records.face.answers import grant_answer
from services.records.schemas import GrantAnswer, GrantLevel
from services.records.service import grants
from shared.contracts.base import Page

router = APIRouter(
    prefix="/api/tables/{table:segment}/grants",
    tags=["grants"],
    max_body_size=BODY_LIMIT_BYTES,
)

Identifier = Annotated[
    str, Path(description="An e-mail address or a client id.", examples=["bob@example.com"])
]


@router.get("", summary="Who may do what")
async def grants_list(stores: Kept, caller: TableReader, table: TableName) -> Page[GrantAnswer]:
    """All grants on the table; for its owners and admins."""
    found = await grants.list_grants(stores, caller, table)
    return Page(items=[grant_answer(grant) for grant in found], next=None)


@router.put("/{identifier:segment}", summary="Give a grant")
async def grants_put(
    state: State, caller: TableWriter, table: TableName, identifier: Identifier, wanted: GrantLevel
) -> GrantAnswer:
    """Let a person or machine client see (viewer), write (editor) or own the table."""
    level = Level[wanted.level.upper()]
    grant = await grants.put(state.stores, state.subjects, caller, table, identifier, level)
    return grant_answer(grant)


@router.delete("/{identifier:segment}", status_code=204, summary="Take a grant")
async def grants_delete(
    stores: Kept, caller: TableWriter, table: TableName, identifier: Identifier
) -> Response:
    """Take a grant back."""
    await grants.take(stores, caller, table, identifier)
    return Response(status_code=204)
