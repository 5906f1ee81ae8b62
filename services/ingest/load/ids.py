"""Ids for loaded rows, taken from a table's sequence in blocks."""

import asyncpg
import structlog

from services.ingest.load.outside import Connections

_log = structlog.get_logger(__name__)


class IdBlocks:
    """Ids taken from the table's sequence in blocks that nobody else can get.

    Each block is taken in a short transaction of another connection, just as large as the frame
    it is for, so that a small file leaves no gap behind it. When that is impossible
    (no rights, no such function, others use the sequence all the time) it logs so once, and the
    rows get their ids from the column's default, which is slower and just as right. For a small
    file, `exhausted` from the start, it is the faster way.
    """

    def __init__(
        self, connections: Connections, table_oid: int, *, exhausted: bool = False
    ) -> None:
        self._connections = connections
        self._oid = table_oid
        self.exhausted = exhausted
        self.lowest = 0
        """The first id that was taken; 0, below every id, if some rows got theirs otherwise."""

    async def take(self, count: int) -> int | None:
        """The first of `count` consecutive ids, or None when there are none to be had."""
        if self.exhausted:
            return None
        first = await self._reserve(count)
        self.exhausted = first is None
        self.lowest = 0 if first is None else self.lowest or first
        return first

    async def advance_past(self, highest: int) -> None:
        """Make sure that the sequence never gives an id that the source brought itself."""
        await self._call("SELECT records.pass_ids($1::oid, $2::bigint)", highest)

    async def _reserve(self, size: int) -> int | None:
        first = await self._call("SELECT records.reserve_ids($1::oid, $2::bigint)", size)
        return None if first is None else int(first)

    async def _call(self, function: str, number: int) -> int | None:
        try:
            async with self._connections.acquire() as connection:
                result: int | None = await connection.fetchval(function, self._oid, number)
        except (
            asyncpg.LockNotAvailableError,
            asyncpg.UndefinedFunctionError,
            asyncpg.InvalidSchemaNameError,
            asyncpg.InsufficientPrivilegeError,
            asyncpg.SequenceGeneratorLimitExceededError,
            # A sequence that Citus distributes takes no ALTER.
            asyncpg.InternalServerError,
        ) as error:
            _log.warning("ids_not_reserved", table_oid=self._oid, reason=str(error))
            return None
        return result
