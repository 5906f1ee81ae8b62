"""The aliases by which routes ask for the process, the caller and the client's address."""

import contextlib
import ipaddress
from typing import Annotated

from fastapi import Depends, Request, Response, Security

from services.auth.process import AuthProcess
from services.auth.service.access import own_account, require_admin
from services.auth.tokens import session_of
from shared.contracts.auth import Caller, Scope
from shared.http.caller import authenticated, password_flow

API_KEYS_PATH = "/api/auth/api-keys"


async def _process(request: Request) -> AuthProcess:
    process: AuthProcess = request.state.process
    return process


async def may_still(request: Request, caller: Caller) -> None:
    """Raise unless the caller may still have an answer that is kept for an idempotency key.

    API keys are created by anyone with an account, all the rest by admins.
    """
    process: AuthProcess = request.state.process
    async with process.engine.connect() as connection:
        if request.scope["path"].rstrip("/") == API_KEYS_PATH:
            await own_account(connection, caller)
        else:
            await require_admin(connection, caller)


async def client_address(request: Request) -> str | None:
    """The address of the gateway's client.

    The gateway overwrites `X-Forwarded-For` with the one address it trusts; of more than one only
    the last could be its own.
    """
    forwarded = request.headers.getlist("x-forwarded-for")
    candidates = [forwarded[-1].rpartition(",")[2].strip()] if forwarded else []
    if request.client is not None:
        candidates.append(request.client.host)
    for candidate in candidates:
        with contextlib.suppress(ValueError):
            return str(ipaddress.ip_address(candidate))
    return None


async def current_session(
    caller: Annotated[Caller, Security(authenticated)],  # noqa: ARG001 - verified before it is read
    token: Annotated[str, Depends(password_flow)],
) -> str | None:
    """The session that the access token belongs to; None for a machine client."""
    return session_of(token)


async def not_stored(response: Response) -> None:
    """Keep tokens and secrets out of caches (RFC 6749, section 5.1)."""
    response.headers["Cache-Control"] = "no-store"


Process = Annotated[AuthProcess, Depends(_process)]
Address = Annotated[str | None, Depends(client_address)]
CurrentSession = Annotated[str | None, Depends(current_session)]
SignedIn = Annotated[Caller, Security(authenticated)]
Peer = Annotated[Caller, Security(authenticated, scopes=[Scope.INTERNAL.value])]
