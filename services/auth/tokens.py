"""Signing of access tokens, sealing of private keys, and opaque secrets.

Verification is in `shared.security.tokens`; python-jose is imported in these two places alone.
"""

import hashlib
import json
import secrets
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from jose import jwk, jwt
from jose.backends.base import Key
from jose.utils import base64url_encode

from services.auth.domain import ACCESS_TOKEN_S, Kid, spelled
from services.auth.errors import SigningKeysLockedError
from shared.contracts.auth import API_KEY_PREFIX, Role, Scope, Sub
from shared.security.sealing import SealBrokenError, opened, sealed
from shared.security.tokens import ALGORITHM, TOKEN_TYPE

REFRESH_PREFIX = "tbr_"
CLIENT_SECRET_PREFIX = "tbs_"  # noqa: S105 - how our secrets begin, so that scanners find leaks


@dataclass(frozen=True)
class NewKey:
    """A new key pair."""

    kid: Kid
    public_jwk: Mapping[str, Any]
    private_pem: bytes


@dataclass(frozen=True)
class OpenKey:
    """A key that can sign, its private half in memory."""

    kid: Kid
    private: Key


@dataclass(frozen=True)
class Claims:
    """The claims of a token; `session` for a sign-in, `client` for machines, or an API key's id."""

    sub: Sub
    scopes: frozenset[Scope]
    email: str | None = None
    role: Role | None = None
    session: str | None = None
    client: str | None = None
    api_key: str | None = None


def new_key() -> NewKey:
    """An ES256 key pair; its kid is the thumbprint of RFC 7638."""
    private = ec.generate_private_key(ec.SECP256R1())
    public_pem = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    public = {
        name: value.decode() if isinstance(value, bytes) else value
        for name, value in jwk.construct(public_pem.decode(), ALGORITHM).to_dict().items()
    }
    members = {name: public[name] for name in ("crv", "kty", "x", "y")}
    canonical = json.dumps(members, separators=(",", ":"), sort_keys=True).encode()
    kid = Kid(base64url_encode(hashlib.sha256(canonical).digest()).decode())
    return NewKey(
        kid=kid,
        public_jwk=members | {"kid": kid, "use": "sig", "alg": ALGORITHM},
        private_pem=private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    )


def seal(private_pem: bytes, *, kid: Kid, secret: bytes) -> bytes:
    """The private half at rest, bound to its kid so that rows cannot be swapped."""
    return sealed(secret, private_pem, row=kid)


def open_key(content: bytes, *, kid: Kid, secret: bytes) -> OpenKey:
    """The key, ready to sign. Raises SigningKeysLockedError when the secret does not fit."""
    try:
        pem = opened(secret, content, row=kid)
    except SealBrokenError as exc:
        raise SigningKeysLockedError(
            "the signing keys cannot be opened with this SIGNING_KEY_SECRET; put the old one back"
        ) from exc
    return OpenKey(kid=kid, private=jwk.construct(pem.decode(), ALGORITHM))


def access_token(
    key: OpenKey,
    claims: Claims,
    *,
    issuer: str,
    audience: str,
    lifetime_s: int = ACCESS_TOKEN_S,
    issued_at: float | None = None,
) -> str:
    """A signed access token (RFC 9068); `issued_at` is in seconds since 1970, by default now.

    `iat_ms` is `iat` in milliseconds: a token of the next sign-in must not be taken for one that
    was revoked in the same second.
    """
    moment = time.time() if issued_at is None else issued_at
    now = int(moment)
    body: dict[str, Any] = {
        "iss": issuer,
        "aud": audience,
        "sub": claims.sub,
        "jti": uuid.uuid4().hex,
        "iat": now,
        "iat_ms": int(moment * 1000),
        "exp": now + lifetime_s,
        "email": claims.email,
        "role": claims.role.value if claims.role else None,
        "scope": spelled(claims.scopes),
        "sid": claims.session,
        "client_id": claims.client,
        "api_key": claims.api_key,
    }
    return jwt.encode(
        {name: value for name, value in body.items() if value is not None},
        key.private,
        algorithm=ALGORITHM,
        headers={"kid": key.kid, "typ": TOKEN_TYPE},
    )


def session_of(verified_token: str) -> str | None:
    """The session that an access token belongs to; the token must have been verified before."""
    sid = jwt.get_unverified_claims(verified_token).get("sid")
    return sid if isinstance(sid, str) else None


def new_refresh_token() -> str:
    """An opaque refresh token of 256 random bits."""
    return REFRESH_PREFIX + secrets.token_urlsafe(32)


def new_client_secret() -> str:
    """A machine client's secret of 256 random bits."""
    return CLIENT_SECRET_PREFIX + secrets.token_urlsafe(32)


def new_api_key() -> str:
    """An API key of 256 random bits."""
    return API_KEY_PREFIX + secrets.token_urlsafe(32)


def digest(secret: str) -> bytes:
    """SHA-256, as refresh tokens, API keys and client secrets are stored.

    Enough for secrets of 256 random bits, which cannot be guessed; passwords get argon2id.
    """
    return hashlib.sha256(secret.encode()).digest()
