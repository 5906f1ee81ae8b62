"""The access token is checked before a body is read: FastAPI reads it before any dependency.

The gateway does so too. A service is also called by its peers, and by whoever reaches it.
"""

from collections.abc import Iterator, Sequence
from re import Pattern

from fastapi.dependencies.models import Dependant
from fastapi.routing import iter_route_contexts
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from shared.errors import UnauthenticatedError
from shared.http.caller import HasVerifier, authenticated

BEARER = b"bearer "


class TokenFirst:
    """Refuses a request with a body, of a route that wants a caller, by its token alone.

    Raises UnauthenticatedError.
    """

    def __init__(self, app: ASGIApp, routes: Sequence[BaseRoute]) -> None:
        self._app = app
        self._routes = routes
        self._protected: tuple[tuple[str, Pattern[str]], ...] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http" and _has_body(scope) and self._wants_caller(scope):
            process: HasVerifier = scope["state"]["process"]
            await process.verifier.verify(_token(scope))
        await self._app(scope, receive, send)

    def _wants_caller(self, scope: Scope) -> bool:
        if self._protected is None:
            self._protected = tuple(_protected(self._routes))
        method, path = scope["method"], scope["path"]
        return any(method == of and pattern.match(path) for of, pattern in self._protected)


def _protected(routes: Sequence[BaseRoute]) -> Iterator[tuple[str, Pattern[str]]]:
    for context in iter_route_contexts(routes):
        dependant = getattr(context, "dependant", None)
        if isinstance(dependant, Dependant) and _is_below(dependant):
            for method in context.methods or ():
                yield method, context.path_regex


def _is_below(dependant: Dependant) -> bool:
    return dependant.call is authenticated or any(map(_is_below, dependant.dependencies))


def _has_body(scope: Scope) -> bool:
    headers = dict(scope["headers"])
    return b"transfer-encoding" in headers or headers.get(b"content-length", b"0") != b"0"


def _token(scope: Scope) -> str:
    header = dict(scope["headers"]).get(b"authorization", b"")
    if not header.lower().startswith(BEARER):
        raise UnauthenticatedError("send an access token: `Authorization: Bearer …`")
    return str(header[len(BEARER) :].decode("latin-1").strip())
