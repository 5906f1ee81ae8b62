"""Access tokens: what is in them, and every forgery that is refused."""

import base64
import hmac
import json
import time
from typing import Any

import httpx2
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from jose import jwk, jwt
from jose.utils import base64url_decode

from services.auth.domain import Kid
from services.auth.tokens import open_key
from shared.errors import UnauthenticatedError
from shared.security.tokens import JwksOverHttp, Verifier
from tests.auth.driving import ADMIN, ADMIN_PASSWORD, SIGNING_KEY_SECRET, Auth, auth_settings


async def signer(auth: Auth) -> tuple[str, Any]:
    """The kid and the private key that sign now, read as somebody with the secret could."""
    kid = await auth.sql("SELECT kid FROM auth.signing_keys WHERE signs_from IS NOT NULL")
    sealed = await auth.sql("SELECT private_key FROM auth.signing_keys WHERE kid = $1", kid)
    secret = base64.urlsafe_b64decode(SIGNING_KEY_SECRET)
    return kid, open_key(sealed, kid=Kid(kid), secret=secret).private


async def claims(auth: Auth, **changes: Any) -> dict[str, Any]:
    """Claims of a fresh token of the admin's, changed; None leaves one out."""
    token = (await auth.sign_in(ADMIN, ADMIN_PASSWORD))["access"]
    merged = jwt.get_unverified_claims(token) | changes
    return {name: value for name, value in merged.items() if value is not None}


def encoded(part: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")


async def test_what_a_persons_token_says(auth: Auth) -> None:
    user = await auth.add_user()
    before = int(time.time())
    token = (await auth.sign_in(user["username"]))["access"]
    header = jwt.get_unverified_header(token)
    assert (header["alg"], header["typ"]) == ("ES256", "at+jwt")
    body = jwt.get_unverified_claims(token)
    assert (body["iss"], body["aud"], body["sub"]) == ("tabularium", "tabularium", user["sub"])
    assert (body["email"], body["role"]) == (user["email"], "member")
    assert before <= body["iat"] <= time.time()
    assert body["exp"] - body["iat"] == 900
    assert len(body["jti"]) == 32
    assert body["scope"].split() == sorted(
        [
            "tables:read",
            "tables:write",
            "records:read",
            "records:write",
            "imports:write",
            "catalog:read",
            "catalog:write",
        ]
    )


async def test_what_a_machines_token_says(auth: Auth) -> None:
    client = await auth.add_client("tables:read", "imports:write")
    form = {
        "grant_type": "client_credentials",
        "client_id": client["id"],
        "client_secret": client["secret"],
    }
    answer = (await auth.form(form)).json()
    assert "refresh_token" not in answer
    body = jwt.get_unverified_claims(answer["access_token"])
    assert body["sub"] == f"client:{client['id']}" == client["sub"]
    assert body["scope"] == "imports:write tables:read"
    assert "email" not in body
    assert "role" not in body


async def test_every_token_has_an_id_of_its_own(auth: Auth) -> None:
    pairs = [await auth.sign_in(ADMIN, ADMIN_PASSWORD) for _ in range(3)]
    assert len({jwt.get_unverified_claims(pair["access"])["jti"] for pair in pairs}) == 3


async def test_a_token_signed_with_the_real_key_is_taken(auth: Auth) -> None:
    kid, key = await signer(auth)
    token = jwt.encode(
        await claims(auth), key, algorithm="ES256", headers={"kid": kid, "typ": "at+jwt"}
    )
    assert (await auth.me(token)).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"typ": "JWT"},
        {"typ": None},
        {"kid": "another"},
        {"crit": ["b64"]},
        {"crit": []},
        {"kid": "../../dev/null"},
    ],
)
async def test_a_wrong_header_is_refused(auth: Auth, headers: dict[str, Any]) -> None:
    kid, key = await signer(auth)
    merged = {"kid": kid, "typ": "at+jwt"} | headers
    forged = jwt.encode(await claims(auth), key, algorithm="ES256", headers=merged)
    assert (await auth.me(forged)).status_code == 401


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": None},
        {"exp": None},
        {"iat": None},
        {"iss": None},
        {"sub": None},
        {"jti": None},
        {"aud": "another"},
        {"aud": []},
        {"iss": "another"},
        {"exp": int(time.time()) - 3600},
        {"iat": int(time.time()) + 3600},
        {"nbf": int(time.time()) + 3600},
        {"role": "emperor"},
    ],
)
async def test_a_wrong_claim_is_refused(auth: Auth, changes: dict[str, Any]) -> None:
    kid, key = await signer(auth)
    forged = jwt.encode(
        await claims(auth, **changes),
        key,
        algorithm="ES256",
        headers={"kid": kid, "typ": "at+jwt"},
    )
    assert (await auth.me(forged)).status_code == 401


@pytest.mark.parametrize(
    ("claim", "offset_s", "status"),
    [
        # A clock that is off by up to 30 s is borne with, either way; a token lives 15 minutes.
        ("exp", -20, 200),
        ("exp", -45, 401),
        ("iat", 20, 200),
        ("iat", 45, 401),
        ("nbf", 20, 200),
        ("nbf", 45, 401),
    ],
)
async def test_clocks_may_differ_by_thirty_seconds(
    auth: Auth, claim: str, offset_s: int, status: int
) -> None:
    kid, key = await signer(auth)
    body = await claims(auth, **{claim: int(time.time()) + offset_s})
    token = jwt.encode(body, key, algorithm="ES256", headers={"kid": kid, "typ": "at+jwt"})
    assert (await auth.me(token)).status_code == status


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", ""])
async def test_an_unsigned_token_is_refused(auth: Auth, algorithm: str) -> None:
    kid, _ = await signer(auth)
    body = encoded(await claims(auth))
    for header in ({"alg": algorithm, "typ": "at+jwt", "kid": kid}, {"typ": "at+jwt", "kid": kid}):
        for signature in ("", "AAAA"):
            answer = await auth.me(f"{encoded(header)}.{body}.{signature}")
            assert answer.status_code == 401


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
async def test_an_hmac_with_the_public_key_is_refused(auth: Auth, algorithm: str) -> None:
    kid, _ = await signer(auth)
    keys = (await auth.http.get("/.well-known/jwks.json")).json()["keys"]
    public = next(key for key in keys if key["kid"] == kid)
    x, y = (int.from_bytes(base64url_decode(public[name].encode())) for name in ("x", "y"))
    point = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1())
    pem = point.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    body = await claims(auth)
    for secret in (pem, pem.strip(), json.dumps(public).encode(), public["x"].encode()):
        # python-jose will not sign with a PEM as HMAC secret, so the attacker does it by hand.
        header = {"alg": algorithm, "typ": "at+jwt", "kid": kid}
        signed = f"{encoded(header)}.{encoded(body)}"
        digest = hmac.digest(secret, signed.encode(), f"sha{algorithm[2:]}")
        mac = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        assert (await auth.me(f"{signed}.{mac}")).status_code == 401


async def test_another_key_and_an_embedded_key_are_refused(auth: Auth) -> None:
    kid, _ = await signer(auth)
    own = ec.generate_private_key(ec.SECP256R1())
    pem = own.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()
    public = {
        name: value.decode() if isinstance(value, bytes) else value
        for name, value in jwk.construct(pem, "ES256").public_key().to_dict().items()
    }
    for extra in ({}, {"jwk": public}, {"jku": "http://127.0.0.1:9/keys"}, {"x5u": "http://x"}):
        headers = {"kid": kid, "typ": "at+jwt"} | extra
        forged = jwt.encode(await claims(auth), pem, algorithm="ES256", headers=headers)
        assert (await auth.me(forged)).status_code == 401


@pytest.mark.parametrize("spoil", ["payload", "signature", "cut"])
async def test_a_changed_token_is_refused(auth: Auth, spoil: str) -> None:
    token = (await auth.sign_in(ADMIN, ADMIN_PASSWORD))["access"]
    header, payload, signature = token.split(".")
    spoilt = {
        "payload": f"{header}.{encoded(await claims(auth, role='admin', sub='x'))}.{signature}",
        "signature": f"{header}.{payload}.{signature[:-6]}AAAAAA",
        "cut": f"{header}.{payload}",
    }[spoil]
    assert (await auth.me(spoilt)).status_code == 401


@pytest.mark.parametrize("token", [".", "x", "a.b.c", "é", "Bearer", "a" * 9000])
async def test_what_is_no_token_is_refused(auth: Auth, token: str) -> None:
    headers = {b"Authorization": f"Bearer {token}".encode()}
    answer = await auth.http.get("/api/auth/me", headers=headers)
    assert answer.status_code == 401
    challenge = answer.headers["WWW-Authenticate"]
    assert challenge == "Bearer" or challenge.startswith('Bearer error="invalid_token"')


async def test_verifying_goes_on_while_auth_is_down(auth: Auth) -> None:
    token = (await auth.sign_in(ADMIN, ADMIN_PASSWORD))["access"]
    another = (await auth.sign_in(ADMIN, ADMIN_PASSWORD))["access"]
    published = (await auth.http.get("/.well-known/jwks.json")).json()
    up = True

    def keys(request: httpx2.Request) -> httpx2.Response:
        if not up:
            raise httpx2.ConnectError("auth is down", request=request)
        return httpx2.Response(200, json=published, request=request)

    async with httpx2.AsyncClient(transport=httpx2.MockTransport(keys)) as http:
        settings = auth_settings(auth.database, auth.mailbox)
        verifier = Verifier(JwksOverHttp(http, settings), settings)
        assert (await verifier.verify(token)).is_admin
        up = False
        assert (await verifier.verify(token)).is_admin
        assert (await verifier.verify(another)).is_admin  # not seen before
        with pytest.raises(UnauthenticatedError):
            await verifier.verify(another[:-6] + "AAAAAA")


async def test_the_published_keys_hold_nothing_private(auth: Auth) -> None:
    answer = await auth.http.get("/.well-known/jwks.json")
    assert answer.headers["Cache-Control"] == "public, max-age=60"
    keys = answer.json()["keys"]
    assert len(keys) == 2
    for key in keys:
        assert set(key) == {"kty", "crv", "x", "y", "kid", "use", "alg"}
        assert (key["kty"], key["crv"], key["alg"]) == ("EC", "P-256", "ES256")
