"""Access tokens are taken only when every rule of RFC 8725 that applies holds."""

import time
from collections.abc import AsyncIterator

import httpx2
import pytest
from jose import jwt

from shared.errors import UnauthenticatedError
from shared.security.tokens import Verifier
from tests.support.issuer import KID, Issuer, person

ANN = person("ann@example.com")


@pytest.fixture
async def verifier(issuer: Issuer) -> AsyncIterator[Verifier]:
    async with httpx2.AsyncClient(trust_env=False) as http:
        yield Verifier(
            http,
            jwks_url=f"{issuer.url}/.well-known/jwks.json",
            issuer="tabularium",
            audience="tabularium",
        )


async def test_a_good_token_names_its_caller(verifier: Verifier, issuer: Issuer) -> None:
    caller = await verifier.verify(issuer.token(ANN))
    assert caller == ANN
    assert await verifier.verify(issuer.token(ANN)) == ANN


@pytest.mark.parametrize("claim", ["exp", "iat", "iss", "aud", "sub", "jti"])
async def test_a_missing_claim_is_refused(verifier: Verifier, issuer: Issuer, claim: str) -> None:
    with pytest.raises(UnauthenticatedError):
        await verifier.verify(issuer.token(ANN, **{claim: None}))


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "another"},
        {"iss": "another"},
        {"exp": -60},
        {"iat": 120},
        {"nbf": 120},
    ],
)
async def test_a_wrong_claim_is_refused(
    verifier: Verifier, issuer: Issuer, claims: dict[str, str | int]
) -> None:
    # Times are counted from now, and now is when the test runs.
    now = int(time.time())
    claims = {
        name: now + value if isinstance(value, int) else value for name, value in claims.items()
    }
    with pytest.raises(UnauthenticatedError):
        await verifier.verify(issuer.token(ANN, **claims))


@pytest.mark.parametrize(
    "headers",
    [{"typ": "JWT"}, {"kid": "unknown"}, {"kid": None}, {"crit": ["exp"]}],
)
async def test_a_wrong_header_is_refused(
    verifier: Verifier, issuer: Issuer, headers: dict[str, object]
) -> None:
    claims = jwt.get_unverified_claims(issuer.token(ANN))
    forged = jwt.encode(
        claims,
        issuer.pem,
        algorithm="ES256",
        headers={"kid": KID, "typ": "at+jwt"} | headers,
    )
    with pytest.raises(UnauthenticatedError):
        await verifier.verify(forged)
