"""Which limits a request falls under, by who sends it and what for."""

import hashlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from typing import Any
from urllib.parse import parse_qs

from starlette.types import Receive

from gateway.errors import BodyTooLargeError, ClientGoneError
from gateway.incoming import Incoming
from gateway.rate_limit import Limit
from gateway.settings import GatewaySettings

PEEK_LIMIT_BYTES = 64 * 1024
"""No sign-in needs a larger body."""
MINUTE_US = 60 * 1_000_000
HOUR_US = 60 * MINUTE_US
KEY_PREFIX = "tabularium:limit:"

TOKEN_FORM = "/api/auth/token"  # noqa: S105 - a path
OTP_REQUEST = "/api/auth/otp"
OTP_VERIFY = "/api/auth/otp/verify"
SIGN_IN = "/api/token"
PEEKED = frozenset({TOKEN_FORM, OTP_REQUEST})
"""Calls whose limits depend on their body."""


@dataclass(frozen=True)
class Classified:
    """A request's limits, and whether it is refused when they cannot be counted."""

    limits: tuple[Limit, ...]
    is_sign_in: bool


def classify(
    settings: GatewaySettings, incoming: Incoming, *, subject: str | None, body: bytes = b""
) -> Classified:
    """The limits of one request; `body` is that of the calls in `PEEKED`."""
    address = address_key(incoming.address)
    if incoming.method == "POST":
        if incoming.path == OTP_REQUEST:
            return Classified(_otp_limits(settings, address, _email_in(body)), is_sign_in=True)
        if incoming.path == OTP_VERIFY:
            return Classified((_per_minute(settings, "verify", address),), is_sign_in=True)
        if incoming.path == SIGN_IN or (
            incoming.path == TOKEN_FORM and not _is_refresh(incoming, body)
        ):
            return Classified((_per_minute(settings, "sign_in", address),), is_sign_in=True)
    return Classified((_general(settings, subject or address),), is_sign_in=False)


def _general(settings: GatewaySettings, who: str) -> Limit:
    return Limit(
        name="requests",
        key=f"{KEY_PREFIX}requests:{who}",
        interval_us=max(1, round(1_000_000 / settings.rate_limit_requests_per_s)),
        burst=settings.rate_limit_requests_burst,
    )


def _per_minute(settings: GatewaySettings, name: str, address: str) -> Limit:
    number = settings.rate_limit_sign_in_per_min
    return Limit(
        name=name,
        key=f"{KEY_PREFIX}{name}:{address}",
        interval_us=MINUTE_US // number,
        burst=number,
    )


def _otp_limits(settings: GatewaySettings, address: str, email: str | None) -> tuple[Limit, ...]:
    per_address = Limit(
        name="otp_address",
        key=f"{KEY_PREFIX}otp_address:{address}",
        interval_us=HOUR_US // settings.rate_limit_otp_per_h_address,
        burst=settings.rate_limit_otp_per_h_address,
    )
    if email is None:
        return (per_address,)
    # Redis need not know the addresses of people.
    digest = hashlib.sha256(email.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    per_email = Limit(
        name="otp_email",
        key=f"{KEY_PREFIX}otp_email:{digest}",
        interval_us=HOUR_US // settings.rate_limit_otp_per_h_email,
        burst=settings.rate_limit_otp_per_h_email,
    )
    return (per_email, per_address)


def address_key(address: str) -> str:
    """What is counted as one client: an IPv4 address, or the /64 that an IPv6 customer has."""
    if ":" not in address:
        return address
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return f"{IPv6Address(int(parsed) >> 64 << 64)}/64"
    return address


def _email_in(body: bytes) -> str | None:
    try:
        content = json.loads(body)
    except ValueError:
        return None
    email = content.get("email") if isinstance(content, dict) else None
    return email.strip().casefold() if isinstance(email, str) else None


def _is_refresh(incoming: Incoming, body: bytes) -> bool:
    """Whether the form surely asks for a refresh; whatever is not sure counts as a sign-in."""
    if incoming.content_type != "application/x-www-form-urlencoded":
        return False
    try:
        form = parse_qs(body.decode("ascii"), keep_blank_values=True, max_num_fields=50)
    except ValueError:
        return False
    return form.get("grant_type") == ["refresh_token"]


async def peek(receive: Receive) -> tuple[bytes, Receive]:
    """Read a small body, and give a `receive` that tells it again.

    Raises BodyTooLargeError over 64 KiB and ClientGoneError.
    """
    body = b""
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        body += message.get("body", b"")
        if len(body) > PEEK_LIMIT_BYTES:
            raise BodyTooLargeError(f"a sign-in has at most {PEEK_LIMIT_BYTES} bytes")
        more = message.get("more_body", False)
    return body, _telling(body, receive)


def _telling(body: bytes, receive: Receive) -> Callable[[], Awaitable[Any]]:
    told = False

    async def tell() -> Any:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return tell
