"""What a process of auth holds, and the aliases by which routes ask for it."""

import asyncio
import contextlib
import datetime as dt
import ipaddress
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Annotated

import httpx2
from fastapi import Depends, Request, Response, Security
from sqlalchemy.ext.asyncio import AsyncEngine

from services.auth.mailer import CodeMails, MailServer
from services.auth.passwords import Passwords, password_hashing
from services.auth.service.accounts import Accounts, require_admin
from services.auth.service.codes import CodeLimits, Codes, SignUpPolicy
from services.auth.service.housekeeping import tidy_forever
from services.auth.service.keys import KeyRing
from services.auth.service.machines import Machines
from services.auth.service.sessions import Sessions
from services.auth.service.start import prepare
from services.auth.settings import AuthSettings
from services.auth.tokens import session_of
from shared.contracts.auth import Caller, Scope
from shared.http.caller import authenticated, password_flow
from shared.process.tasks import end
from shared.security.tokens import Verifier
from shared.store.engine import database_engine

MAILS_AT_ONCE = 8
MAILS_WAITING = 1000
LAST_MAILS_S = 5.0
"""So long a process that stops goes on sending what stands in line."""


@dataclass(frozen=True)
class AuthState:
    """Everything that one process of auth holds."""

    settings: AuthSettings
    engine: AsyncEngine
    keys: KeyRing
    verifier: Verifier
    sessions: Sessions
    codes: Codes
    accounts: Accounts
    machines: Machines


class OwnKeys(httpx2.AsyncBaseTransport):
    """Answers the verifier's request for the JWKS out of our own ring, without a network."""

    def __init__(self, keys: KeyRing) -> None:
        self._keys = keys

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """The JWKS."""
        return httpx2.Response(200, json=await self._keys.jwks(), request=request)


@asynccontextmanager
async def running_state(settings: AuthSettings) -> AsyncIterator[AuthState]:
    """Put the process together, prepare the database, and mail and tidy in the background."""
    async with AsyncExitStack() as stack:
        passwords = stack.enter_context(
            password_hashing(
                memory_kib=settings.argon2_memory_kib,
                passes=settings.argon2_passes,
                threads=settings.hashing_threads,
                queue=settings.hashing_queue,
            )
        )
        engine = await stack.enter_async_context(
            database_engine(
                settings.database_url.get_secret_value(),
                application_name="auth",
                pool_size=settings.database_pool_size,
            )
        )
        await prepare(engine, settings, passwords)
        keys = KeyRing(engine=engine, secret=settings.signing_key_secret_bytes)
        http = await stack.enter_async_context(httpx2.AsyncClient(transport=OwnKeys(keys)))
        state = _state(settings, engine, keys, passwords, http)
        async with _background(state):
            yield state


def _state(
    settings: AuthSettings,
    engine: AsyncEngine,
    keys: KeyRing,
    passwords: Passwords,
    http: httpx2.AsyncClient,
) -> AuthState:
    sessions = Sessions(
        engine=engine,
        keys=keys,
        passwords=passwords,
        internal_clients=settings.internal_clients,
        issuer=settings.token_issuer,
        audience=settings.token_audience,
        refresh_lifetime=dt.timedelta(days=settings.refresh_idle_days),
        session_lifetime=dt.timedelta(days=settings.session_days),
    )
    codes = Codes(
        engine=engine,
        sessions=sessions,
        server=MailServer(settings),
        mails=CodeMails(settings),
        pepper=settings.otp_pepper.get_secret_value(),
        policy=SignUpPolicy(settings.sign_up, frozenset(settings.sign_up_domains)),
        limits=CodeLimits(
            per_address=settings.otp_per_address_per_hour,
            per_ip=settings.otp_per_ip_per_hour,
            overall=settings.otp_overall_per_hour,
        ),
        waiting=asyncio.Queue(MAILS_WAITING),
        spread_s=settings.otp_mail_spread_s,
    )
    return AuthState(
        settings=settings,
        engine=engine,
        keys=keys,
        verifier=Verifier(
            http,
            jwks_url=f"{settings.auth_url}/.well-known/jwks.json",
            issuer=settings.token_issuer,
            audience=settings.token_audience,
        ),
        sessions=sessions,
        codes=codes,
        accounts=Accounts(engine=engine, passwords=passwords),
        machines=Machines(engine=engine, internal_ids=frozenset(settings.internal_clients)),
    )


@asynccontextmanager
async def _background(state: AuthState) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(state.codes.deliver_forever()) for _ in range(MAILS_AT_ONCE)]
        tasks.append(group.create_task(state.codes.server.watch()))
        tasks.append(group.create_task(tidy_forever(state.engine)))
        yield
        if not state.codes.server.known_down:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LAST_MAILS_S):
                    await state.codes.waiting.join()
        await end(tasks)


def auth_state(request: Request) -> AuthState:
    """The process's state."""
    state: AuthState = request.state.state
    return state


async def still_admin(request: Request, caller: Caller) -> None:
    """Raise ForbiddenError unless the caller is an admin: all POSTs with a caller are for them."""
    async with auth_state(request).engine.connect() as connection:
        await require_admin(connection, caller)


def client_address(request: Request) -> str | None:
    """The address of whoever called the gateway.

    The gateway overwrites `X-Forwarded-For` with the one address it believes in; of more than
    one only the last could be its own.
    """
    forwarded = request.headers.getlist("x-forwarded-for")
    candidates = [forwarded[-1].rpartition(",")[2].strip()] if forwarded else []
    if request.client is not None:
        candidates.append(request.client.host)
    for candidate in candidates:
        with contextlib.suppress(ValueError):
            return str(ipaddress.ip_address(candidate))
    return None


def current_session(
    caller: Annotated[Caller, Security(authenticated)],  # noqa: ARG001 - verified before it is read
    token: Annotated[str, Depends(password_flow)],
) -> str | None:
    """The session that the access token belongs to; None for a machine client."""
    return session_of(token)


def not_stored(response: Response) -> None:
    """Tokens and secrets stay out of caches (RFC 6749, section 5.1)."""
    response.headers["Cache-Control"] = "no-store"


State = Annotated[AuthState, Depends(auth_state)]
Address = Annotated[str | None, Depends(client_address)]
CurrentSession = Annotated[str | None, Depends(current_session)]
SignedIn = Annotated[Caller, Security(authenticated)]
Peer = Annotated[Caller, Security(authenticated, scopes=[Scope.INTERNAL.value])]
