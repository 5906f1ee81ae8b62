"""Who the caller is now, and whether they may administer.

An access token is 15 minutes old at most, but an account may have been disabled since, or have
lost its role.
"""

import uuid

from sqlalchemy.ext.asyncio import AsyncConnection

from services.auth.domain import PERSONS_SCOPES, User, UserId
from services.auth.errors import ApiKeyRefusedError
from services.auth.repository import users
from shared.contracts.auth import Caller, Role
from shared.errors import ForbiddenError, InvalidTokenError, ScopeMissingError


async def own_account(
    connection: AsyncConnection, caller: Caller, *, lock: bool = False
) -> User | None:
    """The caller's account, locked if asked for; None for a machine client.

    Raises InvalidTokenError when the account is gone or disabled.
    """
    try:
        user_id = UserId(uuid.UUID(caller.sub))
    except ValueError:
        return None
    user = await users.by_id(connection, user_id, lock=lock)
    if user is None or user.disabled:
        raise InvalidTokenError("this account is not open any more")
    return user


async def require_admin(connection: AsyncConnection, caller: Caller) -> None:
    """Raise ForbiddenError unless the caller is an admin now, not only when the token was made.

    A token that was narrowed to some scopes opens nothing beyond them: ScopeMissingError. An API
    key opens none of these calls: ApiKeyRefusedError.
    """
    refuse_narrowed(caller)
    if not await is_admin(connection, caller):
        raise ForbiddenError("this is for admins")


async def is_admin(connection: AsyncConnection, caller: Caller) -> bool:
    """Whether the caller is an admin now."""
    if not caller.is_admin:
        return False
    user = await own_account(connection, caller)
    return user is not None and user.role is Role.ADMIN


def refuse_narrowed(caller: Caller) -> None:
    """Raise ScopeMissingError for a person's token that lacks some of a person's scopes.

    Raises ApiKeyRefusedError for one of an API key.
    """
    if caller.api_key is not None:
        raise ApiKeyRefusedError
    if caller.role is not None and not caller.scopes >= PERSONS_SCOPES:
        raise ScopeMissingError("this access token was narrowed to some scopes; use a whole one")
