"""The shortest way to a page of records, the call that is made most.

FastAPI looks for a route through every included router, twice, and then solves dependencies: more
than PostgreSQL takes for the page. This route stands before all others and calls the same function;
FastAPI's own stays, for the document and for whatever does not match here.
"""

from fastapi import Request, Response
from fastapi.security import SecurityScopes
from fastapi.security.utils import get_authorization_scheme_param
from starlette.routing import Match, Route
from starlette.types import Scope as AsgiScope

from services.records.dependencies import RecordsState
from services.records.routes.records import records_list
from shared.caller import authenticated
from shared.contracts.auth import Scope

READ = SecurityScopes([Scope.RECORDS_READ])


async def page(request: Request) -> Response:
    """As `records_list`."""
    scheme, token = get_authorization_scheme_param(request.headers.get("Authorization"))
    caller = await authenticated(request, READ, token if scheme.lower() == "bearer" else None)
    state: RecordsState = request.state.state
    return await records_list(state.stores, caller, request.path_params["table"], request)


class FrontRoute(Route):
    """A route that tells its template to the log and the metrics, as FastAPI's do."""

    def matches(self, scope: AsgiScope) -> tuple[Match, AsgiScope]:
        """Only a full match: another method is FastAPI's business."""
        match, found = super().matches(scope)
        if match is not Match.FULL:
            return Match.NONE, {}
        return match, {**found, "route": self}


PAGES = FrontRoute("/api/tables/{table:segment}/records", page, methods=["GET"])
