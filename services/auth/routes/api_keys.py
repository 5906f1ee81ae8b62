"""API keys: one's own, for programs that cannot renew a token."""

import uuid
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from services.auth.dependencies import API_KEYS_PATH, Address, Process, SignedIn, not_stored
from services.auth.domain import KeyId
from services.auth.schemas import ApiKeyAnswer, ApiKeyCreate, ApiKeyCreated, ApiKeysQuery
from shared.contracts.base import Page
from shared.http.idempotency import answers_secret
from shared.http.json_bodies import JsonRoute
from shared.http.paging import decoded, page

router = APIRouter(prefix=API_KEYS_PATH, tags=["api-keys"], route_class=JsonRoute)


@router.get("", status_code=200, summary="List my API keys")
async def api_keys_list(
    request: Request, caller: SignedIn, auth: Process, query: Annotated[ApiKeysQuery, Query()]
) -> Page[ApiKeyAnswer]:
    """Your keys that have not been revoked, the oldest first, without their text."""
    after = None if query.cursor is None else decoded(query.cursor, parts=2, order="api-keys")
    keys = await auth.api_keys.page(caller, after=after, limit=query.limit)
    return page(request, keys, ApiKeyAnswer.of_key, order="api-keys")


@router.post(
    "",
    status_code=201,
    summary="Create an API key",
    dependencies=[Depends(not_stored)],
)
@answers_secret
async def api_keys_create(
    body: ApiKeyCreate, caller: SignedIn, auth: Process, address: Address
) -> ApiKeyCreated:
    """Create a key with just these scopes; its text is in this answer and nowhere else.

    Send it as `Authorization: Bearer tab_…` on any call. It ends at `expires_at`, after a year at
    the latest, and opens what you may do at the time of the call, narrowed to its scopes.
    """
    made, text = await auth.api_keys.add(
        caller,
        name=body.name,
        scopes=body.scopes,
        expires_at=body.expires_at,
        address=address,
    )
    return ApiKeyCreated.of_key(made, key=text)


@router.delete("/{id}", status_code=204, summary="Revoke an API key")
async def api_keys_delete(
    id: uuid.UUID,  # noqa: A002 - the contract's name
    caller: SignedIn,
    auth: Process,
    address: Address,
) -> None:
    """The key is refused within 5 seconds. Admins revoke anyone's; 404 for an unknown one."""
    await auth.api_keys.revoke(caller, KeyId(id), address=address)
