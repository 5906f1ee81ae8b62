"""Which limits a request falls under, by who sends it and what for."""

import functools
import hashlib
from dataclasses import dataclass

from gateway.incoming import Incoming
from gateway.rate_limit import Limit
from gateway.settings import GatewaySettings
from shared.contracts.auth import (
    OTP_REQUEST_PATH,
    OTP_VERIFY_PATH,
    SIGN_IN_PATHS,
    TOKEN_FORM_PATH,
    email_in,
    is_refresh,
)

MINUTE_US = 60 * 1_000_000
HOUR_US = 60 * MINUTE_US
KEY_PREFIX = "tabularium:limit:"
EXCHANGES_PER_MIN = 300
"""Each key in use is exchanged once a minute."""


@dataclass(frozen=True)
class Classified:
    """A request's limits, and whether it is refused when they cannot be counted."""

    limits: tuple[Limit, ...]
    is_sign_in: bool


def classify(
    settings: GatewaySettings,
    incoming: Incoming,
    *,
    address: str,
    subject: str | None,
    body: bytes = b"",
) -> Classified:
    """The limits of one request; `body` is needed for the sign-in calls alone."""
    path = incoming.path
    refreshes = path == TOKEN_FORM_PATH and is_refresh(incoming.content_type, body)
    if incoming.method != "POST" or path not in SIGN_IN_PATHS or refreshes:
        return _general(
            subject or address,
            per_s=settings.rate_limit_requests_per_s,
            burst=settings.rate_limit_requests_burst,
        )
    if path == OTP_REQUEST_PATH:
        return Classified(_otp_limits(settings, address, email_in(body)), is_sign_in=True)
    name = "verify" if path == OTP_VERIFY_PATH else "sign_in"
    return Classified((_per_minute(settings, name, address),), is_sign_in=True)


def exchanges(address: str) -> Limit:
    """How often an address may send an API key that auth must be asked about."""
    return Limit(
        name="api_key",
        key=f"{KEY_PREFIX}api_key:{address}",
        interval_us=MINUTE_US // EXCHANGES_PER_MIN,
        burst=EXCHANGES_PER_MIN,
    )


@functools.lru_cache(maxsize=10_000)  # nearly every request wants one, and the same ones
def _general(who: str, *, per_s: float, burst: int) -> Classified:
    limit = Limit(
        name="requests",
        key=f"{KEY_PREFIX}requests:{who}",
        interval_us=max(1, round(1_000_000 / per_s)),
        burst=burst,
    )
    return Classified((limit,), is_sign_in=False)


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
