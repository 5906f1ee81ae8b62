"""Imports that clients follow: one query asks about all of them, however many streams are open."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from services.ingest.domain.run import Run
from services.ingest.errors import TooManyStreamsError
from services.ingest.runs import submitted
from shared.contracts.auth import Caller, Sub
from shared.store.engine import RawPool

FIRST_PAUSE_S = 0.02
LONGEST_PAUSE_S = 0.4
SLOWER_BY = 1.5
"""A small import is over in a moment, so a new stream is looked after more often at first."""


class Watch:
    """One client's interest in one import."""

    def __init__(self, run: Run) -> None:
        self.run = run
        """The import as it was when the stream began."""
        self._revision: int | None = None
        self._moved = asyncio.Event()

    def seen(self, revision: int) -> None:
        """The client has the import as of this revision."""
        self._revision = revision
        self._moved.clear()

    def compare(self, revision: int | None) -> None:
        """Let `moved` return if this is not what the client has; None: the import is gone."""
        if revision != self._revision:
            self._moved.set()

    async def moved(self, stopping: asyncio.Event) -> None:
        """Return once the import is not as it was seen, or the process is to stop."""
        waits = [asyncio.create_task(event.wait()) for event in (self._moved, stopping)]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()


class Watches:
    """All that is followed in this process. A stream that waits holds no connection."""

    def __init__(self, pool: RawPool, *, per_subject: int) -> None:
        self._pool = pool
        self._per_subject = per_subject
        self._watches: set[Watch] = set()
        self._held: Counter[Sub] = Counter()
        self._pause_s = FIRST_PAUSE_S
        self.wanted = asyncio.Event()
        """Set by each new watch."""

    @contextmanager
    def watch(self, viewer: Caller, run: Run) -> Iterator[Watch]:
        """Follow an import until the block ends; raises TooManyStreamsError."""
        if self._held[viewer.sub] >= self._per_subject:
            raise TooManyStreamsError(self._per_subject)
        watch = Watch(run)
        self._watches.add(watch)
        self._held[viewer.sub] += 1
        self._pause_s = FIRST_PAUSE_S
        self.wanted.set()
        try:
            yield watch
        finally:
            self._watches.discard(watch)
            self._held[viewer.sub] -= 1
            if not self._held[viewer.sub]:
                del self._held[viewer.sub]

    async def look(self) -> None:
        """Compare what is followed with the database, again and again while there is anything."""
        while self._watches:
            self.wanted.clear()
            revisions = await submitted.revisions(
                self._pool, {watch.run.id for watch in self._watches}
            )
            for watch in self._watches:
                watch.compare(revisions.get(watch.run.id))
            try:
                async with asyncio.timeout(self._pause_s):
                    await self.wanted.wait()
            except TimeoutError:
                self._pause_s = min(self._pause_s * SLOWER_BY, LONGEST_PAUSE_S)
