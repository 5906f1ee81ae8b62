"""The newer rows of an Oracle table or query, and how far they go, in one READ ONLY transaction.

A cursor is written as Oracle has it, to the nanosecond; one of instants is in UTC.
"""

import calendar
import re
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Context, Decimal
from typing import Any

import oracledb

from services.ingest.plan.source_columns import SourceColumn
from services.ingest.read.oracle.frames import OracleRows, quoted
from services.ingest.read.since import NUMBERS, Since, Span, cursor_column
from shared.values.grammar import Digits, read
from shared.values.intervals import Interval, read_duration
from shared.values.types import ColumnType, TypeName

DAY = "DATE"
"""Oracle's type without fractions of seconds."""
EXACT = Context(prec=300)
"""Digits enough for the difference of any two numbers of Oracle, which end at 1e126."""
_MOMENT = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,9}))?(?:\+00)?", re.ASCII
)
_CLOCK = "YYYY-MM-DD HH24:MI:SS"


async def newer_rows(rows: OracleRows, since: Since) -> tuple[OracleRows, Span]:
    """The rows beyond the cursor, of the same transaction.

    Raises InvalidInputError where the column cannot be a cursor, and SourceUnusableError.
    """
    cursor = _Cursor(cursor_column(rows, since.column))
    condition = f"{cursor.name} IS NOT NULL"
    after = None if since.after is None else cursor.written(since.after)
    if after is not None:
        bound = after if since.lookback is None else cursor.before(after, since.lookback)
        condition = f"{cursor.name} {'>=' if since.inclusive else '>'} {cursor.literal(bound)}"
    within = f"(SELECT * FROM {rows.from_clause} WHERE {condition})"  # noqa: S608 - quoted
    highest = await rows.session.run(_one(f"SELECT {cursor.highest} FROM {within}"))  # noqa: S608
    nulls = await rows.session.run(
        _one(f"SELECT COUNT(*) FROM {rows.from_clause} WHERE {cursor.name} IS NULL")  # noqa: S608
    )
    values = [cursor.written(value) for value in (after, highest) if value is not None]
    up_to = max(values, key=cursor.order, default=None)
    return replace(rows, from_clause=within), Span(up_to, int(nulls or 0))


@dataclass(frozen=True, slots=True)
class _Cursor:
    """Values of one column: as texts that go from run to run, and as SQL."""

    column: SourceColumn

    @property
    def name(self) -> str:
        return quoted(self.column.name)

    @property
    def kind(self) -> TypeName:
        assert self.column.type is not None
        return self.column.type.name

    @property
    def is_number(self) -> bool:
        return self.kind in NUMBERS

    @property
    def highest(self) -> str:
        """The highest value, as SQL that makes a text of it."""
        if self.is_number:
            # `TM9` is every digit; the session's own separators must not get into it.
            return f"TO_CHAR(MAX({self.name}), 'TM9', 'NLS_NUMERIC_CHARACTERS=''.,''')"
        if self.kind is TypeName.TIMESTAMPTZ:
            return f"TO_CHAR(MAX(SYS_EXTRACT_UTC({self.name})), '{_CLOCK}.FF9')"
        fraction = "" if self.column.spelled == DAY else ".FF9"
        return f"TO_CHAR(MAX({self.name}), '{_CLOCK}{fraction}')"

    def written(self, value: str) -> str:
        """A value in the one form that cursors have; `check_since` has seen those of people."""
        if self.is_number:
            return str(_number(self.kind, value))
        match = _MOMENT.fullmatch(value)
        if match is None:
            moment = read(ColumnType(name=self.kind), value)
            assert isinstance(moment, datetime)
            match = _MOMENT.fullmatch(moment.isoformat(sep=" "))
        assert match is not None
        fraction = (match[2] or "").rstrip("0")
        zone = "+00" if self.kind is TypeName.TIMESTAMPTZ else ""
        return f"{match[1]}{'.' if fraction else ''}{fraction}{zone}"

    def before(self, value: str, lookback: str) -> str:
        """A written value less a distance that `check_since` has seen."""
        if self.is_number:
            number, distance = _number(self.kind, value), _number(TypeName.NUMERIC, lookback)
            return str(EXACT.subtract(number, distance))
        length = read_duration(lookback)
        assert length is not None
        # What is finer than microseconds is cut off, so that the run begins earlier.
        moment = datetime.fromisoformat(value.removesuffix("+00")[:26])
        return self.written(_earlier(moment, length).isoformat(sep=" "))

    def literal(self, value: str) -> str:
        """A written value as SQL: digits in a form of ours."""
        if self.is_number:
            return value
        if self.kind is TypeName.TIMESTAMPTZ:
            moment = value.removesuffix("+00")
            return f"TO_TIMESTAMP_TZ('{moment} +00:00', '{_CLOCK}{_ff(moment)} TZH:TZM')"
        if self.column.spelled == DAY and "." not in value:
            return f"TO_DATE('{value}', '{_CLOCK}')"
        return f"TO_TIMESTAMP('{value}', '{_CLOCK}{_ff(value)}')"

    def order(self, value: str) -> Decimal | str:
        """By what written values are compared."""
        # A fraction is behind none, as the longer text is.
        return Decimal(value) if self.is_number else value.removesuffix("+00")


def _ff(moment: str) -> str:
    return ".FF9" if "." in moment else ""


def _number(kind: TypeName, text: str) -> Decimal:
    value = read(ColumnType(name=kind), text)
    if isinstance(value, int):
        return Decimal(value)
    assert isinstance(value, Digits)
    digits = tuple(map(int, value.digits)) or (0,)
    return Decimal((int(value.minus), digits, value.exponent))


def _earlier(moment: datetime, length: Interval) -> datetime:
    """As PostgreSQL subtracts: months first, the day held to the month's last; at least year 1."""
    months = moment.year * 12 + moment.month - 1 - length.months
    year, month = divmod(months, 12)
    if year < 1:
        return moment.replace(year=1, month=1, day=1)
    day = min(moment.day, calendar.monthrange(year, month + 1)[1])
    whole = moment.replace(year=year, month=month + 1, day=day)
    try:
        return whole - timedelta(days=length.days, microseconds=length.microseconds)
    except OverflowError:
        return moment.replace(year=1, month=1, day=1)


def _one(sql: str) -> Callable[[oracledb.AsyncConnection], Coroutine[Any, Any, str | None]]:
    """The one value of a query, as a text."""

    async def fetch(connection: oracledb.AsyncConnection) -> str | None:
        with connection.cursor() as cursor:
            await cursor.execute(sql)
            row = await cursor.fetchone()
        return None if row is None or row[0] is None else str(row[0])

    return fetch
