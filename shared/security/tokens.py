"""Verification of access tokens (RFC 9068 over RFC 8725): ES256 only, keys by `kid` from the JWKS.

Signing lives in `services.auth.tokens`; python-jose is imported in these two places alone.
"""

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import httpx2
import structlog
from jose import jwt
from jose.exceptions import ExpiredSignatureError, JOSEError
from pydantic import ValidationError

from shared.contracts.auth import Caller, Mark, Scope, Sub
from shared.contracts.base import AnswerModel
from shared.errors import InvalidTokenError, TokenExpiredError, UnavailableError
from shared.process.duties import Duty, on_duty
from shared.process.settings import ProcessSettings
from shared.security.revocations import PAUSE_S, RevocationFeed, Revoked

ALGORITHM = "ES256"
TOKEN_TYPE = "at+jwt"  # noqa: S105 - a media type, no secret
LEEWAY_S = 30
REQUIRED_CLAIMS = ("exp", "iat", "iss", "aud", "sub", "jti")
CACHE_SIZE = 10_000
REFRESH_THROTTLE_S = 10.0
"""An unknown kid makes us ask for the keys at most this often."""
REFRESH_EVERY_S = 300.0
JWKS_PATH = "/.well-known/jwks.json"
JWKS_TIMEOUT_S = 3.0
EVERY_TOKEN = Mark.ALL.of()
"""Made once: it is looked up with each request."""

log = structlog.get_logger()


class Jwks(AnswerModel):
    """The document that auth publishes (RFC 7517)."""

    keys: list[dict[str, Any]]


class KeySource(Protocol):
    """Where the public keys come from: auth's own ring, or `JwksOverHttp` elsewhere."""

    async def jwks(self) -> Mapping[str, Any]:
        """The JWKS; raises UnavailableError while it cannot be had."""
        ...


class JwksOverHttp:
    """Reads the JWKS that auth publishes."""

    def __init__(self, http: httpx2.AsyncClient, settings: ProcessSettings) -> None:
        self._http = http
        self._url = settings.auth_url.rstrip("/") + JWKS_PATH

    async def jwks(self) -> Mapping[str, Any]:
        """The JWKS; raises UnavailableError when auth does not answer with one in 3 s, twice."""
        try:
            try:
                answer = await self._asked()
            except httpx2.TimeoutException:
                # A process that was held up itself sees the same as one whose auth is away.
                answer = await self._asked()
            return {"keys": Jwks.model_validate_json(answer.content).keys}
        except (httpx2.HTTPError, ValidationError) as exc:
            raise UnavailableError(f"the JWKS cannot be had ({type(exc).__name__})") from exc

    async def _asked(self) -> httpx2.Response:
        answer = await self._http.get(self._url, timeout=JWKS_TIMEOUT_S)
        return answer.raise_for_status()


@dataclass(frozen=True, slots=True)
class Verified:
    """A token whose signature and claims hold; the times are seconds since 1970."""

    caller: Caller
    kid: str
    issued_at: float
    expires_at: float
    marks: tuple[str, ...]
    """By which the token may be revoked."""


class Verifier:
    """Turns an access token into a Caller; goes on with the keys it has while auth is down."""

    def __init__(
        self, keys: KeySource, settings: ProcessSettings, *, revoked: Revoked | None = None
    ) -> None:
        self._source = keys
        self._revoked = revoked or Revoked()
        self._issuer = settings.token_issuer
        self._audience = settings.token_audience
        self._keys: dict[str, Mapping[str, Any]] = {}
        self._fetched_at = float("-inf")
        self._fetched_wall = 0.0
        self._tried_at = float("-inf")
        self._tried_wall = 0.0
        self._fetching = asyncio.Lock()
        self._verified: OrderedDict[bytes, Verified] = OrderedDict()

    async def verify(self, token: str) -> Caller:
        """The caller a token speaks for.

        Raises InvalidTokenError for any token that does not hold or was revoked, and
        UnavailableError when no key could be had yet.
        """
        digest = hashlib.sha256(token.encode()).digest()
        verified = self._verified.get(digest)
        if verified is not None and self._is_current(verified):
            self._verified.move_to_end(digest)
        else:
            kid, key = await self._key_for(token)
            verified = _verified(self._checked_claims(token, key), kid=kid)
            self._verified[digest] = verified
            if len(self._verified) > CACHE_SIZE:
                self._verified.popitem(last=False)
        if self._revoked.refuses(verified.marks, issued_at=verified.issued_at):
            raise InvalidTokenError("the access token was revoked; sign in again")
        return verified.caller

    def _is_current(self, verified: Verified) -> bool:
        return (
            verified.expires_at > time.time()
            and verified.kid in self._keys
            and not self._were_replaced()
        )

    def _were_replaced(self) -> bool:
        """Whether the signing keys were replaced since they were read."""
        return self._revoked.at(EVERY_TOKEN) > self._fetched_wall

    async def _key_for(self, token: str) -> tuple[str, Mapping[str, Any]]:
        try:
            header = jwt.get_unverified_header(token)
        except JOSEError as exc:
            raise InvalidTokenError("the access token is not a JWT") from exc
        if header.get("alg") != ALGORITHM or header.get("typ") != TOKEN_TYPE or "crit" in header:
            raise InvalidTokenError("the access token is not of the kind we issue")
        kid = header.get("kid")
        if not isinstance(kid, str):
            raise InvalidTokenError("the access token names no key")
        if kid not in self._keys or self._is_old():
            await self._refresh(kid)
        if not self._keys:
            raise UnavailableError("the signing keys could not be read yet; try again")
        key = self._keys.get(kid)
        if key is None:
            raise InvalidTokenError("the access token was signed by a key we do not know")
        return kid, key

    def _is_old(self) -> bool:
        return time.monotonic() - self._fetched_at > REFRESH_EVERY_S or self._were_replaced()

    async def _refresh(self, kid: str) -> None:
        async with self._fetching:
            now = time.monotonic()
            throttle_s = REFRESH_THROTTLE_S if self._keys else 1.0
            if self._revoked.at(EVERY_TOKEN) > self._tried_wall:
                throttle_s = 0
            if (kid in self._keys and not self._is_old()) or now - self._tried_at < throttle_s:
                return
            self._tried_at, self._tried_wall = now, time.time()
            try:
                keys = (await self._source.jwks())["keys"]
            except UnavailableError as exc:
                log.warning("jwks_unreachable", error=exc.detail)
                return
            self._keys = {
                key["kid"]: key for key in keys if "kid" in key and key.get("alg") == ALGORITHM
            }
            self._fetched_at, self._fetched_wall = now, time.time()

    def _checked_claims(self, token: str, key: Mapping[str, Any]) -> dict[str, Any]:
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                dict(key),
                algorithms=[ALGORITHM],
                audience=self._audience,
                issuer=self._issuer,
                options={
                    "leeway": LEEWAY_S,
                    **{f"require_{claim}": True for claim in REQUIRED_CLAIMS},
                },
            )
        except ExpiredSignatureError as exc:
            raise TokenExpiredError("the access token has expired; get a new one") from exc
        except JOSEError as exc:
            raise InvalidTokenError("the access token is not valid") from exc
        # python-jose takes a token without `aud` although an audience is given.
        if any(claim not in claims for claim in REQUIRED_CLAIMS):
            raise InvalidTokenError("the access token lacks a claim")
        if not isinstance(claims["iat"], int) or claims["iat"] > time.time() + LEEWAY_S:
            raise InvalidTokenError("the access token is from the future")
        return claims


@asynccontextmanager
async def verifying(
    http: httpx2.AsyncClient, settings: ProcessSettings, *, keys: KeySource | None = None
) -> AsyncIterator[Verifier]:
    """A verifier that asks auth for keys and, in the background, for revocations.

    With `keys` it asks auth for nothing.
    """
    if keys is not None:
        yield Verifier(keys, settings)
        return
    revoked = Revoked()
    feed = RevocationFeed(http, settings.auth_url.rstrip("/"), revoked)
    async with on_duty(Duty("revocations", feed.follow, PAUSE_S)):
        yield Verifier(JwksOverHttp(http, settings), settings, revoked=revoked)


def _verified(claims: Mapping[str, Any], *, kid: str) -> Verified:
    issued_ms = claims.get("iat_ms")
    marks = [
        mark.of(value)
        for mark in (Mark.SUBJECT, Mark.SESSION, Mark.API_KEY)
        if isinstance(value := claims.get(mark.value), str)
    ]
    return Verified(
        caller=_caller(claims),
        kid=kid,
        issued_at=issued_ms / 1000 if isinstance(issued_ms, int) else float(claims["iat"]),
        expires_at=float(claims["exp"]),
        marks=(*marks, Mark.ALL.of()),
    )


def _caller(claims: Mapping[str, Any]) -> Caller:
    known = {scope.value for scope in Scope}
    scopes = frozenset(
        Scope(word) for word in str(claims.get("scope", "")).split() if word in known
    )
    try:
        return Caller(
            sub=Sub(claims["sub"]),
            email=claims.get("email"),
            role=claims.get("role"),
            scopes=scopes,
            api_key=claims.get(Mark.API_KEY.value),
        )
    except ValueError as exc:
        raise InvalidTokenError("the access token's claims do not fit") from exc
