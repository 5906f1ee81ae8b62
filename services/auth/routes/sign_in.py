"""Codes by mail, the OAuth token endpoint, and revoking."""

from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Depends, Form, Request

from services.auth.dependencies import Address, Process, not_stored
from services.auth.domain import EmailAddress
from services.auth.otp import CODE_LIFETIME_S
from services.auth.routes.grants import grant
from services.auth.schemas import (
    ChallengeAnswer,
    CodeAnswer,
    CodeRequest,
    Pair,
    Refresh,
    TokenAnswer,
    TokenForm,
)
from shared.http.idempotency import not_idempotent
from shared.http.json_bodies import JsonRoute

router = APIRouter(tags=["sign-in"], dependencies=[Depends(not_stored)], route_class=JsonRoute)


@router.post(
    "/api/auth/otp",
    status_code=202,
    summary="Ask for a sign-in code by mail",
)
@not_idempotent("it has no caller yet; each mail has a code of its own")
async def auth_otp_create(
    body: CodeRequest, auth: Process, address: Address, background: BackgroundTasks
) -> ChallengeAnswer:
    """A 6-digit code is mailed, if the address may sign in here; the answer never says whether.

    429 with `Retry-After` beyond the limits per address, per IP and overall; 503
    `mail_unavailable` only while the mail server is known to be down.
    """
    mail = await auth.codes.ask(EmailAddress(body.email), address=address)
    background.add_task(auth.codes.post, mail)
    return ChallengeAnswer(challenge_id=mail.challenge_id, expires_in=CODE_LIFETIME_S)


@router.post(
    "/api/auth/otp/verify",
    status_code=200,
    summary="Sign in with the code out of the mail",
)
@not_idempotent("it has no caller yet, and answers tokens")
async def auth_otp_verify(body: CodeAnswer, auth: Process, address: Address) -> Pair:
    """Exchange the challenge and its code for a pair of tokens.

    An address without an account gets one here, where the sign-up policy admits it. 401
    `invalid_code` whatever is wrong: a code takes 5 tries, holds for 10 minutes, works once.
    """
    return Pair.of(await auth.codes.verify(body.challenge_id, body.code, address=address))


@router.post(
    "/api/auth/token",
    response_model_exclude_none=True,
    status_code=200,
    summary="OAuth token endpoint",
)
@not_idempotent("it has no caller yet, and answers tokens")
async def auth_token(
    form: Annotated[TokenForm, Form()], request: Request, auth: Process, address: Address
) -> TokenAnswer:
    """RFC 6749: `password`, `refresh_token` and `client_credentials`, as a form.

    A client gives id and secret in the form or by HTTP Basic. Refusals are problem documents
    whose `code` (and `error`) are those of the RFC: `invalid_request`, `invalid_client`,
    `invalid_grant`, `unsupported_grant_type`, `invalid_scope`.
    """
    return await grant(auth.sessions, form, request.headers.get("Authorization"), address=address)


@router.post("/api/auth/revoke", status_code=204, summary="End a session")
@not_idempotent("its refresh token is its proof; repeating it is harmless")
async def auth_revoke(body: Refresh, auth: Process, address: Address) -> None:
    """End the session of a refresh token: all tokens made from that sign-in.

    204 for an unknown token too. Its access tokens are refused within 5 seconds.
    """
    await auth.sessions.revoke(body.refresh.get_secret_value(), address=address)
