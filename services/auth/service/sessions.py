"""Signing in with a password or as a machine, refreshing, and ending sessions."""

import datetime as dt
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, replace

from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.auth import tokens
from services.auth.domain import (
    ACCOUNT_BACK_OFF,
    ADDRESS_BACK_OFF,
    PERSONS_SCOPES,
    FamilyId,
    Session,
    SignInMethod,
    TokenPair,
    User,
    address_block,
    client_sub,
    limit_key,
)
from services.auth.errors import (
    HashingBusyError,
    InvalidClientError,
    InvalidCredentialsError,
    InvalidRefreshTokenError,
    InvalidScopeError,
    TooManyAttemptsError,
)
from services.auth.passwords import Passwords
from services.auth.repository import clients, limits, sessions, users
from services.auth.repository.sessions import SentToken, TokenState
from services.auth.service.keys import KeyRing
from shared.contracts.auth import Scope
from shared.store.audit import record_event

NOBODYS_DIGEST = bytes(32)
"""Compared in place of a client that is not there."""


@dataclass(frozen=True)
class Sessions:
    """Gives out tokens and takes them back."""

    engine: AsyncEngine
    keys: KeyRing
    passwords: Passwords
    internal_clients: Mapping[str, SecretStr]
    issuer: str
    audience: str
    refresh_lifetime: dt.timedelta
    session_lifetime: dt.timedelta

    async def sign_in(
        self,
        login: str,
        password: str,
        *,
        address: str | None,
        scopes: frozenset[Scope] | None = None,
    ) -> TokenPair:
        """Sign in by user name or e-mail address, and password.

        `scopes` narrows what the tokens open. Raises InvalidCredentialsError (whatever the
        cause), TooManyAttemptsError, HashingBusyError, InvalidScopeError.
        """
        wanted = narrowed(PERSONS_SCOPES, scopes)
        block = address_block(address)
        login_key = limit_key("sign_in", login.strip().lower(), block)
        address_key = limit_key("sign_in_address", block)
        user = await self._count_and_look_up(login, login_key, address_key)
        try:
            fits = await self.passwords.fits(user.password_hash if user else None, password)
        except HashingBusyError:
            await self._give_back(address_key, login_key)  # nothing was tried
            raise
        if user is None or not fits or user.disabled:
            async with self.engine.begin() as connection:
                await tell_failure(connection, user, method=SignInMethod.PASSWORD, address=address)
            raise InvalidCredentialsError
        rehashed = None
        if self.passwords.needs_rehash(user.password_hash or ""):
            rehashed = await self.passwords.hashed(password)
        async with self.engine.begin() as connection:
            # In the order in which they were counted, or two sign-ins could wait for each other.
            await limits.give_back_attempt(connection, address_key)
            await limits.forget_attempts(connection, login_key)
            if rehashed:
                user = await users.change(connection, user.id, {"password_hash": rehashed})
            session, refresh = await self.begin(
                connection, user, method=SignInMethod.PASSWORD, scopes=wanted, address=address
            )
        return await self.pair(user, session, refresh)

    async def begin(
        self,
        connection: AsyncConnection,
        user: User,
        *,
        method: SignInMethod,
        scopes: frozenset[Scope],
        address: str | None,
    ) -> tuple[Session, str]:
        """Open a session in the caller's transaction; returns it and its first refresh token."""
        session = await sessions.open_session(
            connection,
            user_id=user.id,
            method=method,
            scopes=scopes,
            lifetime=self.session_lifetime,
        )
        refresh = await self._further_token(connection, session.id)
        await record_event(
            connection,
            subject=user.sub,
            action="auth.sign_in",
            object_=f"user:{user.id}",
            address=address,
            detail={"method": method.value, "session": str(session.id)},
        )
        return session, refresh

    async def pair(self, user: User, session: Session, refresh: str) -> TokenPair:
        """An access token beside a refresh token."""
        claims = tokens.Claims(
            sub=user.sub,
            scopes=session.scopes,
            email=user.email,
            role=user.role,
            session=str(session.id),
        )
        return TokenPair(access=await self._signed(claims), refresh=refresh, scopes=session.scopes)

    async def refresh(
        self, refresh: str, *, address: str | None, scopes: frozenset[Scope] | None = None
    ) -> TokenPair:
        """A fresh pair for a refresh token, which is used up by it.

        Used again within 30 s it gives another pair of the same session, because the answer may
        have been lost; after that it ends the session. Raises InvalidRefreshTokenError and
        InvalidScopeError.
        """
        digest = tokens.digest(refresh)
        async with self.engine.begin() as connection:
            sent = await sessions.sent_token(connection, digest)
            user = await users.by_id(connection, sent.session.user_id) if sent else None
            if (
                sent is None
                or user is None
                or not await self._holds(connection, sent, user, address)
            ):
                fresh = None
            else:
                session = replace(sent.session, scopes=narrowed(sent.session.scopes, scopes))
                await sessions.mark_used(connection, digest)
                fresh = await self._further_token(connection, sent.session.id)
        # The transaction is over: what ended the session must stay, though the caller is refused.
        if fresh is None or user is None:
            raise InvalidRefreshTokenError
        return await self.pair(user, session, fresh)

    async def revoke(self, refresh: str, *, address: str | None) -> None:
        """End the session of a refresh token; a token nobody knows is none to end."""
        async with self.engine.begin() as connection:
            sent = await sessions.sent_token(connection, tokens.digest(refresh))
            if sent is None or sent.state is TokenState.OVER:
                return
            await sessions.end(connection, sent.session.id, because="revoked")
            await record_event(
                connection,
                subject=str(sent.session.user_id),
                action="auth.sign_out",
                object_=f"session:{sent.session.id}",
                address=address,
            )

    async def client_token(
        self,
        client_id: str,
        secret: str,
        *,
        address: str | None,
        scopes: frozenset[Scope] | None = None,
    ) -> tuple[str, frozenset[Scope]]:
        """An access token for a machine client, and its scopes.

        Raises InvalidClientError and InvalidScopeError.
        """
        granted = await self.authenticated_client(client_id, secret, address=address)
        wanted = narrowed(granted, scopes)
        claims = tokens.Claims(sub=client_sub(client_id), scopes=wanted, client=client_id)
        return await self._signed(claims), wanted

    async def authenticated_client(
        self, client_id: str, secret: str, *, address: str | None
    ) -> frozenset[Scope]:
        """The scopes of a machine client that knows its secret; raises InvalidClientError."""
        internal = self.internal_clients.get(client_id)
        if internal is not None:
            # Our own services come every quarter of an hour: only their failures are told.
            if hmac.compare_digest(
                tokens.digest(internal.get_secret_value()), tokens.digest(secret)
            ):
                return frozenset({Scope.INTERNAL})
            known, client = None, None
        else:
            async with self.engine.connect() as connection:
                known = await clients.secret_digest(connection, client_id)
                client = await clients.by_id(connection, client_id)
        fits = hmac.compare_digest(known or NOBODYS_DIGEST, tokens.digest(secret))
        async with self.engine.begin() as connection:
            await record_event(
                connection,
                subject=client.sub if client else None,
                action="auth.client_token",
                object_=client.sub if client else None,
                result="ok" if fits and client else "failed",
                address=address,
            )
        if client is None or not fits:
            raise InvalidClientError
        return client.scopes

    async def _count_and_look_up(self, login: str, login_key: str, address_key: str) -> User | None:
        async with self.engine.begin() as connection:
            wait_s = await limits.take_attempt(connection, address_key, ADDRESS_BACK_OFF)
            if wait_s is None:
                wait_s = await limits.take_attempt(connection, login_key, ACCOUNT_BACK_OFF)
            user = await users.by_login(connection, login)
        if wait_s is not None:
            raise TooManyAttemptsError(wait_s)
        return user

    async def _give_back(self, *keys: str) -> None:
        async with self.engine.begin() as connection:
            for key in keys:
                await limits.give_back_attempt(connection, key)

    async def _holds(
        self, connection: AsyncConnection, sent: SentToken, user: User, address: str | None
    ) -> bool:
        if sent.state is TokenState.OVER:
            return False
        if sent.state is TokenState.REUSED:
            await sessions.end(connection, sent.session.id, because="reused")
            await record_event(
                connection,
                subject=user.sub,
                action="auth.refresh_reused",
                object_=f"session:{sent.session.id}",
                result="failed",
                address=address,
            )
            return False
        if user.disabled:
            await sessions.end(connection, sent.session.id, because="disabled")
            return False
        return True

    async def _further_token(self, connection: AsyncConnection, family_id: FamilyId) -> str:
        refresh = tokens.new_refresh_token()
        await sessions.add_token(
            connection,
            family_id=family_id,
            digest=tokens.digest(refresh),
            lifetime=self.refresh_lifetime,
        )
        return refresh

    async def _signed(self, claims: tokens.Claims) -> str:
        key = await self.keys.signing_key()
        return tokens.access_token(key, claims, issuer=self.issuer, audience=self.audience)


def narrowed(granted: frozenset[Scope], wanted: frozenset[Scope] | None) -> frozenset[Scope]:
    """The scopes that are wanted out of those that are granted; raises InvalidScopeError."""
    if not wanted:
        return granted
    if missing := wanted - granted:
        names = ", ".join(sorted(scope.value for scope in missing))
        raise InvalidScopeError(f"not among the scopes you have: {names}")
    return wanted


async def tell_failure(
    connection: AsyncConnection, user: User | None, *, method: SignInMethod, address: str | None
) -> None:
    """Write a sign-in that failed to the audit trail, and to whose account if that is known.

    Not what was typed: people type their password where the name belongs.
    """
    await record_event(
        connection,
        subject=user.sub if user else None,
        action="auth.sign_in",
        object_=f"user:{user.id}" if user else None,
        result="failed",
        address=address,
        detail={"method": method.value},
    )
