"""Access tokens that ended before their time, and who is waiting to hear of them."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncEngine

from services.auth.repository import revocations
from shared.contracts.auth import Mark, Revocation, Revocations
from shared.security.revocations import KEPT_S, Revoked
from shared.store import notices

RELOAD_EVERY_S = 3.0
"""Notices come sooner; where none arrive (`shared.store.notices`), this is how soon one hears."""
LISTEN_AGAIN_S = 1.0


@dataclass(slots=True)
class RevocationFeed:
    """What was revoked lately, as this process has read it; answered to all the others."""

    engine: AsyncEngine
    database_url: str = field(repr=False)
    stopping: asyncio.Event
    """Ends the waits: a process that stops answers at once."""
    keys_replaced: Callable[[], None]
    """Called when every token was revoked."""
    revoked: Revoked = field(default_factory=Revoked)
    stale: asyncio.Event = field(default_factory=asyncio.Event)
    """Set by notices; a reload follows."""
    _items: tuple[Revocation, ...] = ()
    _last: int = 0
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    async def since(self, after: int, *, wait_s: float) -> Revocations:
        """Revocations with an id above `after`; waits for one, `wait_s` at most.

        An `after` beyond all ids is of another database: then the answer holds everything.
        """
        if after == self._last:
            await self._wait(wait_s)
        begin = after if after <= self._last else 0
        items = tuple(item for item in self._items if item.id > begin)
        return Revocations(items=items, last=self._last)

    async def reload(self) -> None:
        """Read what is new."""
        async with self.engine.connect() as connection:
            fresh = await revocations.after(connection, self._last)
        if not fresh:
            return
        self.revoked.add(fresh)
        if any(item.mark == Mark.ALL.of() for item in fresh):
            self.keys_replaced()
        newest = fresh[-1]
        kept = (item for item in self._items if item.at > newest.at - KEPT_S)
        self._items = (*kept, *fresh)
        self._last = newest.id
        self._news.set()
        self._news = asyncio.Event()

    async def listen(self) -> None:
        """Note every notice of another process until the connection ends."""
        await notices.listen(
            self.database_url,
            revocations.CHANNEL,
            application_name="tabularium-auth:listen",
            listening=self.stale.set,
            notified=lambda _payload: self.stale.set(),
        )

    async def _wait(self, wait_s: float) -> None:
        waits = [asyncio.ensure_future(event.wait()) for event in (self._news, self.stopping)]
        try:
            await asyncio.wait(waits, timeout=wait_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
