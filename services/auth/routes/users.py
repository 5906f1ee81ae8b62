"""People's accounts, for admins."""

import uuid
from typing import Annotated

from fastapi import APIRouter, Query, Request

from services.auth.dependencies import Address, Process, SignedIn
from services.auth.domain import EmailAddress
from services.auth.schemas import UserAnswer, UserChange, UserCreate, UsersQuery
from services.auth.service.accounts import NewUser
from shared.contracts.base import Page
from shared.http.json_bodies import JsonRoute
from shared.http.paging import page

router = APIRouter(prefix="/api/auth/users", tags=["users"], route_class=JsonRoute)


@router.get("", status_code=200, summary="List accounts")
async def users_list(
    request: Request, caller: SignedIn, auth: Process, query: Annotated[UsersQuery, Query()]
) -> Page[UserAnswer]:
    """All accounts by e-mail address; for admins."""
    users = await auth.accounts.page(caller, query=query.q, after=query.after, limit=query.limit)
    return page(request, users, UserAnswer.of, by="after")


@router.post("", status_code=201, summary="Make an account")
async def users_create(
    body: UserCreate, caller: SignedIn, auth: Process, address: Address
) -> UserAnswer:
    """Create an account for a person; without a password they sign in by mailed codes.

    409 `email_taken` or `username_taken`.
    """
    new = NewUser(
        email=EmailAddress(body.email),
        username=body.username,
        password=body.password.get_secret_value() if body.password else None,
        role=body.role,
    )
    return UserAnswer.of(await auth.accounts.add(caller, new, address=address))


@router.patch("/{id}", status_code=200, summary="Change role, disable or enable")
async def users_update(
    id: uuid.UUID,  # noqa: A002 - the contract's name
    body: UserChange,
    caller: SignedIn,
    auth: Process,
    address: Address,
) -> UserAnswer:
    """Disabling ends the person's sessions; the last admin can neither be demoted nor disabled.

    Either reaches every service within 5 seconds: access tokens from before are refused.

    409 `last_admin`.
    """
    user = await auth.accounts.change(
        caller, id, role=body.role, disabled=body.disabled, address=address
    )
    return UserAnswer.of(user)
