"""People's accounts, for admins."""

import uuid
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query

from services.auth.dependencies import Address, SignedIn, State
from services.auth.domain import EmailAddress, User
from services.auth.schemas import PlainText, UserAnswer, UserChange, UserCreate
from services.auth.service.accounts import NewUser
from shared.contracts.base import Page

PATH = "/api/auth/users"

router = APIRouter(prefix=PATH, tags=["users"])


@router.get("", status_code=200, summary="List accounts")
async def users_list(
    caller: SignedIn,
    state: State,
    q: Annotated[PlainText | None, Query(description="Stands in the address or user name")] = None,
    after: Annotated[PlainText | None, Query(description="Filled in by `next`")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Page[UserAnswer]:
    """All accounts by e-mail address; for admins."""
    found, following = await state.accounts.page(caller, query=q, after=after, limit=limit)
    more = {"after": following, "limit": limit} | ({"q": q} if q else {})
    return Page(
        items=[_answer(user) for user in found],
        next=f"{PATH}?{urlencode(more)}" if following else None,
    )


@router.post("", status_code=201, summary="Make an account")
async def users_create(
    body: UserCreate, caller: SignedIn, state: State, address: Address
) -> UserAnswer:
    """Make an account for a person; without a password they sign in by mailed codes.

    409 `email_taken` or `username_taken`.
    """
    new = NewUser(
        email=EmailAddress(body.email),
        username=body.username,
        password=body.password.get_secret_value() if body.password else None,
        role=body.role,
    )
    return _answer(await state.accounts.add(caller, new, address=address))


@router.patch("/{id}", status_code=200, summary="Change role, disable or enable")
async def users_update(
    id: uuid.UUID,  # noqa: A002 - the contract's name
    body: UserChange,
    caller: SignedIn,
    state: State,
    address: Address,
) -> UserAnswer:
    """Disabling ends the person's sessions; the last admin can neither be demoted nor disabled.

    409 `last_admin`.
    """
    user = await state.accounts.change(
        caller, id, role=body.role, disabled=body.disabled, address=address
    )
    return _answer(user)


def _answer(user: User) -> UserAnswer:
    return UserAnswer(
        id=user.id,
        sub=user.sub,
        email=user.email,
        username=user.username,
        role=user.role,
        disabled=user.disabled,
        has_password=user.password_hash is not None,
        created_at=user.created_at,
    )
