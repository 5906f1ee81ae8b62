"""Temporary tables of the load's own session: keys to be compared, and rows to be merged.

Nothing here writes to the users' tables; `target` does, out of what is staged here.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence

from services.ingest.judge.rules import left_to_postgresql
from services.ingest.load.duplicates import DuplicateLines, FileKey, HeldRule, decided
from services.ingest.plan.columns import ColumnPlan
from shared.contracts.records import DATA_SCHEMA, TableContract
from shared.store.conditions import reference_condition, rule_condition
from shared.store.copying import while_connected
from shared.store.engine import RawConnection
from shared.store.identifiers import quoted

LINE_COLUMN = "_line"
"""Users' columns never begin with `_`."""
ABSENT_COLUMN = "_absent"
"""Which columns a row leaves out: a character for each of them, `ABSENT` or another."""
ABSENT = "1"
PRESENT = "0"
ROWS = "import_rows"
_SUSPECTS_AT_ONCE = 10_000


class Staging:
    """Rows of the file, staged with their lines under the target's own column types."""

    def __init__(
        self,
        connection: RawConnection,
        contract: TableContract,
        columns: Sequence[str],
    ) -> None:
        self._connection = connection
        self._contract = contract
        self._table = _data_table(contract.table)
        self.columns = (LINE_COLUMN, ABSENT_COLUMN, *columns)

    async def make(self) -> None:
        """An empty staging table, in place of an earlier one; it ends with the transaction."""
        await self._connection.execute(f"DROP TABLE IF EXISTS pg_temp.{ROWS}")
        names = ", ".join(quoted(name) for name in self.columns[2:])
        await self._connection.execute(
            f"CREATE TEMPORARY TABLE {ROWS} ON COMMIT DROP AS"  # noqa: S608 - quoted
            f" SELECT 0::bigint AS {LINE_COLUMN}, ''::text AS {ABSENT_COLUMN}, {names}"
            f" FROM {self._table} WITH NO DATA"
        )
        # Its own transaction sees it alone: a few sorts and hashes may take some memory.
        await self._connection.execute("SET LOCAL work_mem = '64MB'")

    async def copy(self, data: AsyncIterator[bytes]) -> int:
        """COPY binary rows in the order of `columns`."""
        async with while_connected(self._connection):
            status = await self._connection.copy_to_table(
                ROWS, source=data, columns=list(self.columns), format="binary"
            )
        await self._connection.execute(f"ANALYZE {ROWS}")
        return int(status.split()[-1])

    async def keep_one(self, key: FileKey, *, last: bool) -> None:
        """Delete all rows of one key but the first or last one."""
        names = ", ".join(_names(key))
        order = "DESC" if last else "ASC"
        await self._connection.execute(
            f"DELETE FROM {ROWS} s USING (SELECT {LINE_COLUMN}, row_number() OVER"  # noqa: S608 - quoted
            f" (PARTITION BY {names} ORDER BY {LINE_COLUMN} {order}) AS place FROM {ROWS}) d"
            f" WHERE d.{LINE_COLUMN} = s.{LINE_COLUMN} AND d.place > 1"
        )

    async def has_absent(self) -> bool:
        """Whether some row leaves columns out."""
        return bool(
            await self._connection.fetchval(
                f"SELECT EXISTS (SELECT 1 FROM {ROWS} WHERE {ABSENT_COLUMN} IS NOT NULL)"  # noqa: S608
            )
        )

    async def fill_absent(self, key: FileKey) -> None:
        """Give cells that a row leaves out the value that the record of its key has."""
        own = set(_names(key))
        cells = ", ".join(
            f"{name} = CASE substr(s.{ABSENT_COLUMN}, {at}, 1)"
            f" WHEN '{ABSENT}' THEN t.{name} ELSE s.{name} END"
            for at, name in enumerate(map(quoted, self.columns[2:]), 1)
            if name not in own
        )
        if cells:
            await self._connection.execute(
                f"UPDATE {ROWS} s SET {cells} FROM ONLY {self._table} t"  # noqa: S608 - quoted
                f" WHERE s.{ABSENT_COLUMN} IS NOT NULL AND {_same('s', 't', key)}"
            )

    async def duplicates(
        self,
        keys: Sequence[FileKey],
        rules: Sequence[HeldRule] = (),
        *,
        against_table: bool = True,
        updating: FileKey | None = None,
    ) -> DuplicateLines:
        """The staged rows that a key or a rule forbids; they are deleted from the stage.

        `against_table`: compare with the table's records too, not only within the file.
        `updating`: the key of an upsert, by which a record is no rival but to be updated.
        The caller closes what it gets.
        """
        await self._connection.execute("DROP TABLE IF EXISTS pg_temp.import_duplicates")
        await self._connection.execute(
            "CREATE TEMPORARY TABLE import_duplicates"
            " (line bigint, key int, first_line bigint, record_id bigint) ON COMMIT DROP"
        )
        numbered = list(enumerate(rules, len(keys)))
        await self._find_broken(numbered, against_table=against_table)
        await self._drop_found()
        if against_table:
            for number, key in enumerate(keys):
                if key != updating:
                    await self._find_in_table(number, key, updating)
            await self._drop_found()
        if len(keys) == 1:
            await self._find_in_file(0, keys[0])
        elif keys:
            await self._find_in_file_by_several(keys)
        await self._drop_found()
        own = [(number, rule) for number, rule in numbered if rule.is_to(self._contract)]
        dropped = bool(own)
        while dropped:  # a row that others reference may have been refused itself
            await self._find_broken(own, against_table=against_table)
            dropped = await self._drop_found() > 0
        found = DuplicateLines([*keys, *rules])
        await self._connection.copy_from_query(
            "SELECT line, key, first_line, record_id FROM import_duplicates ORDER BY line, key",
            output=_writer(found),
            format="csv",
        )
        found.rewind()
        return found

    async def highest_id(self) -> int:
        """The greatest staged id, 0 without any."""
        return int(await self._connection.fetchval(f"SELECT max(id) FROM {ROWS}") or 0)  # noqa: S608

    async def _find_broken(
        self, rules: Iterable[tuple[int, HeldRule]], *, against_table: bool
    ) -> None:
        for number, rule in rules:
            name = f"s.{quoted(rule.column.target)}"
            await self._connection.execute(
                "INSERT INTO import_duplicates SELECT s._line, $1::int, NULL, NULL"  # noqa: S608 - quoted
                f" FROM {ROWS} s WHERE {name} IS NOT NULL"
                f" AND NOT ({self._condition(rule, name, against_table=against_table)})",
                number,
            )

    def _condition(self, rule: HeldRule, name: str, *, against_table: bool) -> str:
        target = rule.reference
        if target is None:
            return rule_condition(name, rule.column.type, rule.rule, rule.value)
        if not rule.is_to(self._contract):
            return reference_condition(name, _data_table(target.table), target)
        places = [self._table] if against_table else []
        if target.column in self.columns:
            places.append(ROWS)
        conditions = [reference_condition(name, place, target) for place in places]
        return " OR ".join(conditions) or "false"

    async def _find_in_table(self, number: int, key: FileKey, updating: FileKey | None) -> None:
        other = f" AND NOT ({_same('s', 't', updating)})" if updating else ""
        await self._connection.execute(
            "INSERT INTO import_duplicates SELECT s._line, $1::int, NULL, t.id"  # noqa: S608 - quoted
            f" FROM {ROWS} s JOIN ONLY {self._table} t ON {_same('s', 't', key)}{other}",
            number,
        )

    async def _find_in_file(self, number: int, key: FileKey) -> None:
        names = ", ".join(_names(key))
        await self._connection.execute(
            "INSERT INTO import_duplicates SELECT s._line, $1::int, d.first_line, NULL"  # noqa: S608 - quoted
            f" FROM {ROWS} s JOIN (SELECT {names}, min(_line) AS first_line FROM {ROWS}"
            f" WHERE {_not_null(key)} GROUP BY {names} HAVING count(*) > 1) d"
            f" ON {_same('s', 'd', key)} AND s._line > d.first_line",
            number,
        )

    async def _find_in_file_by_several(self, keys: Sequence[FileKey]) -> None:
        """Greedily, line by line: whether a row is a duplicate hangs on whether its rivals are."""
        groups = ", ".join(
            f"CASE WHEN {_not_null(key)} AND count(*) OVER w{n} > 1"
            f" THEN min(_line) OVER w{n} END AS g{n}"
            for n, key in enumerate(keys)
        )
        windows = ", ".join(
            f"w{n} AS (PARTITION BY {', '.join(_names(key))})" for n, key in enumerate(keys)
        )
        some = " OR ".join(f"g{n} IS NOT NULL" for n in range(len(keys)))
        query = (
            f"SELECT * FROM (SELECT _line, {groups} FROM {ROWS} WINDOW {windows}) g"  # noqa: S608 - quoted
            f" WHERE {some} ORDER BY _line"
        )

        async def suspects() -> AsyncIterator[tuple[int, Sequence[int | None]]]:
            async for row in self._connection.cursor(query, prefetch=_SUSPECTS_AT_ONCE):
                yield row[0], tuple(row[1:])

        found: list[tuple[int, int, int | None, None]] = []
        async for duplicate in decided(suspects()):
            found.append((duplicate.line, duplicate.key, duplicate.first_line, None))
            if len(found) >= _SUSPECTS_AT_ONCE:
                await self._note(found)
                found = []
        await self._note(found)

    async def _note(self, found: Sequence[tuple[int, int, int | None, None]]) -> None:
        await self._connection.executemany(
            "INSERT INTO import_duplicates VALUES ($1, $2, $3, $4)", found
        )

    async def _drop_found(self) -> int:
        status = await self._connection.execute(
            f"DELETE FROM {ROWS} s USING import_duplicates d WHERE d.line = s._line"  # noqa: S608 - quoted
        )
        return int(status.split()[-1])


def key_of(columns: Sequence[str], plan: ColumnPlan) -> FileKey | None:
    """The key as the file has it, or None when the file lacks one of its columns."""
    planned = {column.target: column for column in plan.columns}
    if not all(name in planned for name in columns):
        return None
    return FileKey(tuple(planned[name] for name in columns))


def rules_of(plan: ColumnPlan, *, left_alone: bool = False) -> tuple[HeldRule, ...]:
    """The rules of the file's columns; with `left_alone` those that frames are not judged by."""
    return tuple(
        HeldRule(column, rule)
        for column in plan.columns
        for rule in (
            left_to_postgresql(column.type, column.rules)
            if left_alone
            else tuple(rule for rule, _ in column.rules.given())
        )
    )


def _data_table(name: str) -> str:
    return f"{quoted(DATA_SCHEMA)}.{quoted(name)}"


def _writer(found: DuplicateLines) -> Callable[[bytes], Awaitable[None]]:
    async def write(data: bytes) -> None:
        found.write(data)

    return write


def _names(key: FileKey) -> list[str]:
    return [quoted(column.target) for column in key.columns]


def _same(one: str, other: str, key: FileKey) -> str:
    return " AND ".join(f"{one}.{name} = {other}.{name}" for name in _names(key))


def _not_null(key: FileKey) -> str:
    return " AND ".join(f"{name} IS NOT NULL" for name in _names(key))
