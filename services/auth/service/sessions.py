"""Signing in with a password or as a machine, refreshing, and ending sessions."""

import datetime as dt
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, replace

from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncEngine

from services.auth import tokens
from services.auth.domain import (
    ACCOUNT_BACK_OFF,
    ADDRESS_BACK_OFF,
    PERSONS_SCOPES,
    FamilyId,
    SentToken,
    Session,
    SignInMethod,
    TokenPair,
    TokenState,
    User,
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
from services.auth.repository import clients, limits, revocations, sessions, users
from services.auth.service.signing import Signer
from services.auth.tables import BOOKS
from shared.contracts.auth import Mark, Scope
from shared.http.addresses import household
from shared.store.transaction import Transaction, transaction

ABSENT_DIGEST = bytes(32)
"""Compared in place of a client that is not there."""


@dataclass(frozen=True, slots=True)
class Sessions:
    """Issues tokens and revokes them."""

    engine: AsyncEngine
    signer: Signer
    passwords: Passwords
    internal_clients: Mapping[str, SecretStr]
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
        granted = narrowed(PERSONS_SCOPES, scopes)
        block = household(address)
        login_key = limit_key("sign_in", login.strip().lower(), block)
        address_key = limit_key("sign_in_address", block)
        user = await self._count_and_look_up(login, login_key, address_key)
        try:
            fits = await self.passwords.fits(user.password_hash if user else None, password)
        except HashingBusyError:
            await self._give_back(address_key, login_key)  # nothing was tried
            raise
        if user is None or not fits or user.disabled:
            async with transaction(self.engine, BOOKS) as tx:
                await record_failure(tx, user, method=SignInMethod.PASSWORD, address=address)
            raise InvalidCredentialsError
        rehashed = None
        if self.passwords.needs_rehash(user.password_hash or ""):
            rehashed = await self.passwords.hashed(password)
        async with transaction(self.engine, BOOKS) as tx:
            # In the order in which they were counted, or two sign-ins could wait for each other.
            await limits.give_back_attempt(tx.connection, address_key)
            await limits.forget_attempts(tx.connection, login_key)
            if rehashed:
                user = await users.change(tx.connection, user.id, {"password_hash": rehashed})
            session, refresh = await self.begin(
                tx, user, method=SignInMethod.PASSWORD, scopes=granted, address=address
            )
        return await self.pair(user, session, refresh)

    async def begin(
        self,
        tx: Transaction,
        user: User,
        *,
        method: SignInMethod,
        scopes: frozenset[Scope],
        address: str | None,
    ) -> tuple[Session, str]:
        """Open a session in a transaction; returns it and its first refresh token."""
        session = await sessions.open_session(
            tx.connection,
            user_id=user.id,
            method=method,
            scopes=scopes,
            lifetime=self.session_lifetime,
        )
        refresh = await self._further_token(tx, session.id)
        await tx.record(
            user.sub,
            "auth.sign_in",
            f"user:{user.id}",
            address=address,
            method=method.value,
            session=str(session.id),
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
        access = await self.signer.signed(claims)
        return TokenPair(access=access, refresh=refresh, scopes=session.scopes)

    async def refresh(
        self, refresh: str, *, address: str | None, scopes: frozenset[Scope] | None = None
    ) -> TokenPair:
        """A fresh pair for a refresh token, which is used up by it.

        Used again within 30 s it gives another pair of the same session, because the answer may
        have been lost; after that it ends the session. Raises InvalidRefreshTokenError and
        InvalidScopeError.
        """
        digest = tokens.digest(refresh)
        async with transaction(self.engine, BOOKS) as tx:
            sent = await sessions.sent_token(tx.connection, digest)
            user = await users.by_id(tx.connection, sent.session.user_id) if sent else None
            if sent is None or user is None or not await self._holds(tx, sent, user, address):
                fresh = None
            else:
                session = replace(sent.session, scopes=narrowed(sent.session.scopes, scopes))
                await sessions.mark_used(tx.connection, digest)
                fresh = await self._further_token(tx, sent.session.id)
        # Committed: what ended the session must stay, though the caller is refused.
        if fresh is None or user is None:
            raise InvalidRefreshTokenError
        return await self.pair(user, session, fresh)

    async def revoke(self, refresh: str, *, address: str | None) -> None:
        """End the session of a refresh token; an unknown token is no error."""
        async with transaction(self.engine, BOOKS) as tx:
            sent = await sessions.sent_token(tx.connection, tokens.digest(refresh))
            if sent is None or sent.state is TokenState.OVER:
                return
            await sessions.end(tx.connection, sent.session.id, because="revoked")
            await tx.record(
                str(sent.session.user_id),
                "auth.sign_out",
                f"session:{sent.session.id}",
                address=address,
            )
            await revocations.add(tx.connection, [Mark.SESSION.of(str(sent.session.id))])

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
        held = await self.authenticated_client(client_id, secret, address=address)
        granted = narrowed(held, scopes)
        claims = tokens.Claims(sub=client_sub(client_id), scopes=granted, client=client_id)
        return await self.signer.signed(claims), granted

    async def authenticated_client(
        self, client_id: str, secret: str, *, address: str | None
    ) -> frozenset[Scope]:
        """The scopes of a machine client that knows its secret; raises InvalidClientError."""
        internal = self.internal_clients.get(client_id)
        if internal is not None:
            # Our own services ask every quarter of an hour: only their failures are recorded.
            if hmac.compare_digest(
                tokens.digest(internal.get_secret_value()), tokens.digest(secret)
            ):
                return frozenset({Scope.INTERNAL})
            known, client = None, None
        else:
            async with self.engine.connect() as connection:
                known = await clients.secret_digest(connection, client_id)
                client = await clients.by_id(connection, client_id)
        fits = hmac.compare_digest(known or ABSENT_DIGEST, tokens.digest(secret))
        async with transaction(self.engine, BOOKS) as tx:
            sub = client.sub if client else None
            result = "ok" if fits and client else "failed"
            await tx.record(sub, "auth.client_token", sub, result=result, address=address)
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
        self, tx: Transaction, sent: SentToken, user: User, address: str | None
    ) -> bool:
        if sent.state is TokenState.OVER:
            return False
        if sent.state is TokenState.REUSED:
            await sessions.end(tx.connection, sent.session.id, because="reused")
            await tx.record(
                user.sub,
                "auth.refresh_reused",
                f"session:{sent.session.id}",
                result="failed",
                address=address,
            )
            await revocations.add(tx.connection, [Mark.SESSION.of(str(sent.session.id))])
            return False
        if user.disabled:
            await sessions.end(tx.connection, sent.session.id, because="disabled")
            return False
        return True

    async def _further_token(self, tx: Transaction, family_id: FamilyId) -> str:
        refresh = tokens.new_refresh_token()
        await sessions.add_token(
            tx.connection,
            family_id=family_id,
            digest=tokens.digest(refresh),
            lifetime=self.refresh_lifetime,
        )
        return refresh


def narrowed(held: frozenset[Scope], asked: frozenset[Scope] | None) -> frozenset[Scope]:
    """The scopes asked for, or all that are held; raises InvalidScopeError."""
    if not asked:
        return held
    if missing := asked - held:
        names = ", ".join(sorted(scope.value for scope in missing))
        raise InvalidScopeError(f"not among the scopes you have: {names}")
    return asked


async def record_failure(
    tx: Transaction, user: User | None, *, method: SignInMethod, address: str | None
) -> None:
    """Add a failed sign-in to the audit trail, with the account if it is known.

    Not what was typed: people type their password where the name belongs.
    """
    await tx.record(
        user.sub if user else None,
        "auth.sign_in",
        f"user:{user.id}" if user else None,
        result="failed",
        address=address,
        method=method.value,
    )
