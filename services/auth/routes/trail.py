"""The audit trail, for admins."""

from typing import Annotated

from fastapi import APIRouter, Query, Request

from services.auth.dependencies import Process, SignedIn
from services.auth.domain import EventFilter
from services.auth.schemas import EventAnswer, EventQuery
from shared.contracts.base import Page
from shared.http.json_bodies import JsonRoute
from shared.http.paging import page

router = APIRouter(prefix="/api/audit", tags=["audit"], route_class=JsonRoute)


@router.get("", status_code=200, summary="Who did what to what")
async def audit_list(
    request: Request, query: Annotated[EventQuery, Query()], caller: SignedIn, auth: Process
) -> Page[EventAnswer]:
    """Newest first; all filters that are given must hold; for admins."""
    filters = EventFilter(
        action=query.action, object=query.object, since=query.since, until=query.until
    )
    events = await auth.trail.page(
        caller, filters, subject=query.subject, before=query.before, limit=query.limit
    )
    return page(request, events, EventAnswer.of, by="before")
