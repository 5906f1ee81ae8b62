"""`Idempotency-Key` on the POSTs of a service: each is answered with its first answer.

`build_app` puts `Idempotency` around every app. A key begins to count when `authenticated` has
found out who sends it, so it holds on every POST that wants a token, but for those endpoints that
are marked `not_idempotent`.
"""

import hashlib
import hmac
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol, TypeVar

import structlog
from fastapi import FastAPI, Request
from sqlalchemy import Table
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.away import is_away
from shared.contracts.auth import Caller
from shared.errors import ConflictError, ProblemError
from shared.http.problems import problem_response
from shared.process.request_id import current_request_id
from shared.store.idempotency import (
    HEADER,
    KEY_LIMIT,
    Answer,
    Claim,
    checked_key,
    current_claim,
    keep,
    kept_answer,
    lose,
)

KEYED = "tabularium.keyed"
"""Where a request's scope holds its `KeyedRequest`."""

NOT_KEPT_HEADERS = frozenset({b"content-length", b"date", b"server"})
FOR_WANT_OF_RIGHTS = frozenset({401, 403, 404})
"""Refusals that stand, although the request was carried out once: its sender's rights ended."""

PARAMETER: Mapping[str, Any] = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": KEY_LIMIT},
    "description": "Sent again with the same body, it is answered with the first answer.",
}

MayHave = Callable[[Request, Caller], Awaitable[None]]
"""Raises a ProblemError where a caller may no longer have the answer to this request."""

Endpoint = TypeVar("Endpoint", bound=Callable[..., object])

_not_idempotent: dict[Callable[..., object], str] = {}
_with_secret: set[Callable[..., object]] = set()

log = structlog.get_logger()


def not_idempotent(reason: str) -> Callable[[Endpoint], Endpoint]:
    """Mark an endpoint of which no answer is kept, and say why."""

    def mark(endpoint: Endpoint) -> Endpoint:
        _not_idempotent[endpoint] = reason
        return endpoint

    return mark


def answers_secret(endpoint: Endpoint) -> Endpoint:
    """Mark an endpoint whose answer is given once: repeated, it is 409 and not done again."""
    _with_secret.add(endpoint)
    return endpoint


def why_not_idempotent(endpoint: Callable[..., object]) -> str | None:
    """The reason of `not_idempotent`; None for an endpoint whose POST takes a key."""
    return _not_idempotent.get(endpoint)


def document_keys(app: FastAPI) -> None:
    """Name the header in the app's document, at every POST that takes it."""
    plain = app.openapi

    def with_keys() -> dict[str, Any]:
        document = plain()
        without = {endpoint.__name__ for endpoint in _not_idempotent}
        for path, operations in document["paths"].items():
            post = operations.get("post", {})
            if post.get("security") and not path.startswith("/internal/"):
                parameters = post.setdefault("parameters", [])
                known = any(each.get("name") == HEADER for each in parameters)
                if not known and post["operationId"] not in without:
                    parameters.append(dict(PARAMETER))
        return document

    app.openapi = with_keys  # type: ignore[method-assign]


class HasEngine(Protocol):
    """What every service's process holds."""

    @property
    def engine(self) -> AsyncEngine:
        """The engine on the service's own tables."""
        ...


class AnsweredBeforeError(ConflictError):
    """This request was carried out before; `Idempotency` sends its first answer instead."""

    code = "idempotency_answered"


class KeyedRequest:
    """A POST with a key, from its first byte to its answer."""

    def __init__(self, key: str, table: Table, may_have: MayHave | None) -> None:
        self._key = key
        self._table = table
        self._may_have = may_have
        self._engine: AsyncEngine | None = None
        self._first_answer: Answer | None = None
        self._secret = False
        self.claim: Claim | None = None
        """None until the caller is known, and for an endpoint that is not idempotent."""

    async def begin(self, request: Request, caller: Caller) -> None:
        """Look whether the request was carried out before; does nothing the second time.

        Raises AnsweredBeforeError if it was, InvalidInputError for a key that is none, and as
        `kept_answer` and `MayHave`.
        """
        endpoint = request.scope["route"].endpoint
        if self.claim is not None or endpoint in _not_idempotent:
            return
        process: HasEngine = request.state.process
        key = checked_key(self._key).encode()
        claim = Claim(
            self._table,
            caller=caller.sub,
            key=hashlib.sha256(key).hexdigest(),
            fingerprint=await _fingerprint(request, key),
        )
        if answer := await kept_answer(process.engine, claim):
            if self._may_have is not None:
                await self._may_have(request, caller)
            self._first_answer = answer
            raise AnsweredBeforeError("this was done before")
        self._engine, self._secret = process.engine, endpoint in _with_secret
        self.claim = claim
        current_claim.set(claim)

    async def answer(self, own: Answer) -> Answer:
        """What the request is answered with: its own answer, which is kept, or the first one."""
        if self._first_answer is not None:
            return self._first_answer
        if self.claim is None or self._engine is None or own.status in FOR_WANT_OF_RIGHTS:
            return own
        try:
            if 200 <= own.status < 300:
                kept = Answer(own.status, own.headers, None) if self._secret else own
                if await keep(self._engine, self.claim, kept):
                    return own
            # The first request may be what stands in the way of this one.
            if first := await kept_answer(self._engine, self.claim):
                return first
            await lose(self._engine, self.claim)
        except ProblemError as exc:
            return _rendered(exc)
        except Exception as exc:
            if not is_away(exc):
                raise
            # What was done is done: a repetition will find the key, if not its answer.
            log.warning("answer_not_kept", error=type(exc).__name__)
        return own

    async def failed(self) -> None:
        """Free the key, unless the work was committed; then nobody need wait for its answer."""
        if self.claim is None or self._engine is None:
            return
        try:
            await lose(self._engine, self.claim)
        except Exception as exc:
            if not is_away(exc):
                raise
            log.warning("answer_not_lost", error=type(exc).__name__)


class Idempotency:
    """Around an app: holds the answer to a keyed POST back until it is kept."""

    def __init__(self, app: ASGIApp, table: Table, may_have: MayHave | None = None) -> None:
        self._app = app
        self._table = table
        self._may_have = may_have

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        key = Headers(scope=scope).get(HEADER)
        if key is None:
            await self._app(scope, receive, send)
            return
        keyed = scope[KEYED] = KeyedRequest(key, self._table, self._may_have)
        reset = current_claim.set(None)
        try:
            await self._app(scope, receive, _Held(keyed, scope, receive, send).send)
        except Exception:
            await keyed.failed()
            raise
        finally:
            current_claim.reset(reset)


class _Held:
    """An answer in one piece, on its way to the client; a streamed one is passed on, not kept."""

    def __init__(self, keyed: KeyedRequest, scope: Scope, receive: Receive, send: Send) -> None:
        self._keyed = keyed
        self._scope = scope
        self._receive = receive
        self._send = send
        self._start: Message | None = None

    async def send(self, message: Message) -> None:
        """Take one ASGI message of the app."""
        if message["type"] == "http.response.start":
            self._start = message
            return
        start, self._start = self._start, None
        if start is None:
            await self._send(message)
            return
        if message["type"] != "http.response.body" or message.get("more_body", False):
            await self._send(start)
            await self._send(message)
            return
        headers = {
            name.decode("latin-1"): value.decode("latin-1")
            for name, value in start.get("headers", ())
            if name not in NOT_KEPT_HEADERS
        }
        own = Answer(start["status"], headers, bytes(message.get("body", b"")))
        answer = await self._keyed.answer(own)
        if answer is own:
            await self._send(start)
            await self._send(message)
            return
        if answer.status < 400:
            self._scope.pop("tabularium.problem", None)
        response = Response(answer.body, answer.status, headers=dict(answer.headers))
        await response(self._scope, self._receive, self._send)


async def caller_known(request: Request, caller: Caller) -> None:
    """Let the request's key count, now that its sender is known; raises as `KeyedRequest.begin`."""
    keyed: KeyedRequest | None = request.scope.get(KEYED)
    if keyed is not None:
        await keyed.begin(request, caller)


async def _fingerprint(request: Request, key: bytes) -> bytes:
    # Bodies hold passwords. Keyed, and with the key itself stored as a digest alone, the digest
    # of a body is no help in guessing one.
    head = json.dumps([request.method, request.url.path, request.url.query]).encode()
    return hmac.digest(key, head + b"\n" + await request.body(), "sha256")


def _rendered(error: ProblemError) -> Answer:
    response = problem_response(
        error.document(request_id=current_request_id.get()), headers=error.headers
    )
    return Answer(response.status_code, dict(response.headers), bytes(response.body))
