"""Summaries written as SQL: groups and their measures, sorted and cut into pages."""

from services.records.ddl import table_name
from services.records.domain import Table
from services.records.query import statement
from services.records.query.summary import Aggregate, Grouping, Measure, Summary, Unit, place
from services.records.query.texts import composed
from shared.store.conditions import literal
from shared.values.types import FLOAT_TYPES, INTEGER_TYPES, TypeName

ROW = statement.ROW
GROUPS = "_g"
COUNTS = (Aggregate.COUNT, Aggregate.COUNT_DISTINCT)


def page(summary: Summary, table: Table, binds: statement.Binds) -> str:
    """One row: `items` (JSON text of up to limit groups), `last`, and `groups`, the number of all.

    `last` is a JSON text of the sort values of the last item, as texts, where there are more.
    """
    condition = statement.where(summary.selection, table, binds)
    parts: list[Grouping | Measure] = [*summary.groupings, *summary.measures]
    expressions = [_group(part) if isinstance(part, Grouping) else _measure(part) for part in parts]
    selected = ", ".join(
        f"{each} AS {place(number)}" for number, each in enumerate(expressions, start=1)
    )
    grouped = ", ".join(str(number) for number, _ in enumerate(summary.groupings, start=1))
    # Not json_build_object, whose objects are full of blanks. Words hold nothing to escape.
    members = " || ',' || ".join(
        literal(f'"{part.word}":') + f" || coalesce({_json(part, number, summary)}, 'null')"
        for number, part in enumerate(parts, start=1)
    )
    keys = ", ".join(f"{statement.reference(key.column)}::text" for key in summary.order)
    after = summary.after and statement.after(summary.order, summary.after, binds)
    limit = summary.limit
    return (
        f"WITH {GROUPS} AS MATERIALIZED (SELECT {selected} FROM {table_name(table.name)} {ROW}"  # noqa: S608
        f"{condition}{f' GROUP BY {grouped}' if grouped else ''})"
        f" SELECT '[' || coalesce(array_to_string((array_agg(_q.item))[:{limit}], ','), '')"
        " || ']' AS items,"
        f" CASE WHEN count(*) > {limit} THEN (array_agg(_q.keys))[{limit}]::text END AS last,"
        f" (SELECT count(*) FROM {GROUPS}) AS groups FROM (SELECT '{{' || {members} || '}}'"
        f" AS item, json_build_array({keys}) AS keys FROM {GROUPS} {ROW}"
        f"{f' WHERE {after}' if after else ''}{statement.order_by(summary.order)}"
        f" LIMIT {limit + 1}) _q"
    )


def _json(part: Grouping | Measure, number: int, summary: Summary) -> str:
    value = f"{ROW}.{place(number)}"
    counts = isinstance(part, Measure) and part.aggregate in COUNTS
    cast = None if counts else statement.CASTS[summary.numbers].get(part.type.name)
    return f"to_json({value}::{cast})::text" if cast else f"to_json({value})::text"


def _group(grouping: Grouping) -> str:
    value, kind = statement.reference(grouping.column), grouping.column.type.name
    if grouping.unit is not None:
        return _cut(value, kind, grouping.unit)
    if grouping.column.is_text:
        # Filters find a text however it is composed, so its group is one.
        return composed(f"{value}::text")
    return f"{value}::jsonb" if kind is TypeName.JSON else value


def _cut(value: str, kind: TypeName, unit: Unit) -> str:
    if kind is TypeName.TIMESTAMPTZ:
        return f"date_trunc('{unit}', {value}, 'UTC')"
    if kind is TypeName.DATE:
        return f"date_trunc('{unit}', {value}::timestamp)::date"
    return f"date_trunc('{unit}', {value})"


def _measure(measure: Measure) -> str:
    if measure.column is None:
        return "count(*)"
    value, kind = statement.reference(measure.column), measure.column.type.name
    name = measure.aggregate.value
    if measure.aggregate is Aggregate.COUNT_DISTINCT:
        if measure.column.is_text:
            value = composed(f"{value}::text")
        elif kind is TypeName.JSON:
            value = f"{value}::jsonb"
        return f"count(DISTINCT {value})"
    if measure.aggregate in (Aggregate.MIN, Aggregate.MAX):
        return (
            f'{name}({value}::text COLLATE "C")' if measure.column.is_text else f"{name}({value})"
        )
    if kind in FLOAT_TYPES:
        return f"{name}({value}::double precision)"
    if measure.aggregate is Aggregate.AVG and (kind in INTEGER_TYPES or kind is TypeName.NUMERIC):
        return f"trim_scale({name}({value}))"
    return f"{name}({value})"
