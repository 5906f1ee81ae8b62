"""Reading the audit trail; for admins."""

from dataclasses import replace

from sqlalchemy.ext.asyncio import AsyncEngine

from services.auth.domain import CLIENT_PREFIX, Event, EventFilter, email_address
from services.auth.repository import trail, users
from services.auth.service.accounts import require_admin
from shared.contracts.auth import Caller


async def events(
    engine: AsyncEngine,
    caller: Caller,
    filters: EventFilter,
    *,
    subject: str | None,
    before: int | None,
    limit: int,
) -> tuple[list[Event], int | None]:
    """A page of events, newest first, and the id the next page begins before.

    `subject` is a sub, a client id or an e-mail address; ForbiddenError unless an admin asks.
    """
    async with engine.connect() as connection:
        await require_admin(connection, caller)
        if subject is not None:
            names = {subject, CLIENT_PREFIX + subject}
            if "@" in subject:
                try:
                    person = await users.by_email(connection, email_address(subject))
                except ValueError:
                    person = None
                names |= {person.sub} if person else set()
            filters = replace(filters, subjects=sorted(names))
        found = await trail.page(connection, filters, before=before, limit=limit + 1)
    return found[:limit], found[limit - 1].id if len(found) > limit else None
