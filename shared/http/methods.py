"""HEAD wherever GET is, and every method of a path in `Allow`."""

from collections.abc import Sequence

from fastapi.routing import iter_route_contexts
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send


def methods_of(routes: Sequence[BaseRoute], path: str) -> frozenset[str]:
    """The methods that the routes of this path name."""
    found: set[str] = set()
    for context in iter_route_contexts(routes):
        if context.methods and context.path_regex.match(path):
            found |= context.methods
    return frozenset(found)


def allowed_in(routes: Sequence[BaseRoute], path: str) -> str:
    """The header `Allow` of a path."""
    methods = methods_of(routes, path)
    return ", ".join(sorted(methods | ({"HEAD"} if "GET" in methods else set())))


class HeadWhereGetIs:
    """Answers HEAD as GET, without the body, where no route has it."""

    def __init__(self, app: ASGIApp, routes: Sequence[BaseRoute]) -> None:
        self._app = app
        self._routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if (
            scope["type"] != "http"
            or scope["method"] != "HEAD"
            or "HEAD" in methods_of(self._routes, scope["path"])
        ):
            await self._app(scope, receive, send)
            return
        ended = False

        async def send_head(message: Message) -> None:
            nonlocal ended
            if message["type"] == "http.response.start":
                await send(message)
            elif not ended:
                ended = True
                await send({"type": "http.response.body", "body": b"", "more_body": False})

        async def receive_until_sent() -> Message:
            # An answer that never ends, as an event stream, is over with its head.
            return {"type": "http.disconnect"} if ended else await receive()

        await self._app({**scope, "method": "GET"}, receive_until_sent, send_head)
