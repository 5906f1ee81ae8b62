"""API keys: for programs of people that cannot renew a token.

A key opens what its owner may do at that moment, narrowed to its scopes, and never more: it makes
no keys, and the calls that administer accounts refuse it.
"""

import datetime as dt
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine

from services.auth import tokens
from services.auth.domain import KEY_TOKEN_S, PERSONS_SCOPES, ApiKey, KeyId, UserId
from services.auth.errors import (
    ApiKeyRefusedError,
    InvalidApiKeyError,
    TooManyApiKeysError,
)
from services.auth.repository import api_keys, revocations, users
from services.auth.service.access import is_admin, own_account
from services.auth.service.signing import Signer
from services.auth.tables import BOOKS
from shared.contracts.auth import Caller, IssuedToken, Mark, Scope
from shared.errors import ForbiddenError, InvalidInputError, NotFoundError
from shared.http.paging import Position, Slice
from shared.store.transaction import transaction

LONGEST = dt.timedelta(days=366)
MOST_KEYS = 100
"""Live keys of one person."""


@dataclass(frozen=True, slots=True)
class ApiKeys:
    """Creates, lists, exchanges and revokes API keys."""

    engine: AsyncEngine
    signer: Signer

    async def page(self, caller: Caller, *, after: Position | None, limit: int) -> Slice[ApiKey]:
        """A page of the caller's keys, the oldest first."""
        async with self.engine.connect() as connection:
            user = await own_account(connection, caller)
            if user is None:
                return Slice(items=(), rest_after=None)
            return await api_keys.page(connection, user.id, after=after, limit=limit)

    async def add(
        self,
        caller: Caller,
        *,
        name: str,
        scopes: frozenset[Scope],
        expires_at: dt.datetime | None,
        address: str | None,
    ) -> tuple[ApiKey, str]:
        """A new key and its text, which cannot be read again; without `expires_at` for a year.

        Raises ApiKeyRefusedError for a caller that is a key itself, ForbiddenError for a machine
        client, InvalidInputError for scopes that the caller does not have and for an end that is
        past or more than a year away, TooManyApiKeysError.
        """
        if caller.api_key is not None:
            raise ApiKeyRefusedError
        if beyond := scopes - (caller.scopes & PERSONS_SCOPES):
            names = ", ".join(sorted(scope.value for scope in beyond))
            raise InvalidInputError.of("scopes", "not_grantable", f"you do not have {names}")
        now = dt.datetime.now(dt.UTC)
        expires_at = expires_at or now + LONGEST
        if not now < expires_at <= now + LONGEST:
            message = "in the future, and at most a year away"
            raise InvalidInputError.of("expires_at", "out_of_range", message)
        text = tokens.new_api_key()
        async with transaction(self.engine, BOOKS) as tx:
            user = await own_account(tx.connection, caller, lock=True)
            if user is None:
                raise ForbiddenError("a machine client has no API keys: it has a secret")
            if await api_keys.count(tx.connection, user.id) >= MOST_KEYS:
                raise TooManyApiKeysError(f"at most {MOST_KEYS} keys; revoke one first")
            key = await api_keys.add(
                tx.connection,
                user_id=user.id,
                name=name,
                digest=tokens.digest(text),
                scopes=scopes,
                expires_at=expires_at,
            )
            await tx.record(
                caller,
                "api_key.create",
                f"api_key:{key.id}",
                address=address,
                name=name,
                scopes=sorted(scope.value for scope in scopes),
                expires_at=expires_at.isoformat(),
            )
            await tx.seal()
        return key, text

    async def revoke(self, caller: Caller, key_id: KeyId, *, address: str | None) -> None:
        """End a key of the caller's; admins end anyone's. Raises NotFoundError."""
        if caller.api_key is not None:
            raise ApiKeyRefusedError
        async with transaction(self.engine, BOOKS) as tx:
            user = await own_account(tx.connection, caller)
            if user is None:
                raise NotFoundError("there is no such API key")
            owner = None if await is_admin(tx.connection, caller) else user.id
            if not await api_keys.revoke(tx.connection, key_id, user_id=owner):
                raise NotFoundError("there is no such API key")
            await tx.record(caller, "api_key.revoke", f"api_key:{key_id}", address=address)
            await revocations.add(tx.connection, [Mark.API_KEY.of(str(key_id))])

    async def exchange(self, text: str) -> IssuedToken:
        """A short access token for a key. Raises InvalidApiKeyError."""
        async with self.engine.begin() as connection:
            key = await api_keys.use(connection, tokens.digest(text))
            user = await users.by_id(connection, UserId(key.user_id)) if key else None
        if key is None or user is None or user.disabled:
            raise InvalidApiKeyError
        left_s = (key.expires_at - dt.datetime.now(dt.UTC)).total_seconds()
        lifetime_s = max(1, min(KEY_TOKEN_S, int(left_s)))
        claims = tokens.Claims(
            sub=user.sub,
            scopes=key.scopes & PERSONS_SCOPES,
            email=user.email,
            role=user.role,
            api_key=str(key.id),
        )
        access = await self.signer.signed(claims, lifetime_s=lifetime_s)
        return IssuedToken(access_token=access, expires_in=lifetime_s)
