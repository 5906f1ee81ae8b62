"""Machine clients, for admins."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from services.auth.dependencies import Address, Process, SignedIn, not_stored
from services.auth.domain import ClientId
from services.auth.schemas import ClientAnswer, ClientCreate, ClientCreated, ListQuery, PlainText
from shared.contracts.base import Page
from shared.http.idempotency import answers_secret
from shared.http.json_bodies import JsonRoute
from shared.http.paging import page

router = APIRouter(prefix="/api/auth/clients", tags=["clients"], route_class=JsonRoute)


@router.get("", status_code=200, summary="List machine clients")
async def clients_list(
    request: Request, caller: SignedIn, auth: Process, query: Annotated[ListQuery, Query()]
) -> Page[ClientAnswer]:
    """All machine clients by id, without their secrets; for admins."""
    clients = await auth.machines.page(caller, after=query.after, limit=query.limit)
    return page(request, clients, ClientAnswer.of_client, by="after")


@router.post(
    "",
    status_code=201,
    summary="Make a machine client",
    dependencies=[Depends(not_stored)],
)
@answers_secret
async def clients_create(
    body: ClientCreate, caller: SignedIn, auth: Process, address: Address
) -> ClientCreated:
    """Create a client with just these scopes; its secret is in this answer and nowhere else.

    409 `client_exists` for an id that is or was in use.
    """
    client, secret = await auth.machines.add(
        caller,
        client_id=ClientId(body.id) if body.id else None,
        name=body.name,
        scopes=body.scopes,
        address=address,
    )
    return ClientCreated.of_client(client, secret=secret)


@router.delete("/{id:segment}", status_code=204, summary="Revoke a machine client")
async def clients_delete(
    id: PlainText,  # noqa: A002 - the contract's name
    caller: SignedIn,
    auth: Process,
    address: Address,
) -> None:
    """The client gets no more tokens, and those it has are refused within 5 seconds."""
    await auth.machines.revoke(caller, id, address=address)
