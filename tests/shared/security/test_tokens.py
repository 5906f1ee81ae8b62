"""Access tokens are taken only when every rule of RFC 8725 that applies holds."""

import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from jose import jwt

from shared.errors import UnauthenticatedError, UnavailableError
from shared.security.tokens import JwksOverHttp, Verifier
from tests.support.issuer import KID, Issuer, person
from tests.support.settings import settings_with

ANN = person("ann@example.com")


@pytest.fixture
async def verifier(issuer: Issuer) -> AsyncIterator[Verifier]:
    async with httpx2.AsyncClient(trust_env=False) as http:
        settings = settings_with(auth_url=issuer.url)
        yield Verifier(JwksOverHttp(http, settings), settings)


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


@dataclass
class Ring:
    """Keys of one's own, as auth has them; `away` while its database is."""

    issuer: Issuer
    away: bool = False
    asked: int = 0

    async def jwks(self) -> Mapping[str, Any]:
        self.asked += 1
        if self.away:
            raise UnavailableError("the keys cannot be read")
        return self.issuer.jwks()


async def test_keys_may_come_from_anywhere_and_are_kept_while_their_source_is_away(
    issuer: Issuer,
) -> None:
    ring = Ring(issuer)
    verifier = Verifier(ring, settings_with(auth_url="http://127.0.0.1:9"))
    assert await verifier.verify(issuer.token(ANN)) == ANN
    ring.away = True
    assert await verifier.verify(issuer.token(person("bob@example.com"))) != ANN
    assert ring.asked == 1


async def test_without_any_keys_nobody_is_refused_for_good(issuer: Issuer) -> None:
    verifier = Verifier(Ring(issuer, away=True), settings_with(auth_url="http://127.0.0.1:9"))
    with pytest.raises(UnavailableError):
        await verifier.verify(issuer.token(ANN))


@pytest.mark.parametrize(
    ("status", "body"),
    [(503, "{}"), (200, "<html>"), (200, "{}"), (200, '{"keys": 1}'), (200, '{"keys": ["a"]}')],
)
async def test_an_answer_that_is_no_jwks_counts_as_none(status: int, body: str) -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(status, text=body, request=request)

    async with httpx2.AsyncClient(transport=httpx2.MockTransport(answer)) as http:
        source = JwksOverHttp(http, settings_with(auth_url="http://auth"))
        with pytest.raises(UnavailableError):
            await source.jwks()
