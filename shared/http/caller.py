"""The dependency by which a route declares the scope it requires.

`Annotated[Caller, Security(authenticated, scopes=["tables:read"])]`; the service's process must
hold a `verifier`.
"""

from typing import Annotated, Protocol

import structlog
from fastapi import Depends, Request
from fastapi.security import OAuth2PasswordBearer, SecurityScopes

import shared.http.segment  # noqa: F401 - `{name:segment}` must be known before a route is made
from shared.contracts.auth import GRANTABLE_SCOPES, Caller, Scope
from shared.errors import ScopeMissingError, UnauthenticatedError
from shared.http.idempotency import caller_known
from shared.security.tokens import Verifier

SCOPE_DESCRIPTIONS = {
    Scope.TABLES_READ: "See tables and their columns",
    Scope.TABLES_WRITE: "Make, change and drop tables",
    Scope.RECORDS_READ: "Read and export records",
    Scope.RECORDS_WRITE: "Write records",
    Scope.IMPORTS_WRITE: "Submit and steer imports",
    Scope.CATALOG_READ: "Read the catalog",
    Scope.CATALOG_WRITE: "Write the catalog by hand",
}

password_flow = OAuth2PasswordBearer(
    tokenUrl="/api/auth/token",
    refreshUrl="/api/auth/token",
    scopes={scope.value: SCOPE_DESCRIPTIONS[scope] for scope in GRANTABLE_SCOPES},
    description="Sign in with user name or e-mail address and password.",
    auto_error=False,
)


class HasVerifier(Protocol):
    """What this module needs of a service's process."""

    @property
    def verifier(self) -> Verifier:
        """The process's verifier of access tokens."""
        ...


async def authenticated(
    request: Request,
    security_scopes: SecurityScopes,
    token: Annotated[str | None, Depends(password_flow)],
) -> Caller:
    """The caller, who has every scope that the route requires.

    Raises UnauthenticatedError without a valid token, ScopeMissingError without a scope, and as
    `caller_known`.
    """
    if token is None:
        raise UnauthenticatedError("send an access token: `Authorization: Bearer …`")
    process: HasVerifier = request.state.process
    caller = await process.verifier.verify(token)
    structlog.contextvars.bind_contextvars(subject=caller.sub)
    request.scope["tabularium.subject"] = caller.sub
    missing = [scope for scope in security_scopes.scopes if Scope(scope) not in caller.scopes]
    if missing:
        raise ScopeMissingError(f"the access token lacks the scope {', '.join(missing)}")
    await caller_known(request, caller)
    return caller
