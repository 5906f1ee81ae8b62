"""Exports as COPY statements: the same filters, another way out."""

from collections.abc import Sequence
from enum import StrEnum

from services.records.ddl import literal, table_name
from services.records.domain import Column, Table
from services.records.query import statement
from services.records.query.plan import Selection, SortKey
from shared.store.identifiers import quoted
from shared.values.types import TypeName


class ExportFormat(StrEnum):
    """What a file of an export is."""

    CSV = "csv"
    NDJSON = "ndjson"
    JSON = "json"
    PARQUET = "parquet"


FORMULA_STARTS = "^[=+@\\t\\r-]"


def rows_of(
    table: Table,
    selection: Selection,
    fields: Sequence[Column],
    order: Sequence[SortKey],
    binds: statement.Binds,
    *,
    as_json: bool,
    excel_safe: bool = False,
) -> str:
    """The SELECT behind a COPY; with `as_json`, one text per row."""
    condition = statement.where(selection, table, binds)
    source = f"FROM {table_name(table.name)} {statement.ROW}{condition}{statement.order_by(order)}"
    if as_json:
        return f"SELECT row_to_json(_r) FROM (SELECT {statement.selected(fields)} {source}) _r"  # noqa: S608
    listed = ", ".join(_cell(column, excel_safe=excel_safe) for column in fields)
    return f"SELECT {listed} {source}"


def _cell(column: Column, *, excel_safe: bool) -> str:
    value = statement.reference(column)
    if excel_safe and (column.is_text or column.type.name is TypeName.JSON):
        text = f"{value}::text"
        value = f"CASE WHEN {text} ~ {literal(FORMULA_STARTS)} THEN '''' || {text} ELSE {text} END"
    return f"{value} AS {quoted(column.name)}"
