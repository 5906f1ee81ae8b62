"""Reading the audit trail; for admins."""

from dataclasses import dataclass, replace

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.auth.domain import CLIENT_PREFIX, Event, EventFilter, email_address
from services.auth.repository import trail, users
from services.auth.service.access import require_admin
from shared.contracts.auth import Caller
from shared.http.paging import Slice


@dataclass(frozen=True, slots=True)
class Trail:
    """Who did what to what."""

    engine: AsyncEngine

    async def page(
        self,
        caller: Caller,
        filters: EventFilter,
        *,
        subject: str | None,
        before: int | None,
        limit: int,
    ) -> Slice[Event]:
        """Events with an id below `before`, newest first.

        `subject` is a sub, a client id or an e-mail address. Raises ForbiddenError unless the
        caller is an admin.
        """
        async with self.engine.connect() as connection:
            await require_admin(connection, caller)
            if subject is not None:
                filters = replace(filters, subjects=await _subjects(connection, subject))
            return await trail.page(connection, filters, before=before, limit=limit)


async def _subjects(connection: AsyncConnection, name: str) -> list[str]:
    """Every sub that a name may stand for."""
    subjects = {name, CLIENT_PREFIX + name}
    if "@" in name:
        try:
            person = await users.by_email(connection, email_address(name))
        except ValueError:
            person = None
        subjects |= {person.sub} if person else set()
    return sorted(subjects)
