"""Tables given as Python data, the people who may log in, and the data dictionary over both."""

import re
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from tests.support.oracle import types
from tests.support.oracle.login import Verifier
from tests.support.oracle.types import OracleType

Row = Sequence[object]


class OracleError(Exception):
    """An ORA error: its number and its text without the prefix."""

    def __init__(self, number: int, text: str) -> None:
        super().__init__(f"ORA-{number:05}: {text}")
        self.number = number


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    type: OracleType
    nullable: bool = True


@dataclass(frozen=True, slots=True)
class Table:
    """A table of one schema; `rows` may be a function that makes them anew each time."""

    owner: str
    name: str
    columns: tuple[Column, ...]
    rows: Sequence[Row] | Callable[[], Iterable[Row]] = ()
    estimated_rows: int | None = None

    def every_row(self) -> Iterable[Row]:
        return self.rows() if callable(self.rows) else self.rows


@dataclass(frozen=True, slots=True)
class Account:
    """Someone who may log in; `problem` is what ORA says instead (28000, 28001)."""

    password: str
    verifier: Verifier = Verifier.V12C
    problem: OracleError | None = None


@dataclass
class OracleDatabase:
    """What the server serves: services, SIDs, accounts (names in capitals), tables."""

    services: tuple[str, ...] = ("FREEPDB1",)
    sids: tuple[str, ...] = ("FREE",)
    accounts: dict[str, Account] = field(default_factory=dict)
    tables: list[Table] = field(default_factory=list)
    privileges: tuple[str, ...] = ("CREATE SESSION",)
    """What everyone who logs in may do."""

    def dictionary(
        self, sql: str, binds: Sequence[object], *, user: str
    ) -> tuple[tuple[Column, ...], list[Row]]:
        """Answer a query on the dictionary's views.

        SQLite answers it, whose SQL is near enough; raises OracleError where it is not.
        """
        store = sqlite3.connect(":memory:")
        store.executescript(DICTIONARY)
        store.executemany(
            "INSERT INTO all_tables VALUES (?, ?, ?, 'NO', 'NO')",
            [(table.owner, table.name, table.estimated_rows) for table in self.tables],
        )
        store.executemany(
            "INSERT INTO all_tab_columns VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [row for table in self.tables for row in _column_rows(table)],
        )
        store.executemany(
            "INSERT INTO all_users VALUES (?, ?)",
            [("SYS", "Y"), ("SYSTEM", "Y"), *((name, "N") for name in self.accounts)],
        )
        store.execute("INSERT INTO user_users VALUES (?)", [user])
        store.executemany("INSERT INTO session_privs VALUES (?)", [(p,) for p in self.privileges])
        try:
            cursor = store.execute(re.sub(r":\w+", "?", sql), [*binds])
            rows: list[Row] = cursor.fetchall()
        except sqlite3.Error as exc:
            raise OracleError(933, f"SQL command not properly ended ({exc})") from exc
        finally:
            store.close()
        names = [description[0].upper() for description in cursor.description]
        columns = tuple(
            Column(name, types.number_() if name in NUMBERS else types.varchar2(128))
            for name in names
        )
        return columns, rows


NUMBERS = ("NUM_ROWS", "COLUMN_ID", "DATA_LENGTH", "DATA_PRECISION", "DATA_SCALE", "CHAR_LENGTH")
DICTIONARY = """
CREATE TABLE all_tables (owner, table_name, num_rows, dropped, nested);
CREATE TABLE all_tab_columns (owner, table_name, column_name, column_id, data_type,
  data_length, data_precision, data_scale, char_length, nullable);
CREATE TABLE all_users (username, oracle_maintained);
CREATE TABLE user_users (username);
CREATE TABLE session_privs (privilege);
"""


def _column_rows(table: Table) -> list[Row]:
    return [
        (
            table.owner,
            table.name,
            column.name,
            position,
            column.type.spelled,
            column.type.size,
            column.type.precision or None,
            None if column.type.scale == types.NO_SCALE else column.type.scale,
            column.type.length_chars,
            "Y" if column.nullable else "N",
        )
        for position, column in enumerate(table.columns, 1)
    ]
