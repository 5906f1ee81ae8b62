"""Whether a request may go on: who sends it, and what the rate limits say."""

from dataclasses import dataclass

from gateway.api_keys import is_api_key
from gateway.errors import SignInUnavailableError
from gateway.incoming import Incoming
from gateway.limits import classify, exchanges
from gateway.metrics import rate_limited
from gateway.process import GatewayState
from gateway.rate_limit import LimitsDownError, Verdict
from gateway.reply import Reply
from shared.contracts.auth import Sub
from shared.errors import (
    ProblemError,
    TooManyRequestsError,
    UnauthenticatedError,
    UnavailableError,
)
from shared.http.addresses import household

BEARER = "bearer "


@dataclass(slots=True)
class Sender:
    """Who sends a request."""

    address: str
    """What counts as one client."""
    subject: Sub | None
    """Of a good access token."""
    refusal: ProblemError | None
    """What a call that needs an access token is answered where there is no good one."""

    @property
    def share(self) -> str:
        """Whose share of what all have in common the request takes."""
        return self.subject or self.address


async def sender_of(state: GatewayState, incoming: Incoming) -> tuple[Incoming, Sender]:
    """Who sends a request, by its access token and address.

    The request is returned with an access token in place of an API key.
    """
    address = household(incoming.address)
    authorization = incoming.authorization
    if authorization is None or authorization[: len(BEARER)].lower() != BEARER:
        missing = UnauthenticatedError("send an access token: `Authorization: Bearer …`")
        return incoming, Sender(address, None, missing)
    token = authorization[len(BEARER) :].strip()
    try:
        if is_api_key(token):
            token = await _exchanged(state, token, address=address)
            incoming = incoming.with_token(token)
        caller = await state.verifier.verify(token)
    except (UnauthenticatedError, UnavailableError, TooManyRequestsError) as exc:
        return incoming, Sender(address, None, exc)
    if incoming.connection is not None:
        incoming.connection.has_shown_a_token()
    return incoming, Sender(address, caller.sub, None)


async def _exchanged(state: GatewayState, key: str, *, address: str) -> str:
    """The access token of an API key; exchanges are counted, or guesses would reach auth."""
    token = await state.api_keys.kept_token(key)
    if token is not None:
        return token
    try:
        verdict = await state.limiter.check((exchanges(address),))
    except LimitsDownError:
        return await state.api_keys.fresh_token(key)
    if not verdict.allowed:
        raise _too_many(verdict)
    return await state.api_keys.fresh_token(key)


async def admit(
    state: GatewayState, incoming: Incoming, sender: Sender, reply: Reply, *, body: bytes = b""
) -> None:
    """Count the request; `body` is that of the public calls.

    Raises TooManyRequestsError (429), and for sign-in SignInUnavailableError (503) while Redis
    is away; everything else goes on uncounted then.
    """
    classified = classify(
        state.settings, incoming, address=sender.address, subject=sender.subject, body=body
    )
    try:
        verdict = await state.limiter.check(classified.limits)
    except LimitsDownError as exc:
        if classified.is_sign_in:
            raise SignInUnavailableError("sign-in is paused for a moment; try again") from exc
        return
    reply.add_headers(verdict.headers())
    if not verdict.allowed:
        raise _too_many(verdict)


async def admit_in_turn(
    state: GatewayState, incoming: Incoming, sender: Sender, reply: Reply
) -> None:
    """Count the request; over its limit it waits, behind the sender's earlier ones.

    Raises UnavailableError (503) where it cannot be known who sends it.
    """
    if isinstance(sender.refusal, (TooManyRequestsError, UnavailableError)):
        raise UnavailableError(
            "the access token or API key cannot be checked now; try again", retry_after_s=1
        )
    if sender.refusal is not None:
        await admit(state, incoming, sender, reply)
        return
    classified = classify(state.settings, incoming, address=sender.address, subject=sender.subject)
    try:
        verdict = await state.limiter.check_in_turn(classified.limits)
    except LimitsDownError:
        return
    reply.add_headers(verdict.headers())


def _too_many(verdict: Verdict) -> TooManyRequestsError:
    rate_limited.labels(verdict.limit.name).inc()
    return TooManyRequestsError(
        f"the limit of this kind of call is reached; come back in {verdict.retry_after_s} s",
        headers={"Retry-After": str(verdict.retry_after_s)},
    )
