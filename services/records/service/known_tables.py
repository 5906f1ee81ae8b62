"""Tables as this process knows them, and how one is looked up for a caller."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import TypeVar

from services.records.domain import Level, Table, TableId, normalised
from services.records.errors import (
    LevelMissingError,
    StaleTableError,
    StillReferencedError,
    TableBusyError,
    TableNotFoundError,
)
from services.records.repository import registry
from shared.contracts.auth import Caller
from shared.errors import InvalidInputError, ProblemError
from shared.process.places import Places
from shared.store.engine import RawPool

KNOWN_LIMIT = 1000
ATTEMPTS = 4

Result = TypeVar("Result")


def authorised(table: Table, caller: Caller, level: Level) -> Table:
    """The one place where it is decided who may do what to a table.

    Raises TableNotFoundError for a table that the caller may not see, LevelMissingError for one
    that the caller sees but may not do this to. `Level.NONE` is for the services' own chores.
    """
    held = table.level_of(caller)
    if held is Level.NONE and level is not Level.NONE:
        raise TableNotFoundError.named(table.name)
    if held < level:
        raise LevelMissingError(
            f"this needs the level {level.word!r} on the table {table.name!r}; yours is"
            f" {held.word!r}"
        )
    return table


class KnownTables:
    """What this process knows of tables; never trusted further than their versions go."""

    def __init__(self, pool: RawPool, places: Places) -> None:
        self._pool = pool
        self.places = places
        """What a subject's calls have at once of the connections that all have in common."""
        self._tables: OrderedDict[str, Table] = OrderedDict()

    async def on(
        self,
        name: str,
        caller: Caller,
        level: Level,
        work: Callable[[Table], Awaitable[Result]],
    ) -> Result:
        """Do work on a table as this process knows it; look again before anything is refused.

        `work` raises StaleTableError, with nothing done, when its statement met another version.
        Raises as `authorised`, as `Places.one`, and whatever `work` raises.
        """
        async with self.places.one(caller.sub):
            return await self._on(normalised(name), caller, level, work)

    async def _on(
        self,
        name: str,
        caller: Caller,
        level: Level,
        work: Callable[[Table], Awaitable[Result]],
    ) -> Result:
        known = self._tables.get(name)
        try:
            if known is not None:
                try:
                    return await work(authorised(known, caller, level))
                except InvalidInputError:
                    # A column that was just added or changed may be what makes the input fit.
                    if (await self.load(name)).version == known.version:
                        raise
                except (StaleTableError, LevelMissingError, TableNotFoundError):
                    self.forget(known.id)
            for _ in range(ATTEMPTS):
                table = authorised(await self.load(name), caller, level)
                try:
                    return await work(table)
                except StaleTableError:
                    continue
        except StillReferencedError as exc:
            raise await self._naming_referrer(caller, exc) from exc
        except TableNotFoundError as exc:
            raise await self._naming_the_nearest(caller, name) from exc
        raise TableBusyError(f"the shape of {name!r} keeps changing; try again")

    async def fresh(self, name: str, caller: Caller, level: Level) -> Table:
        """A table as it is now, for a caller with at least this level; raises as `authorised`."""
        name = normalised(name)
        try:
            return authorised(await self.load(name), caller, level)
        except TableNotFoundError as exc:
            raise await self._naming_the_nearest(caller, name) from exc

    async def load(self, name: str) -> Table:
        """Look a table up; raises TableNotFoundError."""
        table = await registry.find(self._pool, name)
        if table is None:
            self._tables.pop(name, None)
            raise TableNotFoundError.named(name)
        self._tables[name] = table
        self._tables.move_to_end(name)
        if len(self._tables) > KNOWN_LIMIT:
            self._tables.popitem(last=False)
        return table

    def forget(self, table_id: TableId) -> None:
        """Drop what is known of a table, by whatever name."""
        for name in [name for name, table in self._tables.items() if table.id == table_id]:
            del self._tables[name]

    def clear(self) -> None:
        """Know nothing."""
        self._tables.clear()

    async def _naming_the_nearest(self, caller: Caller, name: str) -> TableNotFoundError:
        """The refusal, with the name that was probably meant if the caller may see that table."""
        among = await registry.visible_of_length(self._pool, caller, name)
        return TableNotFoundError.named(name, among=among)

    async def _naming_referrer(self, caller: Caller, error: StillReferencedError) -> ProblemError:
        """The refusal, with the name of the table that references if the caller may see it."""
        visible = await registry.visible_among(self._pool, caller, [error.by])
        if not visible:
            return error
        return StillReferencedError(f"records of the table {error.by!r} reference it", by=error.by)
