"""Verification of access tokens (RFC 9068 over RFC 8725): ES256 only, keys by `kid` from the JWKS.

Signing lives in `services.auth.tokens`; python-jose is imported in these two places alone.
"""

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Protocol

import httpx2
import structlog
from jose import jwt
from jose.exceptions import JOSEError
from pydantic import ValidationError

from shared.contracts.auth import Caller, Scope, Sub
from shared.contracts.base import AnswerModel
from shared.errors import UnauthenticatedError, UnavailableError
from shared.process.settings import ProcessSettings

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
        """The JWKS; raises UnavailableError when auth does not answer with one in 3 s."""
        try:
            answer = await self._http.get(self._url, timeout=JWKS_TIMEOUT_S)
            answer.raise_for_status()
            return {"keys": Jwks.model_validate_json(answer.content).keys}
        except (httpx2.HTTPError, ValidationError) as exc:
            raise UnavailableError(f"the JWKS cannot be had ({type(exc).__name__})") from exc


class Verifier:
    """Turns an access token into a Caller; goes on with the keys it has while auth is down."""

    def __init__(self, keys: KeySource, settings: ProcessSettings) -> None:
        self._source = keys
        self._issuer = settings.token_issuer
        self._audience = settings.token_audience
        self._keys: dict[str, Mapping[str, Any]] = {}
        self._fetched_at = float("-inf")
        self._tried_at = float("-inf")
        self._fetching = asyncio.Lock()
        self._verified: OrderedDict[bytes, tuple[float, Caller]] = OrderedDict()

    async def verify(self, token: str) -> Caller:
        """The caller a token speaks for.

        Raises UnauthenticatedError for any token that does not hold, and UnavailableError
        when no key could be had yet.
        """
        digest = hashlib.sha256(token.encode()).digest()
        cached = self._verified.get(digest)
        if cached is not None and cached[0] > time.time():
            self._verified.move_to_end(digest)
            return cached[1]
        claims = self._checked_claims(token, await self._key_for(token))
        caller = _caller(claims)
        self._verified[digest] = (float(claims["exp"]), caller)
        if len(self._verified) > CACHE_SIZE:
            self._verified.popitem(last=False)
        return caller

    async def _key_for(self, token: str) -> Mapping[str, Any]:
        try:
            header = jwt.get_unverified_header(token)
        except JOSEError as exc:
            raise UnauthenticatedError("the access token is not a JWT") from exc
        if header.get("alg") != ALGORITHM or header.get("typ") != TOKEN_TYPE or "crit" in header:
            raise UnauthenticatedError("the access token is not of the kind we issue")
        kid = header.get("kid")
        if not isinstance(kid, str):
            raise UnauthenticatedError("the access token names no key")
        if kid not in self._keys or time.monotonic() - self._fetched_at > REFRESH_EVERY_S:
            await self._refresh(kid)
        if not self._keys:
            raise UnavailableError("the signing keys could not be read yet; try again")
        key = self._keys.get(kid)
        if key is None:
            raise UnauthenticatedError("the access token was signed by a key we do not know")
        return key

    async def _refresh(self, kid: str) -> None:
        async with self._fetching:
            now = time.monotonic()
            fresh = kid in self._keys and now - self._fetched_at <= REFRESH_EVERY_S
            throttle = REFRESH_THROTTLE_S if self._keys else 1.0
            if fresh or now - self._tried_at < throttle:
                return
            self._tried_at = now
            try:
                keys = (await self._source.jwks())["keys"]
            except UnavailableError as exc:
                log.warning("jwks_unreachable", error=exc.detail)
                return
            self._keys = {
                key["kid"]: key for key in keys if "kid" in key and key.get("alg") == ALGORITHM
            }
            self._fetched_at = now

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
        except JOSEError as exc:
            raise UnauthenticatedError("the access token is expired or not valid") from exc
        # python-jose takes a token without `aud` although an audience is given.
        if any(claim not in claims for claim in REQUIRED_CLAIMS):
            raise UnauthenticatedError("the access token lacks a claim")
        if not isinstance(claims["iat"], int) or claims["iat"] > time.time() + LEEWAY_S:
            raise UnauthenticatedError("the access token is from the future")
        return claims


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
        )
    except ValueError as exc:
        raise UnauthenticatedError("the access token's claims do not fit") from exc
