"""Machine clients, for admins."""

from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query

from services.auth.dependencies import Address, SignedIn, State, not_stored
from services.auth.domain import ClientId, MachineClient
from services.auth.schemas import ClientAnswer, ClientCreate, ClientCreated, PlainText
from shared.contracts.base import Page
from shared.http.idempotency import answers_secret

PATH = "/api/auth/clients"

router = APIRouter(prefix=PATH, tags=["clients"])


@router.get("", status_code=200, summary="List machine clients")
async def clients_list(
    caller: SignedIn,
    state: State,
    after: Annotated[PlainText | None, Query(description="Filled in by `next`")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Page[ClientAnswer]:
    """All machine clients by id, without their secrets; for admins."""
    found, following = await state.machines.page(caller, after=after, limit=limit)
    more = urlencode({"after": following, "limit": limit})
    return Page(
        items=[ClientAnswer(**_fields(client)) for client in found],
        next=f"{PATH}?{more}" if following else None,
    )


@router.post(
    "",
    status_code=201,
    summary="Make a machine client",
    dependencies=[Depends(not_stored)],
)
@answers_secret
async def clients_create(
    body: ClientCreate, caller: SignedIn, state: State, address: Address
) -> ClientCreated:
    """Make a client with just these scopes; its secret is in this answer and nowhere else.

    409 `client_exists` for an id that is or was in use.
    """
    client, secret = await state.machines.add(
        caller,
        client_id=ClientId(body.id) if body.id else None,
        name=body.name,
        scopes=body.scopes,
        address=address,
    )
    return ClientCreated(**_fields(client), secret=secret)


@router.delete("/{id:segment}", status_code=204, summary="Revoke a machine client")
async def clients_delete(
    id: PlainText,  # noqa: A002 - the contract's name
    caller: SignedIn,
    state: State,
    address: Address,
) -> None:
    """The client gets no more tokens; those that are out hold until their 15 minutes are over."""
    await state.machines.revoke(caller, id, address=address)


def _fields(client: MachineClient) -> dict[str, Any]:
    return {
        "id": client.id,
        "sub": client.sub,
        "name": client.name,
        "scopes": sorted(client.scopes),
        "created_by": client.created_by,
        "created_at": client.created_at,
    }
