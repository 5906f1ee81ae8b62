"""Looking up the owner of an address, a client id or a sub; for the other services."""

import uuid
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.auth.domain import (
    CLIENT_PREFIX,
    PERSONS_SCOPES,
    KeyId,
    Subject,
    UserId,
    email_address,
)
from services.auth.repository import api_keys, clients, users
from shared.contracts.auth import Caller, Sub
from shared.errors import InvalidInputError, NotFoundError


@dataclass(frozen=True, slots=True)
class Subjects:
    """People and machine clients by any of their names."""

    engine: AsyncEngine

    async def find(self, identifier: str) -> Subject:
        """The person or machine client of an e-mail address, a client id or a sub.

        Client ids are never UUIDs and hold no `@`, so the three cannot be confused. Raises
        NotFoundError.
        """
        async with self.engine.connect() as connection:
            subject = await _person(connection, identifier) or await _client(connection, identifier)
        if subject is None:
            raise NotFoundError("no account or client has that address, client id or sub")
        return subject

    async def of_grant(self, identifier: str) -> Subject:
        """As `find`, but every e-mail address has a subject, whether it has an account or not.

        Whoever gives a grant must not learn which it is. The account that an address gets later
        is of this subject.
        """
        if "@" not in identifier:
            return await self.find(identifier)
        try:
            email = email_address(identifier)
        except ValueError as exc:
            raise InvalidInputError.of("identifier", "invalid_email", str(exc)) from exc
        async with self.engine.begin() as connection:
            user_id = await users.reserve(connection, email)
        return Subject(Sub(str(user_id)), email, name=None)

    async def now(self, sub: Sub, *, api_key: str | None) -> Caller:
        """What a person or machine client may do at this moment, with this API key if any.

        Raises NotFoundError where that is nothing.
        """
        async with self.engine.connect() as connection:
            caller = await _person_now(connection, sub, api_key)
            if caller is None and api_key is None:
                caller = await _client_now(connection, sub)
        if caller is None:
            raise NotFoundError("this account, client or API key is no longer good")
        return caller


async def _person_now(connection: AsyncConnection, sub: Sub, api_key: str | None) -> Caller | None:
    try:
        user = await users.by_id(connection, UserId(uuid.UUID(sub)))
        key_id = None if api_key is None else KeyId(uuid.UUID(api_key))
    except ValueError:
        return None
    if user is None or user.disabled:
        return None
    scopes = PERSONS_SCOPES
    if key_id is not None:
        key = await api_keys.live(connection, key_id, user_id=user.id)
        if key is None:
            return None
        scopes &= key.scopes
    return Caller(sub=user.sub, email=user.email, role=user.role, scopes=scopes, api_key=api_key)


async def _client_now(connection: AsyncConnection, sub: Sub) -> Caller | None:
    if not sub.startswith(CLIENT_PREFIX):
        return None
    client = await clients.by_id(connection, sub.removeprefix(CLIENT_PREFIX))
    return None if client is None else Caller(sub=client.sub, scopes=client.scopes)


async def _person(connection: AsyncConnection, identifier: str) -> Subject | None:
    try:
        if "@" in identifier:
            user = await users.by_email(connection, email_address(identifier))
        else:
            user = await users.by_id(connection, UserId(uuid.UUID(identifier)))
    except ValueError:
        return None
    if user is None:
        return None
    return Subject(user.sub, user.email, user.username, role=user.role, disabled=user.disabled)


async def _client(connection: AsyncConnection, identifier: str) -> Subject | None:
    client = await clients.by_id(connection, identifier.removeprefix(CLIENT_PREFIX))
    return None if client is None else Subject(client.sub, email=None, name=client.name)
