"""The table being loaded: its lock, its ids, and every statement that writes to it.

This is the only file outside the service `records` that writes into the schema `data`; it works
by the table's contract, which it compares with PostgreSQL's catalog under the lock.
"""

from collections.abc import AsyncIterator, Sequence

import asyncpg
import structlog

from services.ingest.domain import Mode
from services.ingest.errors import TableBusyError, TableChangedError
from services.ingest.load.staging import LINE_COLUMN, ROWS
from shared.contracts.records import DATA_SCHEMA, IMPORT_COLUMN, TableContract
from shared.store.copying import while_connected
from shared.store.identifiers import quoted
from shared.values.names import formatted

LOCK_TIMEOUT_S = 30

_log = structlog.get_logger(__name__)


class Target:
    """One table inside one transaction of one connection."""

    def __init__(
        self, connection: "asyncpg.Connection[asyncpg.Record]", contract: TableContract
    ) -> None:
        self._connection = connection
        self._contract = contract
        self._name = f"{quoted(DATA_SCHEMA)}.{quoted(contract.table)}"

    async def lock(self, mode: Mode) -> None:
        """Lock the table for the transaction and compare it with the contract.

        Writers may work beside an append or upsert; beside a replace only readers.
        Raises TableChangedError, TableBusyError.
        """
        strength = "SHARE ROW EXCLUSIVE" if mode is Mode.REPLACE else "ROW EXCLUSIVE"
        await self._connection.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT_S}s'")
        try:
            await self._connection.execute(f"LOCK TABLE ONLY {self._name} IN {strength} MODE")
        except asyncpg.LockNotAvailableError as error:
            raise TableBusyError(
                f"{self._contract.table} was locked by others for {LOCK_TIMEOUT_S} s: try again"
            ) from error
        except asyncpg.UndefinedTableError as error:
            raise TableChangedError(f"there is no table {self._contract.table} any more") from error
        await self._compare()

    async def _compare(self) -> None:
        rows = await self._connection.fetch(
            "SELECT a.attrelid::bigint AS oid, a.attname AS name, a.attnum, a.attnotnull,"
            " format_type(a.atttypid, a.atttypmod) AS type"
            " FROM pg_attribute a WHERE a.attrelid = $1::text::regclass"
            " AND a.attnum > 0 AND NOT a.attisdropped AND a.attname NOT IN ('id', '_import')"
            " ORDER BY a.attnum",
            self._name,
        )
        found = [(row["oid"], row["name"], row["attnum"], row["type"]) for row in rows]
        known = [
            (self._contract.oid, column.name, column.attnum, formatted(column.type))
            for column in sorted(self._contract.columns, key=lambda column: column.attnum)
        ]
        strict = {row["name"] for row in rows if row["attnotnull"]}
        stricter = strict - {c.name for c in self._contract.columns if not c.nullable}
        if found != known or stricter:
            raise TableChangedError(
                f"{self._contract.table} was changed while the import was starting: retry it"
            )

    async def empty(self) -> None:
        """Delete all rows; readers see the old ones until commit, which TRUNCATE would not let."""
        await self._connection.execute(f"DELETE FROM {self._name}")  # noqa: S608 - quoted

    async def shut_out_writers(self) -> None:
        """Let nobody else write until the transaction ends; may deadlock with another load."""
        await self._connection.execute(f"LOCK TABLE ONLY {self._name} IN SHARE ROW EXCLUSIVE MODE")

    async def merge(
        self, columns: Sequence[str], key: Sequence[str], import_id: int
    ) -> tuple[int, int]:
        """Insert the staged rows, and where a record has their key update it instead.

        `columns`: the table's columns that are staged, the key's among them. The numbers of
        inserted and of updated records. Raises UniqueViolationError for another key.
        """
        names = ", ".join(quoted(name) for name in columns)
        changes = ", ".join(
            f"{quoted(name)} = EXCLUDED.{quoted(name)}"
            for name in (*columns, IMPORT_COLUMN)
            if name not in key
        )
        row = await self._connection.fetchrow(
            f"WITH merged AS (INSERT INTO {self._name} AS t ({names}, {IMPORT_COLUMN})"  # noqa: S608 - quoted
            f" SELECT {names}, $1::bigint FROM pg_temp.{ROWS} ORDER BY {LINE_COLUMN}"
            f" ON CONFLICT ({', '.join(quoted(name) for name in key)}) DO UPDATE SET {changes}"
            # A row that was there has been locked by this statement; a new one has not.
            " RETURNING t.xmax = 0 AS fresh)"
            " SELECT count(*) FILTER (WHERE fresh) AS inserted,"
            " count(*) FILTER (WHERE NOT fresh) AS updated FROM merged",
            import_id,
        )
        assert row is not None
        return row["inserted"], row["updated"]

    async def copy(self, columns: Sequence[str], data: AsyncIterator[bytes]) -> int:
        """COPY binary data straight into the table; the number of rows."""
        async with while_connected(self._connection):
            status = await self._connection.copy_to_table(
                self._contract.table,
                schema_name=DATA_SCHEMA,
                source=data,
                columns=list(columns),
                format="binary",
            )
        return int(status.split()[-1])


class IdBlocks:
    """Ids for rows, taken from the table's sequence in blocks that nobody else can get.

    Each block is taken in a short transaction of another connection, just as large as the frame
    it is for, so that a small file leaves no gap behind it. When that is impossible
    (no rights, no such function, others use the sequence all the time) it says so once, and the
    rows get their ids from the column's default, which is slower and just as right.
    """

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", table_oid: int) -> None:
        self._pool = pool
        self._oid = table_oid
        self.exhausted = False

    async def take(self, count: int) -> int | None:
        """The first of `count` consecutive ids, or None when there are none to be had."""
        if self.exhausted:
            return None
        first = await self._reserve(count)
        self.exhausted = first is None
        return first

    async def advance_past(self, highest: int) -> None:
        """Make sure that the sequence never gives an id that the file brought itself."""
        first = await self._reserve(1)
        if first is not None and first < highest:
            await self._reserve(highest - first)

    async def _reserve(self, size: int) -> int | None:
        try:
            first = await self._pool.fetchval(
                "SELECT records.reserve_ids($1::oid, $2::bigint)", self._oid, size
            )
        except (
            asyncpg.LockNotAvailableError,
            asyncpg.UndefinedFunctionError,
            asyncpg.InvalidSchemaNameError,
            asyncpg.InsufficientPrivilegeError,
            asyncpg.SequenceGeneratorLimitExceededError,
        ) as error:
            _log.warning("ids_not_reserved", table_oid=self._oid, reason=str(error))
            return None
        return None if first is None else int(first)
