"""A stand-in for auth on a real port: keys, tokens for any caller, and subject look-ups.

Services are tested against it one at a time; the end-to-end tests run the real auth.
"""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from jose import jwk, jwt

from shared.contracts.auth import (
    GRANTABLE_SCOPES,
    REVOCATIONS_PATH,
    Caller,
    CallerAsked,
    CallerNow,
    Revocation,
    Revocations,
    Role,
    Scope,
    Sub,
    SubjectAnswer,
    SubjectRequest,
)
from shared.contracts.base import AnswerModel

KID = "test-key"


@dataclass
class Issuer:
    """Signs tokens with its own ES256 key."""

    pem: str
    url: str = ""
    subjects: dict[str, SubjectAnswer] = field(default_factory=dict)
    callers: dict[tuple[str, str | None], Caller] = field(default_factory=dict)
    """Everyone who was given a token, as of now: what `/internal/callers/now` answers."""
    silent: bool = False
    """Whether `/internal/callers/now` answers 503."""
    revoked: list[Revocation] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def revoke(self, mark: str) -> None:
        """Revoke every token with this mark that was issued until now."""
        self.revoked.append(Revocation(id=len(self.revoked) + 1, mark=mark, at=time.time()))
        self.news.set()
        self.news = asyncio.Event()

    def token(self, caller: Caller, **claims: Any) -> str:
        self.callers.setdefault((caller.sub, caller.api_key), caller)
        now = int(time.time())
        body = {
            "iss": "tabularium",
            "aud": "tabularium",
            "sub": caller.sub,
            "jti": uuid.uuid4().hex,
            "iat": now,
            "exp": now + 900,
            "email": caller.email,
            "role": caller.role,
            "scope": " ".join(sorted(caller.scopes)),
            "api_key": caller.api_key,
        } | claims
        return jwt.encode(
            {name: value for name, value in body.items() if value is not None},
            self.pem,
            algorithm="ES256",
            headers={"kid": KID, "typ": "at+jwt"},
        )

    def bearer(self, caller: Caller) -> dict[str, str]:
        """Headers of a request by this caller."""
        return {"Authorization": f"Bearer {self.token(caller)}"}

    def know(self, caller: Caller) -> Caller:
        """Make a caller resolvable through `/internal/subjects`."""
        answer = SubjectAnswer(sub=caller.sub, email=caller.email, role=caller.role)
        self.subjects[caller.sub] = answer
        if caller.email:
            self.subjects[caller.email] = answer
        return caller

    def jwks(self) -> dict[str, Any]:
        private = serialization.load_pem_private_key(self.pem.encode(), None)
        public = private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        key = {
            name: value.decode() if isinstance(value, bytes) else value
            for name, value in jwk.construct(public.decode(), "ES256").to_dict().items()
        }
        return {"keys": [key | {"kid": KID, "use": "sig", "alg": "ES256"}]}


def person(email: str, *, role: Role = Role.MEMBER) -> Caller:
    """A signed-in person with all the scopes that people have."""
    sub = Sub(str(uuid.uuid5(uuid.NAMESPACE_URL, email)))
    return Caller(sub=sub, email=email, role=role, scopes=frozenset(GRANTABLE_SCOPES))


def machine(client_id: str, *scopes: Scope) -> Caller:
    """A machine client with just these scopes."""
    return Caller(sub=Sub(f"client:{client_id}"), scopes=frozenset(scopes))


def peer(service: str) -> Caller:
    """One of our services, calling `/internal/…`."""
    return machine(service, Scope.INTERNAL)


def new_issuer() -> Issuer:
    """An issuer with a key of its own, on no port."""
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return Issuer(pem=pem.decode())


@dataclass
class Answers:
    """The calls of auth that services make, answered by an issuer."""

    issuer: Issuer

    async def keys(self, _request: web.Request) -> web.Response:
        return web.json_response(self.issuer.jwks())

    async def token(self, request: web.Request) -> web.Response:
        form = await request.post()
        caller = peer(str(form["client_id"]))
        return web.json_response(
            {
                "access_token": self.issuer.token(caller),
                "token_type": "Bearer",
                "expires_in": 900,
                "scope": "internal",
            }
        )

    async def subject(self, request: web.Request) -> web.Response:
        return _answer(self.issuer.subjects.get(request.query["identifier"]))

    async def subject_of_grant(self, request: web.Request) -> web.Response:
        identifier = SubjectRequest.model_validate_json(await request.read()).identifier
        answer = self.issuer.subjects.get(identifier)
        if answer is None and "@" in identifier:
            answer = SubjectAnswer(sub=person(identifier).sub, email=identifier)
        return _answer(answer)

    async def callers_now(self, request: web.Request) -> web.Response:
        if self.issuer.silent:
            return web.Response(status=503)
        asked = CallerAsked.model_validate_json(await request.read())
        caller = self.issuer.callers.get((asked.sub, asked.api_key))
        return _answer(None if caller is None else CallerNow.of(caller))

    async def revocations(self, request: web.Request) -> web.Response:
        after, wait_s = int(request.query["after"]), float(request.query["wait_s"])
        revoked = self.issuer.revoked
        if after >= len(revoked):
            with suppress(TimeoutError):
                await asyncio.wait_for(self.issuer.news.wait(), wait_s)
        return _answer(Revocations(items=tuple(revoked[after:]), last=len(revoked)))


def _answer(answer: AnswerModel | None) -> web.Response:
    if answer is None:
        body = {"type": "t", "title": "t", "status": 404, "detail": "d", "code": "not_found"}
        return web.json_response(body, status=404)
    return web.json_response(text=answer.model_dump_json())


@asynccontextmanager
async def running_issuer() -> AsyncIterator[Issuer]:
    issuer = new_issuer()
    answers = Answers(issuer)
    app = web.Application()
    app.router.add_post("/internal/subjects", answers.subject_of_grant)
    app.router.add_get(REVOCATIONS_PATH, answers.revocations)
    app.router.add_get("/.well-known/jwks.json", answers.keys)
    app.router.add_post("/api/auth/token", answers.token)
    app.router.add_get("/internal/subjects", answers.subject)
    app.router.add_post("/internal/callers/now", answers.callers_now)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    issuer.url = f"http://{host}:{port}"
    try:
        yield issuer
    finally:
        await runner.cleanup()
