"""The audit trail, for admins."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query

from services.auth.dependencies import SignedIn, State
from services.auth.domain import Event, EventFilter
from services.auth.schemas import EventAnswer, EventQuery
from services.auth.service.trail import events
from shared.contracts.base import Page

PATH = "/api/audit"

router = APIRouter(prefix=PATH, tags=["audit"])


@router.get("", status_code=200, summary="Who did what to what")
async def audit_list(
    query: Annotated[EventQuery, Query()], caller: SignedIn, state: State
) -> Page[EventAnswer]:
    """Newest first; all filters that are given must hold; for admins."""
    filters = EventFilter(
        action=query.action, object=query.object, since=query.since, until=query.until
    )
    found, following = await events(
        state.engine,
        caller,
        filters,
        subject=query.subject,
        before=query.before,
        limit=query.limit,
    )
    more = query.model_dump(mode="json", exclude_none=True) | {"before": following}
    return Page(
        items=[_answer(event) for event in found],
        next=f"{PATH}?{urlencode(more)}" if following else None,
    )


def _answer(event: Event) -> EventAnswer:
    return EventAnswer(
        id=event.id,
        at=event.at,
        subject=event.subject,
        action=event.action,
        object=event.object,
        result=event.result,
        request_id=event.request_id,
        address=event.address,
        detail=dict(event.detail) if event.detail is not None else None,
    )
