"""Exports as COPY statements: the same filters, another way out."""

from collections.abc import Sequence
from enum import StrEnum

from services.records.ddl import table_name
from services.records.domain import Column, Table
from services.records.query import statement
from services.records.query.plan import Numbers, Selection, SortKey
from shared.store.conditions import literal
from shared.store.identifiers import quoted
from shared.values.texts import FORMULA_STARTS
from shared.values.types import TIMESTAMP_TYPES, TypeName

MAY_BE_INFINITE = TIMESTAMP_TYPES | {TypeName.DATE}


class ExportFormat(StrEnum):
    """What a file of an export is."""

    CSV = "csv"
    NDJSON = "ndjson"
    JSON = "json"
    PARQUET = "parquet"
    ARROW = "arrow"
    XLSX = "xlsx"


SHEET_ROWS = 1_048_575
"""What Excel has below a header."""
SHEET_CELL = 32_767
"""The longest text of a cell in Excel, in UTF-16 code units."""
CELL_OVERHEAD_BYTES = 80
"""The most that a cell takes in XML beside its text."""
ESCAPED_BYTES = 7
"""The most that a byte takes once it is escaped."""


def rows_of(
    table: Table,
    selection: Selection,
    fields: Sequence[Column],
    order: Sequence[SortKey],
    binds: statement.Binds,
    *,
    as_json: Numbers | None,
    excel_safe: bool = False,
) -> str:
    """The SELECT behind a COPY; with `as_json`, one text per row, its numbers in this form."""
    condition = statement.where(selection, table, binds)
    source = f"FROM {table_name(table.name)} {statement.ROW}{condition}{statement.order_by(order)}"
    if as_json is not None:
        selected = statement.selected(fields, as_json)
        return f"SELECT row_to_json(_r) FROM (SELECT {selected} {source}) _r"  # noqa: S608
    listed = ", ".join(_cell(column, excel_safe=excel_safe) for column in fields)
    return f"SELECT {listed} {source}"


def sheet_size(
    table: Table, selection: Selection, fields: Sequence[Column], binds: statement.Binds
) -> str:
    """One row that says how large a sheet would be.

    `rows` (one too many at most), `bytes` at most, and `too_long`, an array of the columns that
    hold a text too long for a cell.
    """
    condition = statement.where(selection, table, binds)
    texts = {column.name: text for column in fields if (text := _long_text(column)) is not None}
    longest = ", ".join(
        f"CASE WHEN bool_or({_is_too_long(text)}) THEN {literal(name)} END"
        for name, text in texts.items()
    )
    lengths = " + ".join(f"coalesce(octet_length({text}), 0)" for text in texts.values()) or "0"
    return (
        f"SELECT count(*) AS rows, coalesce(sum({lengths}), 0)::bigint * {ESCAPED_BYTES}"  # noqa: S608
        f" + count(*) * {len(fields) * CELL_OVERHEAD_BYTES} AS bytes,"
        f" array_remove(ARRAY[{longest}]::text[], NULL) AS too_long"
        f" FROM (SELECT {statement.ROW}.* FROM {table_name(table.name)} {statement.ROW}{condition}"
        f" LIMIT {SHEET_ROWS + 1}) {statement.ROW}"
    )


def infinite(
    table: Table, selection: Selection, fields: Sequence[Column], binds: statement.Binds
) -> str | None:
    """One row, `names`: the columns of days and moments that hold an infinity.

    None where there is no such column.
    """
    columns = [column for column in fields if column.type.name in MAY_BE_INFINITE]
    if not columns:
        return None
    condition = statement.where(selection, table, binds)
    names = ", ".join(
        f"CASE WHEN NOT bool_and(isfinite({statement.reference(column)}))"
        f" THEN {literal(column.name)} END"
        for column in columns
    )
    return (
        f"SELECT array_remove(ARRAY[{names}]::text[], NULL) AS names"  # noqa: S608
        f" FROM {table_name(table.name)} {statement.ROW}{condition}"
    )


def _long_text(column: Column) -> str | None:
    """The text of a cell, for types whose values may be longer than a cell."""
    kind = column.type
    if kind.name is TypeName.NUMERIC and kind.precision is not None:
        return None
    may_be_long = column.is_text or kind.name in (TypeName.JSON, TypeName.BYTEA, TypeName.NUMERIC)
    return f"{statement.reference(column)}::text" if may_be_long else None


def _is_too_long(text: str) -> str:
    # A character of four bytes in UTF-8 is two units of UTF-16.
    units = f"char_length({text}) + regexp_count({text}, '[\\U00010000-\\U0010ffff]')"
    return f"octet_length({text}) > {SHEET_CELL} AND {units} > {SHEET_CELL}"


def _cell(column: Column, *, excel_safe: bool) -> str:
    value = statement.reference(column)
    if excel_safe and (column.is_text or column.type.name is TypeName.JSON):
        text = f"{value}::text"
        starts = literal(f"^[{FORMULA_STARTS}]")
        value = f"CASE WHEN {text} ~ {starts} THEN '''' || {text} ELSE {text} END"
    return f"{value} AS {quoted(column.name)}"
