"""The small SELECT that the test server understands; everything else is an ORA error.

`SELECT * | item, … FROM [owner.]table | (select) [WHERE c op value AND …] [ORDER BY c]`, where
an item is a column, a literal, or one of the functions in FUNCTIONS. The one item may also be
`COUNT(*)` or `TO_CHAR(MAX(item), format)`, and a condition `c IS [NOT] NULL`. The dictionary's
views go to SQLite whole.
"""

import datetime as dt
import operator
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from typing import Any

from tests.support.oracle import types
from tests.support.oracle.database import Column, OracleDatabase, OracleError, Row, Table

TOKEN = re.compile(
    r"""\s*(?:(?P<quoted>"[^"]+")|(?P<text>'(?:[^']|'')*')|(?P<number>\d+(?:\.\d+)?)
    |(?P<bind>:\w+)|(?P<word>[A-Za-z][\w$\#]*)|(?P<sign><=|>=|<>|!=|[(),.*=<>-]))""",
    re.VERBOSE,
)
VIEWS = re.compile(r"\b(all_(tables|tab_columns|users)|user_users|session_privs)\b", re.IGNORECASE)
COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq, "<>": operator.ne, "!=": operator.ne, "<": operator.lt,
    "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
PICTURES = {
    "YYYY-MM-DD HH24:MI:SS": "%Y-%m-%d %H:%M:%S",
    "YYYY-MM-DD HH24:MI:SS.FF9": "%Y-%m-%d %H:%M:%S.%f",
    "YYYY-MM-DD HH24:MI:SS TZH:TZM": "%Y-%m-%d %H:%M:%S %z",
    "YYYY-MM-DD HH24:MI:SS.FF9 TZH:TZM": "%Y-%m-%d %H:%M:%S.%f %z",
}
"""Oracle's format models as Python's; a moment of ours has no more than six digits."""
MOMENTS = ("TO_DATE", "TO_TIMESTAMP", "TO_TIMESTAMP_TZ")


@dataclass(frozen=True, slots=True)
class Result:
    """A query's columns, and its rows as often as they are asked for."""

    columns: tuple[Column, ...]
    rows: Callable[[], Iterable[Row]]


def answer(database: OracleDatabase, sql: str, binds: Sequence[object], *, user: str) -> Result:
    """Run a SELECT; raises OracleError."""
    if VIEWS.search(sql):
        columns, found = database.dictionary(sql, binds, user=user)
        return Result(columns, lambda: found)
    statement = _Statement(_tokens(COMMENT.sub(" ", sql)), database.tables, list(binds), user)
    result = statement.select()
    if statement.next() is not None:
        raise OracleError(933, "SQL command not properly ended")
    return result


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str


def _tokens(sql: str) -> list[_Token]:
    tokens, at = [], 0
    stripped = sql.rstrip()
    while at < len(stripped):
        found = TOKEN.match(stripped, at)
        if found is None or found.lastgroup is None:
            raise OracleError(911, f"invalid character near {stripped[at : at + 10]!r}")
        tokens.append(_Token(found.lastgroup, found[found.lastgroup]))
        at = found.end()
    return tokens


Item = tuple[Column, Callable[[Row], object]]


class _Statement:
    """A walk over the tokens of one statement."""

    def __init__(
        self, tokens: list[_Token], tables: list[Table], binds: list[object], user: str
    ) -> None:
        self._tokens = tokens
        self._tables = tables
        self._binds = binds
        self._user = user

    def next(self) -> _Token | None:
        return self._tokens[0] if self._tokens else None

    def select(self) -> Result:
        self._expect("SELECT")
        start = self._tokens
        depth = 0
        for position, token in enumerate(start):
            depth += {"(": 1, ")": -1}.get(token.text, 0)
            if depth == 0 and token.text.upper() == "FROM":
                self._tokens = start[position + 1 :]
                break
        else:
            raise OracleError(923, "FROM keyword not found where expected")
        source = self._source()
        keep, order = self._where(source), self._order(source)
        rest, self._tokens = self._tokens, start[:position]
        if (aggregate := self._aggregate(source)) is not None:
            column, fold = aggregate
            self._tokens = rest
            return Result((column,), lambda: [(fold([r for r in source.rows() if keep(r)]),)])
        items = self._items(source)
        self._tokens = rest
        columns = tuple(column for column, _take in items)
        whole = [take for _column, take in items]

        def rows() -> Iterable[Row]:
            kept = (row for row in source.rows() if keep(row))
            for row in order(kept):
                yield tuple(take(row) for take in whole)

        if [column.name for column in columns] == [c.name for c in source.columns] and all(
            isinstance(take, operator.itemgetter) for take in whole
        ):
            return Result(columns, lambda: order(row for row in source.rows() if keep(row)))
        return Result(columns, rows)

    def _source(self) -> Result:
        if self._accept("("):
            inner = self.select()
            self._expect(")")
            self._alias()
            return inner
        owner, name = self._user, self._name()
        if self._accept("."):
            owner, name = name, self._name()
        self._alias()
        if name == "DUAL":
            return Result((Column("DUMMY", types.varchar2(1)),), lambda: [("X",)])
        for table in self._tables:
            if (table.owner, table.name) == (owner, name):
                return Result(table.columns, table.every_row)
        raise OracleError(942, "table or view does not exist")

    def _alias(self) -> None:
        token = self.next()
        if token and token.kind in ("word", "quoted") and token.text.upper() not in KEYWORDS:
            self._tokens = self._tokens[1:]

    def _aggregate(self, source: Result) -> tuple[Column, Callable[[list[Row]], object]] | None:
        if self._accept("COUNT"):
            for sign in "(*)":
                self._expect(sign)
            return Column("COUNT(*)", types.number_()), len
        if not self._accept("TO_CHAR"):
            return None
        for word in ("(", "MAX", "("):
            self._expect(word)
        _column, take = self._expression(source)
        for sign in "),":
            self._expect(sign)
        picture = str(self._value())
        if picture == "TM9":
            self._expect(",")
            if self._value() != "NLS_NUMERIC_CHARACTERS='.,'":
                raise OracleError(12702, "invalid NLS parameter string used in SQL function")
        elif picture not in PICTURES:
            raise OracleError(1821, "date format not recognized")
        self._expect(")")

        def highest(rows: list[Row]) -> str | None:
            values: list[Any] = [cell for row in rows if (cell := take(row)) is not None]
            return _as_text(max(values), picture) if values else None

        return Column("TO_CHAR", types.varchar2(64)), highest

    def _items(self, source: Result) -> list[Item]:
        items: list[Item] = []
        while True:
            if self._accept("*"):
                items += [
                    (column, operator.itemgetter(at)) for at, column in enumerate(source.columns)
                ]
            else:
                items.append(self._item(source))
            if not self._accept(","):
                break
        if self._tokens:
            raise OracleError(923, "FROM keyword not found where expected")
        return items

    def _item(self, source: Result) -> Item:
        column, take = self._expression(source)
        if self._accept("AS") or (self.next() and self._tokens[0].kind == "quoted"):
            column = replace(column, name=self._name())
        return column, take

    def _expression(self, source: Result) -> Item:
        token = self.next()
        assert token is not None
        if token.kind in ("number", "text"):
            value = self._value()
            type_ = types.number_() if token.kind == "number" else types.varchar2(len(str(value)))
            return Column(token.text, type_), lambda _row: value
        if token.text.upper() not in FUNCTIONS:
            return self._column(source)
        convert = FUNCTIONS[self._name()]
        self._expect("(")
        self._accept("CONTENT")
        column, take = self._expression(source)
        if self._accept("RETURNING") or self._accept("AS"):
            self._expect("CLOB")
        self._expect(")")
        made, change = convert(column)
        return made, lambda row: None if (value := take(row)) is None else change(value)

    def _column(self, source: Result) -> Item:
        name = self._name()
        if self._accept("."):
            name = self._name()
        for at, column in enumerate(source.columns):
            if column.name == name:
                return column, operator.itemgetter(at)
        raise OracleError(904, f'"{name}": invalid identifier')

    def _where(self, source: Result) -> Callable[[Row], bool]:
        tests: list[Callable[[Row], bool]] = []
        if self._accept("WHERE"):
            tests.append(self._comparison(source))
            while self._accept("AND"):
                tests.append(self._comparison(source))
        return lambda row: all(test(row) for test in tests)

    def _comparison(self, source: Result) -> Callable[[Row], bool]:
        _column, take = self._expression(source)
        if self._accept("IS"):
            null = not self._accept("NOT")
            self._expect("NULL")
            return lambda row: (take(row) is None) is null
        sign = self._tokens.pop(0).text if self._tokens else ""
        if sign not in COMPARISONS:
            raise OracleError(920, "invalid relational operator")
        value = self._value()
        compare = COMPARISONS[sign]
        return lambda row: (cell := take(row)) is not None and compare(cell, value)

    def _order(self, source: Result) -> Callable[[Iterable[Row]], Iterable[Row]]:
        if not self._accept("ORDER"):
            return lambda rows: rows
        self._expect("BY")
        _column, take = self._column(source)
        return partial(_sorted, take)

    def _value(self) -> object:
        token = self._tokens.pop(0)
        if token.text == "-":
            number = self._value()
            assert isinstance(number, int | Decimal)
            return -number
        if token.text in MOMENTS:
            self._expect("(")
            text = str(self._value())
            self._expect(",")
            picture = PICTURES[str(self._value())]
            self._expect(")")
            # Python has six digits of a fraction where Oracle has nine.
            shortened = re.sub(r"(\.[0-9]{6})[0-9]+", r"\1", text)
            return dt.datetime.strptime(shortened, picture)  # noqa: DTZ007 - as Oracle's
        if token.kind == "number":
            return Decimal(token.text) if "." in token.text else int(token.text)
        if token.kind == "text":
            return token.text[1:-1].replace("''", "'")
        if token.kind == "bind":
            return self._binds.pop(0)
        raise OracleError(936, "missing expression")

    def _name(self) -> str:
        token = self.next()
        if token is None or token.kind not in ("word", "quoted"):
            raise OracleError(936, "missing expression")
        self._tokens = self._tokens[1:]
        return token.text[1:-1] if token.kind == "quoted" else token.text.upper()

    def _accept(self, word: str) -> bool:
        token = self.next()
        if token is None or token.kind in ("quoted", "text") or token.text.upper() != word:
            return False
        self._tokens = self._tokens[1:]
        return True

    def _expect(self, word: str) -> None:
        if not self._accept(word):
            raise OracleError(900, "invalid SQL statement")


KEYWORDS = ("WHERE", "ORDER", "AND", "UNION", "GROUP", "FOR")


def _sorted(take: Callable[[Row], Any], rows: Iterable[Row]) -> Iterable[Row]:
    return sorted(rows, key=take)


def _as_text(value: object, picture: str) -> str:
    if isinstance(value, dt.datetime):
        nanoseconds = "000" if picture.endswith("FF9") else ""
        return f"{value.strftime(PICTURES[picture])}{nanoseconds}"
    return f"{Decimal(str(value)):f}"


def _extract_utc(column: Column) -> tuple[Column, Callable[[object], object]]:
    def convert(value: object) -> object:
        assert isinstance(value, dt.datetime)
        return value.astimezone(dt.UTC).replace(tzinfo=None)

    return replace(column, type=types.timestamp(column.type.scale)), convert


def _as_clob(column: Column) -> tuple[Column, Callable[[object], object]]:
    return replace(column, type=types.CLOB), str


FUNCTIONS = {"SYS_EXTRACT_UTC": _extract_utc, "JSON_SERIALIZE": _as_clob, "XMLSERIALIZE": _as_clob}
