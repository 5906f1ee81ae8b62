"""The imports that one worker process runs at once."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from shared.store.away import is_away

log = structlog.get_logger()


class Crew:
    """A few places, each for one import at a time; its tasks live in the worker's group."""

    def __init__(
        self,
        group: asyncio.TaskGroup,
        run_next: Callable[[], Awaitable[bool]],
        *,
        places: int,
        after_each: Callable[[], None],
    ) -> None:
        self._group = group
        self._run_next = run_next
        self._places = asyncio.Semaphore(places)
        self._after_each = after_each
        self.shifts: set[asyncio.Task[int]] = set()

    @property
    def has_room(self) -> bool:
        """Whether one more import could start at once."""
        return not self._places.locked()

    def start_shift(self) -> "asyncio.Task[int]":
        """Work, as soon as a place is free, until no import is due."""
        work = self._shift()
        try:
            shift = self._group.create_task(work)
        except RuntimeError:
            # The group is ending; CPython before 3.13 would leave the coroutine unawaited.
            work.close()
            raise
        self.shifts.add(shift)
        shift.add_done_callback(self.shifts.discard)
        return shift

    async def _shift(self) -> int:
        worked = 0
        async with self._places:
            try:
                while await self._run_next():
                    worked += 1
                    self._after_each()
            except Exception as exc:
                # An edge: the run's heart has stopped, so the sweeper gives it to somebody.
                if not is_away(exc) and not isinstance(exc, OSError):
                    log.exception("shift_broke")
                else:
                    log.warning("shift_waits_for_database", error=type(exc).__name__)
        return worked
