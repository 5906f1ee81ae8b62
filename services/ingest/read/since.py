"""The part of a source's rows that lies beyond a value of one of its columns."""

from dataclasses import dataclass

from services.ingest.plan.source_columns import Columns, SourceColumn
from shared.errors import InvalidInputError
from shared.values.faults import Fault
from shared.values.grammar import read
from shared.values.instants import Infinity
from shared.values.intervals import read_duration
from shared.values.types import ColumnType, TypeName

NUMBERS = frozenset({TypeName.SMALLINT, TypeName.INTEGER, TypeName.BIGINT, TypeName.NUMERIC})
TIMES = frozenset({TypeName.DATE, TypeName.TIMESTAMP, TypeName.TIMESTAMPTZ})
ANY_NUMBER = ColumnType(name=TypeName.NUMERIC)


@dataclass(frozen=True, slots=True)
class Since:
    """Rows whose `column` is `after` a value, or (`inclusive`) equal to it; None: every value.

    `lookback` lies before `after`: a number, or an ISO 8601 duration.
    """

    column: str
    after: str | None
    inclusive: bool
    lookback: str | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """The part that was read: the highest value in it, and how many rows have none."""

    up_to: str | None
    nulls: int


def cursor_column(source: Columns, name: str) -> SourceColumn:
    """The column of this name, if its values can be a cursor; raises InvalidInputError."""
    exact = [column for column in source.columns if column.name == name]
    folded = [column for column in source.columns if column.name.casefold() == name.casefold()]
    columns = exact or (folded if source.ways.case_blind else [])
    if len(columns) != 1:
        raise InvalidInputError.of(
            "incremental.column", "unknown_column", f"the source has no column {name}"
        )
    column = columns[0]
    if column.type is None or column.type.name not in NUMBERS | TIMES:
        spelled = column.spelled or "another type"
        raise InvalidInputError.of(
            "incremental.column",
            "no_order",
            f"{name} is {spelled}; a cursor is a whole number, NUMERIC, DATE or TIMESTAMP",
        )
    return column


def check_since(
    column: SourceColumn,
    *,
    value: str | None,
    lookback: str | None,
    field: str = "incremental.start",
) -> None:
    """Refuse what is no value of the column, or no distance; raises InvalidInputError."""
    assert column.type is not None
    kind = column.type.name
    # A cursor at infinity would be the last one.
    no_value = (Fault, Infinity)
    if value is not None and isinstance(read(ColumnType(name=kind), value), no_value):
        raise InvalidInputError.of(
            field, "type_mismatch", f"{value!r} is no value of {column.name} ({kind})"
        )
    if lookback is None:
        return
    if kind in TIMES:
        length = read_duration(lookback)
        if length is None or not length.fits or not length.is_positive or lookback[0] != "P":
            raise InvalidInputError.of(
                "incremental.lookback", "invalid_duration", "give an ISO 8601 duration, as PT1H"
            )
    elif lookback.startswith("-") or isinstance(read(ANY_NUMBER, lookback), Fault):
        raise InvalidInputError.of(
            "incremental.lookback", "type_mismatch", "give a number that is not negative"
        )
