"""The table being loaded: its lock, and every statement that writes to it.

This and `undo` are the only files outside the service `records` that write into the schema
`data`; they work by the table's contract, which is compared with PostgreSQL's catalog under the
lock.
"""

from collections.abc import AsyncIterator, Sequence

import asyncpg

from services.ingest.errors import TableChangedError, TableLockedError
from services.ingest.load.former import (
    RETURNS_OLD,
    keep,
    keep_updated,
    returned_old,
    selected,
)
from services.ingest.load.outside import FormerStore
from services.ingest.load.staging import LINE_COLUMN, ROWS
from shared.contracts.records import (
    DATA_SCHEMA,
    IMPORT_COLUMN,
    SYSTEM_COLUMNS,
    VERSION_COLUMN,
    TableContract,
)
from shared.store.citus import coded
from shared.store.copying import while_connected
from shared.store.engine import RawConnection
from shared.store.identifiers import quoted
from shared.values.names import formatted

LOCK_TIMEOUT_S = 30


class Target:
    """One table inside one transaction of one connection."""

    def __init__(
        self,
        connection: RawConnection,
        contract: TableContract,
        *,
        returns_old: bool | None = None,
    ) -> None:
        """`returns_old`: whether RETURNING knows `old`; by default as the server's version says."""
        self.connection = connection
        self.contract = contract
        if returns_old is None:
            returns_old = connection.get_server_version().major >= RETURNS_OLD
        self._returns_old = returns_old
        self._name = f"{quoted(DATA_SCHEMA)}.{quoted(contract.table)}"

    async def lock(self, *, alone: bool, timeout_s: float = LOCK_TIMEOUT_S) -> None:
        """Lock the table for the transaction and compare it with the contract.

        `alone`: beside readers only, without other writers.
        Raises TableChangedError, TableLockedError.
        """
        strength = "SHARE ROW EXCLUSIVE" if alone else "ROW EXCLUSIVE"
        try:
            await self.connection.execute(
                f"SET LOCAL lock_timeout = {int(timeout_s * 1000)};"
                f" LOCK TABLE ONLY {self._name} IN {strength} MODE"
            )
        except asyncpg.LockNotAvailableError as error:
            raise TableLockedError(
                f"{self.contract.table} was locked by others for {timeout_s:g} s: try again"
            ) from error
        except asyncpg.UndefinedTableError as error:
            raise TableChangedError(f"there is no table {self.contract.table} any more") from error
        await self._compare()

    async def _compare(self) -> None:
        rows = await self.connection.fetch(
            "SELECT a.attrelid::bigint AS oid, a.attname AS name, a.attnum, a.attnotnull,"
            " format_type(a.atttypid, a.atttypmod) AS type"
            " FROM pg_attribute a WHERE a.attrelid = $1::text::regclass"
            " AND a.attnum > 0 AND NOT a.attisdropped AND a.attname <> ALL ($2::text[])"
            " ORDER BY a.attnum",
            self._name,
            list(SYSTEM_COLUMNS),
        )
        actual = [(row["oid"], row["name"], row["attnum"], row["type"]) for row in rows]
        known = [
            (self.contract.oid, column.name, column.attnum, formatted(column.type))
            for column in sorted(self.contract.columns, key=lambda column: column.attnum)
        ]
        strict = {row["name"] for row in rows if row["attnotnull"]}
        stricter = strict - {c.name for c in self.contract.columns if not c.nullable}
        if actual != known or stricter:
            raise TableChangedError(
                f"{self.contract.table} was changed while the import was starting: retry it"
            )

    async def empty(self) -> int:
        """Delete all rows; how many.

        Readers see the old ones until commit, which TRUNCATE would not let.
        """
        status = await self.connection.execute(f"DELETE FROM {self._name}")  # noqa: S608 - quoted
        return int(status.split()[-1])

    async def empty_into(self, former: FormerStore) -> int:
        """Delete all rows, which go into `former` by the same statement; how many."""
        rows = f"DELETE FROM {self._name} AS t RETURNING {selected(self.contract, 't')}"  # noqa: S608 - quoted
        return await keep(self.connection, rows, self.contract, former)

    async def keep_all(self, reader: RawConnection, former: FormerStore) -> int:
        """Keep all rows as another connection sees them, to which nothing is deleted yet.

        No writers are let in meanwhile: it sees what this transaction deletes. How many.
        """
        rows = f"SELECT {selected(self.contract, 't')} FROM {self._name} AS t"  # noqa: S608 - quoted
        return await keep(reader, rows, self.contract, former)

    async def shut_out_writers(self) -> None:
        """Let nobody else write until the transaction ends; may deadlock with another load."""
        await self.connection.execute(f"LOCK TABLE ONLY {self._name} IN SHARE ROW EXCLUSIVE MODE")

    async def merge(
        self,
        columns: Sequence[str],
        key: Sequence[str],
        import_id: int,
        *,
        former: FormerStore | None,
    ) -> tuple[int, int]:
        """Insert the staged rows, and where a record has their key update it instead.

        `columns`: the table's columns that are staged, the key's among them. Records go into
        `former` as they were. The numbers of inserted and of updated records. Raises
        UniqueViolationError for another key.
        """
        merging = self._merging(columns, key, import_id)
        if former is not None and self._returns_old:
            merging = f"{merging} RETURNING {returned_old(self.contract)}"
            return await keep_updated(self.connection, merging, self.contract, former)
        if former is not None:
            await self._keep_rivals(key, former)
        row = await self.connection.fetchrow(
            # A row that was there has been locked by this statement; a new one has not.
            f"WITH merged AS ({merging} RETURNING t.xmax = 0 AS fresh)"  # noqa: S608 - quoted
            " SELECT count(*) FILTER (WHERE fresh) AS inserted,"
            " count(*) FILTER (WHERE NOT fresh) AS updated FROM merged"
        )
        assert row is not None
        return row["inserted"], row["updated"]

    def _merging(self, columns: Sequence[str], key: Sequence[str], import_id: int) -> str:
        names = ", ".join(quoted(name) for name in columns)
        changes = ", ".join(
            f"{quoted(name)} = EXCLUDED.{quoted(name)}"
            for name in (*columns, IMPORT_COLUMN)
            if name not in key
        )
        changes += f", {VERSION_COLUMN} = t.{VERSION_COLUMN} + 1"
        return (
            f"INSERT INTO {self._name} AS t ({names}, {IMPORT_COLUMN})"  # noqa: S608 - quoted
            f" SELECT {names}, {int(import_id)}::bigint FROM pg_temp.{ROWS} ORDER BY {LINE_COLUMN}"
            f" ON CONFLICT ({', '.join(quoted(name) for name in key)}) DO UPDATE SET {changes}"
        )

    async def _keep_rivals(self, key: Sequence[str], former: FormerStore) -> None:
        """Keep the records that a merge will update, beside readers only, so that they stay so."""
        await self.shut_out_writers()
        same = " AND ".join(f"t.{quoted(name)} = s.{quoted(name)}" for name in key)
        rows = (
            f"SELECT {selected(self.contract, 't')} FROM ONLY {self._name} t"  # noqa: S608 - quoted
            f" JOIN pg_temp.{ROWS} s ON {same}"
        )
        await keep(self.connection, rows, self.contract, former)

    async def defer_references(self) -> bool:
        """Have the next rows' references looked at by `check_references`, in place of one by one.

        False where that cannot be had; then PostgreSQL looks at each row, which is slower.
        """
        deferred: bool = await self.connection.fetchval(
            "SELECT records.defer_references($1::oid)", self.contract.oid
        )
        if not deferred:
            # What is planned for a small table would read all of it for each row.
            await self.connection.execute("SET LOCAL enable_seqscan = off")
        return deferred

    async def check_references(self, import_id: int, lowest_id: int) -> None:
        """Look at the references of an import's rows from an id on, and hold what they reference.

        Raises ForeignKeyViolationError.
        """
        await self.connection.execute(
            "SELECT records.check_references($1::oid, $2::bigint, $3::bigint)",
            self.contract.oid,
            import_id,
            lowest_id,
        )

    async def copy(self, columns: Sequence[str], data: AsyncIterator[bytes | memoryview]) -> int:
        """COPY binary data straight into the table; the number of rows."""
        async with while_connected(self.connection):
            try:
                status = await self.connection.copy_to_table(
                    self.contract.table,
                    schema_name=DATA_SCHEMA,
                    source=data,
                    columns=list(columns),
                    format="binary",
                )
            except asyncpg.InternalServerError as error:
                raise coded(error) from error
        return int(status.split()[-1])
