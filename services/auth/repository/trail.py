"""Reading `audit.events`; writing is `shared.store.audit`."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.auth.domain import Event, EventFilter
from services.auth.tables import audit_events
from shared.http.paging import Slice, cut

# In the order of the fields of Event.
EVENT = (
    audit_events.c.id,
    audit_events.c.at,
    audit_events.c.subject,
    audit_events.c.action,
    audit_events.c.object,
    audit_events.c.result,
    audit_events.c.request_id,
    audit_events.c.address,
    audit_events.c.detail,
)


async def page(
    connection: AsyncConnection, filters: EventFilter, *, before: int | None, limit: int
) -> Slice[Event]:
    """Events with an id below `before`, newest first."""
    events = audit_events.c
    statement = select(*EVENT).order_by(events.id.desc()).limit(limit + 1)
    if filters.subjects:
        statement = statement.where(events.subject.in_(filters.subjects))
    if filters.action is not None:
        statement = statement.where(events.action == filters.action)
    if filters.object is not None:
        statement = statement.where(events.object == filters.object)
    if filters.since is not None:
        statement = statement.where(events.at >= filters.since)
    if filters.until is not None:
        statement = statement.where(events.at < filters.until)
    if before is not None:
        statement = statement.where(events.id < before)
    rows = await connection.execute(statement)
    return cut([Event(*row) for row in rows], limit=limit, key=lambda event: (str(event.id),))
