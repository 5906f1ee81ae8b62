"""The fast path: a page of records, and one plain insert, the calls that are made most.

FastAPI passes a request through six layers, looks for a route through every included router,
twice, and then solves dependencies: more than PostgreSQL takes for the page. `FastPath` stands
before all that and calls the same functions; FastAPI's own routes stay, for the document and for
whatever does not match here.
"""

from collections.abc import Callable, Sequence

from fastapi import FastAPI, Request, Response
from fastapi.security import SecurityScopes
from fastapi.security.utils import get_authorization_scheme_param
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.routing import Match, Route
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as AsgiScope

from services.records.dependencies import sent_json
from services.records.process import RecordsProcess
from services.records.routes.bulk import records_create
from services.records.routes.records import records_list
from services.records.settings import BODY_LIMIT_BYTES, RecordsSettings
from shared.contracts.auth import Caller, Scope
from shared.http.caller import authenticated
from shared.http.context import RequestContext, take_raw_path
from shared.store.idempotency import HEADER

PATH = "/api/tables/{table:segment}/records"
READ = SecurityScopes([Scope.RECORDS_READ])
WRITE = SecurityScopes([Scope.RECORDS_WRITE])
KEYED = HEADER.lower().encode()


async def page(request: Request) -> Response:
    """As `records_list`."""
    caller = await _caller(request, READ)
    process: RecordsProcess = request.state.process
    return await records_list(process, caller, request.path_params["table"], request)


async def record(request: Request) -> Response:
    """As `records_create`, without parameters."""
    caller = await _caller(request, WRITE)
    sent = await sent_json(request)
    process: RecordsProcess = request.state.process
    return await records_create(process, caller, request.path_params["table"], sent)


async def _caller(request: Request, scopes: SecurityScopes) -> Caller:
    scheme, token = get_authorization_scheme_param(request.headers.get("Authorization"))
    return await authenticated(request, scopes, token if scheme.lower() == "bearer" else None)


class FastRoute(Route):
    """A route whose template stands in the log and the metrics, as FastAPI's do."""

    def matches(self, scope: AsgiScope) -> tuple[Match, AsgiScope]:
        """Only a full match: another method is FastAPI's business."""
        match, child = super().matches(scope)
        if match is not Match.FULL:
            return Match.NONE, {}
        return match, {**child, "route": self}

    async def answer(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """Call the endpoint; what it raises becomes what the app's handlers make of it."""
        request = Request(scope, receive)
        try:
            response = await self.endpoint(request)
        except Exception as exc:
            handlers = scope["app"].exception_handlers
            handler = next((handlers[kind] for kind in type(exc).__mro__ if kind in handlers), None)
            if handler is None:
                raise
            response = await handler(request, exc)
        await response(scope, receive, send)


class PlainPostRoute(FastRoute):
    """A POST that asks for nothing special: no parameters, no idempotency key."""

    def matches(self, scope: AsgiScope) -> tuple[Match, AsgiScope]:
        """Leave the special ones to FastAPI's route."""
        if scope["method"] != "POST" or scope["query_string"]:
            return Match.NONE, {}
        if any(name == KEYED for name, _ in scope["headers"]):
            return Match.NONE, {}
        return super().matches(scope)


class FastPath:
    """Answers some routes itself, and leaves all other requests to the app behind it.

    `around` gives each of them what the app gives to its own: request id, log line, metric, and a
    problem where it raises.
    """

    def __init__(
        self, app: ASGIApp, routes: Sequence[FastRoute], *, around: Callable[[ASGIApp], ASGIApp]
    ) -> None:
        self._app = app
        self._routes = [
            (route, around(RequestBodyLimitMiddleware(route.answer, BODY_LIMIT_BYTES)))
            if isinstance(route, PlainPostRoute)
            else (route, around(route.answer))
            for route in routes
        ]

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http":
            take_raw_path(scope)
            for route, answer in self._routes:
                match, child = route.matches(scope)
                if match is Match.FULL:
                    scope.update(child)
                    await answer(scope, receive, send)
                    return
        await self._app(scope, receive, send)


ROUTES = (
    FastRoute(PATH, page, methods=["GET"]),
    PlainPostRoute(PATH, record, methods=["POST"]),
)


def fast_path(app: FastAPI, settings: RecordsSettings) -> FastPath:
    """The fast path in front of an app's own middleware."""
    return FastPath(
        app.build_middleware_stack(),
        ROUTES,
        around=lambda answer: RequestContext(answer, service="records", settings=settings),
    )
