"""Reading `audit.events`; writing is `shared.audit`."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.auth.domain import Event, EventFilter
from services.auth.tables import audit_events


async def page(
    connection: AsyncConnection, filters: EventFilter, *, before: int | None, limit: int
) -> list[Event]:
    """Newest first, those with a smaller id than `before`."""
    events = audit_events.c
    statement = (
        select(
            events.id,
            events.at,
            events.subject,
            events.action,
            events.object,
            events.result,
            events.request_id,
            events.address,
            events.detail,
        )
        .order_by(events.id.desc())
        .limit(limit)
    )
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
    return [Event(**row._mapping) for row in await connection.execute(statement)]  # noqa: SLF001 - documented API
