"""Whether a request may go on: who sends it, and what the rate limits say."""

import asyncio
from dataclasses import replace

from starlette.types import Receive

from gateway.bodies import read_whole, replayed
from gateway.errors import ClientTooSlowError, SignInUnavailableError
from gateway.incoming import Incoming
from gateway.limits import classify
from gateway.metrics import rate_limited
from gateway.process import GatewayState
from gateway.rate_limit import LimitsDownError
from gateway.reply import Reply
from shared.contracts.auth import OTP_REQUEST_PATH, TOKEN_FORM_PATH
from shared.errors import TooManyRequestsError, UnauthenticatedError, UnavailableError

BEARER = "bearer "
SIGN_IN_BODY_BYTES = 64 * 1024
"""No sign-in needs a larger body."""
LIMITED_BY_BODY = frozenset({TOKEN_FORM_PATH, OTP_REQUEST_PATH})
"""Calls whose limits depend on their body."""


async def subject_of(state: GatewayState, incoming: Incoming) -> str | None:
    """The subject of a good access token, or None.

    A bad token is not the gateway's to refuse: the service does, and some calls need none.
    """
    authorization = incoming.authorization
    if authorization is None or authorization[: len(BEARER)].lower() != BEARER:
        return None
    try:
        caller = await state.verifier.verify(authorization[len(BEARER) :].strip())
    except (UnauthenticatedError, UnavailableError):
        return None
    return caller.sub


async def admit(
    state: GatewayState,
    incoming: Incoming,
    receive: Receive,
    reply: Reply,
    *,
    subject: str | None,
) -> tuple[Incoming, Receive]:
    """Count the request; returns it and its `receive`, which still yields the whole body.

    Raises TooManyRequestsError (429), and for sign-in SignInUnavailableError (503) while Redis
    is away; everything else goes on uncounted then.
    """
    body = b""
    if incoming.path in LIMITED_BY_BODY and incoming.has_body:
        try:
            async with asyncio.timeout(state.settings.idle_timeout_s):
                body = await read_whole(receive, limit_bytes=SIGN_IN_BODY_BYTES)
        except TimeoutError as exc:
            raise ClientTooSlowError("no more of the body arrived; send it again") from exc
        receive = replayed(body, receive)
        # The reading has sent `100 Continue`.
        incoming = replace(incoming, expects_continue=False)
    classified = classify(state.settings, incoming, subject=subject, body=body)
    try:
        verdict = await state.limiter.check(classified.limits)
    except LimitsDownError as exc:
        if classified.is_sign_in:
            raise SignInUnavailableError("sign-in is paused for a moment; try again") from exc
        return incoming, receive
    reply.add_headers(verdict.headers())
    if not verdict.allowed:
        rate_limited.labels(verdict.limit.name).inc()
        raise TooManyRequestsError(
            f"the limit of this kind of call is reached; come back in {verdict.retry_after_s} s",
            headers={"Retry-After": str(verdict.retry_after_s)},
        )
    return incoming, receive
