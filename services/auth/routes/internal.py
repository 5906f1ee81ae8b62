"""Calls for the other processes alone; the gateway does not route them.

The last two need no service token: an API key is its own proof, and revocations name nobody.
"""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from services.auth.dependencies import Peer, Process, not_stored
from services.auth.errors import InvalidApiKeyError
from services.auth.schemas import PlainText
from shared.contracts.auth import (
    CallerAsked,
    CallerNow,
    IssuedToken,
    Revocations,
    SubjectAnswer,
    SubjectRequest,
)
from shared.http.idempotency import not_idempotent
from shared.http.json_bodies import JsonRoute

router = APIRouter(prefix="/internal", tags=["internal"], route_class=JsonRoute)


@router.get("/subjects", status_code=200, summary="Who is this")
async def internal_subjects(
    caller: Peer,  # noqa: ARG001 - a peer is required, which one does not matter
    auth: Process,
    identifier: Annotated[PlainText, Query(description="E-mail address, client id or sub")],
) -> SubjectAnswer:
    """The person or machine client of an e-mail address, a client id or a sub, else 404."""
    return SubjectAnswer.of(await auth.subjects.find(identifier))


@router.post("/subjects", status_code=200, summary="Whom a grant names")
@not_idempotent("repeating it gives the same subject")
async def internal_subjects_of_grant(
    caller: Peer,  # noqa: ARG001 - a peer is required, which one does not matter
    body: SubjectRequest,
    auth: Process,
) -> SubjectAnswer:
    """As `GET`, but every e-mail address has a subject, whether it has an account or not."""
    return SubjectAnswer.of(await auth.subjects.of_grant(body.identifier))


@router.post("/callers/now", status_code=200, summary="What a caller may do now")
@not_idempotent("it changes nothing")
async def internal_callers_now(
    caller: Peer,  # noqa: ARG001 - a peer is required, which one does not matter
    auth: Process,
    asked: CallerAsked,
) -> CallerNow:
    """Role and scopes of a person or machine client at this moment; 404 where it may nothing."""
    return CallerNow.of(await auth.subjects.now(asked.sub, api_key=asked.api_key))


@router.post(
    "/api-keys/exchange",
    status_code=200,
    summary="An access token for an API key",
    dependencies=[Depends(not_stored)],
)
@not_idempotent("the key is its proof, and it answers a token")
async def internal_api_keys_exchange(request: Request, auth: Process) -> IssuedToken:
    """Send the key as the bearer token; 401 `invalid_api_key` for one that is not valid."""
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key:
        raise InvalidApiKeyError
    return await auth.api_keys.exchange(key.strip())


@router.get("/revocations", status_code=200, summary="Access tokens that were revoked")
async def internal_revocations(
    auth: Process,
    after: Annotated[int, Query(ge=0, lt=2**63, description="`last` of the answer before")] = 0,
    wait_s: Annotated[float, Query(ge=0, le=10, allow_inf_nan=False)] = 0,
) -> Revocations:
    """Revocations with an id above `after`; waits for one, `wait_s` seconds at most."""
    return await auth.revocations.since(after, wait_s=wait_s)
