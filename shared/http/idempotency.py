"""`Idempotency-Key` on routes: a POST that is sent again is answered with its first answer."""

import hashlib
import json
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from fastapi import Request, Response
from fastapi.routing import APIRoute
from sqlalchemy import Table
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.errors import UnauthenticatedError
from shared.security.tokens import Verifier
from shared.store.idempotency import HEADER, Answer, answered_once

DROPPED_HEADERS = frozenset({"content-length", "date", "server"})


class HasIdempotency(Protocol):
    """What a service's state offers to `IdempotentRoute`."""

    @property
    def verifier(self) -> Verifier:
        """The process's verifier of access tokens."""
        ...

    @property
    def engine(self) -> AsyncEngine:
        """The service's engine."""
        ...

    @property
    def idempotency(self) -> Table:
        """The service's table of kept answers."""
        ...


class IdempotentRoute(APIRoute):
    """A route whose POST heeds `Idempotency-Key`; for bodies that are read whole anyway.

    Uploads, whose multipart boundary differs each time, call `answered_once` themselves.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's own handler, run at most once per key."""
        handle = super().get_route_handler()
        if "POST" not in (self.methods or ()):
            return handle

        async def once(request: Request) -> Response:
            key = request.headers.get(HEADER)
            if key is None:
                return await handle(request)
            state: HasIdempotency = request.state.state
            caller = await _caller_of(request, state.verifier)
            if caller is None:
                return await handle(request)

            async def work() -> Answer:
                response = await handle(request)
                headers = {
                    name: value
                    for name, value in response.headers.items()
                    if name not in DROPPED_HEADERS
                }
                return Answer(response.status_code, headers, bytes(response.body))

            answer = await answered_once(
                state.engine,
                state.idempotency,
                caller=caller,
                key=key,
                fingerprint=fingerprint_of(request, await request.body()),
                work=work,
            )
            return Response(answer.body, answer.status, headers=dict(answer.headers))

        return once


def fingerprint_of(request: Request, body: bytes) -> bytes:
    """A digest of method, path, query and body."""
    head = json.dumps([request.method, request.url.path, request.url.query]).encode()
    return hashlib.sha256(head + b"\n" + body).digest()


async def _caller_of(request: Request, verifier: Verifier) -> str | None:
    # A request without a good token goes on to its route, which refuses it in the usual words.
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        return None
    try:
        return (await verifier.verify(token)).sub
    except UnauthenticatedError:
        return None
