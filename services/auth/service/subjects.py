"""Looking up who an address, a client id or a sub is; for the other services."""

import uuid

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.auth.domain import CLIENT_PREFIX, UserId, email_address
from services.auth.repository import clients, users
from shared.contracts.auth import SubjectAnswer
from shared.errors import NotFoundError


async def subject(engine: AsyncEngine, identifier: str) -> SubjectAnswer:
    """The person or machine client of an e-mail address, a client id or a sub.

    Client ids are never UUIDs and hold no `@`, so the three cannot be taken for one another.
    Raises NotFoundError.
    """
    async with engine.connect() as connection:
        found = await _person(connection, identifier) or await _client(connection, identifier)
    if found is None:
        raise NotFoundError("nobody here has that address, client id or sub")
    return found


async def _person(connection: AsyncConnection, identifier: str) -> SubjectAnswer | None:
    if "@" in identifier:
        try:
            user = await users.by_email(connection, email_address(identifier))
        except ValueError:
            return None
    else:
        try:
            user = await users.by_id(connection, UserId(uuid.UUID(identifier)))
        except ValueError:
            return None
    if user is None:
        return None
    return SubjectAnswer(
        sub=user.sub,
        email=user.email,
        name=user.username,
        role=user.role,
        disabled=user.disabled,
    )


async def _client(connection: AsyncConnection, identifier: str) -> SubjectAnswer | None:
    client = await clients.by_id(connection, identifier.removeprefix(CLIENT_PREFIX))
    if client is None:
        return None
    return SubjectAnswer(sub=client.sub, name=client.name)
