"""The shortest way to a page of records, and to one record more: the calls that are made most.

FastAPI looks for a route through every included router, twice, and then solves dependencies: more
than PostgreSQL takes for the page. These routes stand before all others and call the same
functions; FastAPI's own stay, for the document and for whatever does not match here.
"""

from fastapi import Request, Response
from fastapi.security import SecurityScopes
from fastapi.security.utils import get_authorization_scheme_param
from starlette.routing import Match, Route
from starlette.types import Scope as AsgiScope

from services.records.dependencies import BODY_LIMIT_BYTES, RecordsState, json_body
from services.records.routes.many import records_create
from services.records.routes.records import records_list
from shared.caller import authenticated
from shared.contracts.auth import Caller, Scope
from shared.idempotency import HEADER

PATH = "/api/tables/{table:segment}/records"
READ = SecurityScopes([Scope.RECORDS_READ])
WRITE = SecurityScopes([Scope.RECORDS_WRITE])
KEYED = HEADER.lower().encode()


async def page(request: Request) -> Response:
    """As `records_list`."""
    caller = await _caller(request, READ)
    state: RecordsState = request.state.state
    return await records_list(state.stores, caller, request.path_params["table"], request)


async def record(request: Request) -> Response:
    """As `records_create`, without parameters."""
    caller = await _caller(request, WRITE)
    body = await json_body(request)
    state: RecordsState = request.state.state
    return await records_create(state.stores, caller, request.path_params["table"], body)


async def _caller(request: Request, scopes: SecurityScopes) -> Caller:
    scheme, token = get_authorization_scheme_param(request.headers.get("Authorization"))
    return await authenticated(request, scopes, token if scheme.lower() == "bearer" else None)


class FrontRoute(Route):
    """A route that tells its template to the log and the metrics, as FastAPI's do."""

    def matches(self, scope: AsgiScope) -> tuple[Match, AsgiScope]:
        """Only a full match: another method is FastAPI's business."""
        match, found = super().matches(scope)
        if match is not Match.FULL:
            return Match.NONE, {}
        return match, {**found, "route": self}


class PlainPostRoute(FrontRoute):
    """A POST that asks for nothing special: no parameters, no idempotency key."""

    def matches(self, scope: AsgiScope) -> tuple[Match, AsgiScope]:
        """Leave the special ones to FastAPI's route."""
        if scope["type"] != "http" or scope["method"] != "POST" or scope["query_string"]:
            return Match.NONE, {}
        if any(name == KEYED for name, _ in scope["headers"]):
            return Match.NONE, {}
        return super().matches(scope)


FRONT = (
    FrontRoute(PATH, page, methods=["GET"]),
    PlainPostRoute(PATH, record, methods=["POST"], max_body_size=BODY_LIMIT_BYTES),
)
