"""Plans written as SQL: every name quoted, every value a bind parameter that travels as text."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from services.records.ddl import table_name
from services.records.domain import ID, Column, Table
from services.records.query.plan import Filter, Listing, Numbers, Operator, Selection, SortKey
from services.records.query.texts import Accents, composed, folded, forms, sort_keys
from services.records.query.values import is_day
from shared.store.identifiers import quoted
from shared.values.names import unlimited_name
from shared.values.types import TypeName

# No column of a user's can begin with an underscore, so these aliases meet none.
ROW = "_d"
KEYS = "_k"

CASTS: Mapping[Numbers, Mapping[TypeName, str]] = {
    Numbers.JSON: {TypeName.JSON: "jsonb"},
    Numbers.TEXT: {TypeName.JSON: "jsonb", TypeName.BIGINT: "text", TypeName.NUMERIC: "text"},
}


@dataclass
class Binds:
    """The parameters of a statement in the making."""

    values: list[object] = field(default_factory=list)

    def text(self, value: str) -> str:
        """A text parameter."""
        self.values.append(value)
        return f"${len(self.values)}::text"

    def texts(self, values: Sequence[str]) -> str:
        """An array of texts."""
        self.values.append(list(values))
        return f"${len(self.values)}::text[]"

    def number(self, value: int) -> str:
        """A whole number."""
        self.values.append(value)
        return f"${len(self.values)}::bigint"


def reference(column: Column) -> str:
    """A column of the row at hand."""
    return _reference(column.name)


def selected(columns: Sequence[Column], numbers: Numbers = Numbers.JSON) -> str:
    """A select list whose rows PostgreSQL turns into JSON objects.

    JSON is cast to jsonb (nothing for a jsonb column), so that no element of an answer holds a
    line break: `services.records.repository.rows` cuts there.
    """
    return selected_of(ROW, columns, numbers)


def selected_of(alias: str, columns: Sequence[Column], numbers: Numbers) -> str:
    """The same for the rows of another alias."""
    casts = CASTS[numbers]
    return _select_list(
        alias, tuple([(column.name, casts.get(column.type.name)) for column in columns])
    )


def where(selection: Selection, table: Table, binds: Binds, *more: str) -> str:
    """A WHERE clause, empty when it selects everything."""
    conditions = [CONDITIONS[each.operator](each, binds) for each in selection.filters]
    if selection.search is not None:
        conditions.append(_search(selection, table, binds))
    conditions.extend(more)
    return f" WHERE {' AND '.join(conditions)}" if conditions else ""


def order_by(order: Sequence[SortKey]) -> str:
    """An ORDER BY clause; NULLs are the largest, as PostgreSQL has it by default."""
    return " ORDER BY " + ", ".join(
        each + (" DESC" if key.descending else "")
        for key in order
        for each in _keys(key, reference(key.column))
    )


def page(
    listing: Listing, table: Table, binds: Binds, expanded: Sequence[tuple[str, str]] = ()
) -> str:
    """One row: `items` (JSON text of up to limit + 1 rows), how many `rows` that is, and `last`.

    `last` is a JSON text of the sort values, as texts, of the row at `limit`; null for a shorter
    page. It is null too in the order of `id` alone, where it can be read off the last item: to
    have it from PostgreSQL would cost a quarter of the page. `expanded` are further members of
    each record: names and expressions.
    """
    more = [after(listing.order, listing.after, binds)] if listing.after is not None else []
    source = f"FROM {table_name(table.name)} {ROW}"
    condition = where(listing.selection, table, binds, *more)
    # A number in the statement, not a parameter: with an unknown limit PostgreSQL trusts no
    # generic plan, and plans every page anew, which takes as long as reading it.
    tail = f"{condition}{order_by(listing.order)} LIMIT {listing.limit + 1}"
    if listing.offset:
        tail += f" OFFSET {binds.number(listing.offset)}"
    columns = selected(listing.fields, listing.numbers)
    if expanded:
        members = (f"{expression} AS {quoted(name)}" for name, expression in expanded)
        columns = ", ".join([columns, *members])
    if is_by_id(listing.order):
        return (
            "SELECT coalesce(json_agg(_r), '[]')::text AS items, count(*) AS rows,"  # noqa: S608
            f" NULL::text AS last FROM (SELECT {columns} {source}{tail}) _r"
        )
    keys = ", ".join(f"{reference(key.column)}::text" for key in listing.order)
    own = [column.name for column in listing.fields]
    names = _names((*own, *(name for name, _ in expanded)))
    return (
        "SELECT coalesce(json_agg(_r), '[]')::text AS items, count(*) AS rows,"  # noqa: S608
        f" (array_agg(_q.{KEYS}))[{listing.limit}]::text AS last"
        f" FROM (SELECT {columns}, json_build_array({keys}) AS {KEYS}"
        f" {source}{tail}) _q CROSS JOIN LATERAL (SELECT {names}) _r"
    )


def is_by_id(order: Sequence[SortKey]) -> bool:
    """Whether an order is that of `id` alone."""
    return len(order) == 1 and order[0].column.name == ID.name


def after(order: Sequence[SortKey], values: Sequence[str | None], binds: Binds) -> str:
    """The condition that a row stands behind the row with these sort values."""
    first = values[0]
    if is_by_id(order) and first is not None:
        sign = "<" if order[0].descending else ">"
        return f"{reference(ID)} {sign} {_value(ID, first, binds)}"
    alternatives: list[str] = []
    equal: list[str] = []
    passed: list[tuple[SortKey, str | None]] = []  # PostgreSQL takes no parameter that nothing uses
    for key, value in zip(order, values, strict=True):
        behind = _behind(key, value, binds)
        if behind is not None:
            equal.extend([_same(*each, binds) for each in passed])
            passed.clear()
            alternatives.append(" AND ".join([*equal, behind]))
        passed.append((key, value))
    bound = _behind_or_same(order[0], values[0], binds)
    return f"({bound}) AND ({' OR '.join(f'({each})' for each in alternatives) or 'false'})"


def _keys(key: SortKey, value: str) -> Sequence[str]:
    """What is compared for a value, the first difference deciding."""
    if not key.column.is_text:
        return (value,)
    text = f"{value}::text" if key.column.type.name is TypeName.CHAR else value
    return (f'{text} COLLATE "C"',) if key.by_code else sort_keys(text)


def _behind(key: SortKey, value: str | None, binds: Binds) -> str | None:
    column = reference(key.column)
    may_be_null = key.column.nullable and key.column.name != ID.name
    if value is None:
        return f"{column} IS NOT NULL" if key.descending else None
    bound = _value(key.column, value, binds)
    if key.descending:
        return _compared(key, "<", bound)
    behind = _compared(key, ">", bound)
    return f"({behind} OR {column} IS NULL)" if may_be_null else behind


def _same(key: SortKey, value: str | None, binds: Binds) -> str:
    column = reference(key.column)
    return (
        f"{column} IS NULL" if value is None else f"{column} = {_value(key.column, value, binds)}"
    )


def _behind_or_same(key: SortKey, value: str | None, binds: Binds) -> str:
    # Implied by the alternatives, but an index can be entered with it.
    column = reference(key.column)
    if value is None:
        return "true" if key.descending else f"{column} IS NULL"
    bound = _value(key.column, value, binds)
    if key.descending:
        return _compared(key, "<=", bound)
    may_be_null = key.column.nullable and key.column.name != ID.name
    behind = _compared(key, ">=", bound)
    return f"{behind} OR {column} IS NULL" if may_be_null else behind


def _compared(key: SortKey, sign: str, bound: str) -> str:
    own, others = _keys(key, reference(key.column)), _keys(key, bound)
    if len(own) == 1:
        return f"{own[0]} {sign} {others[0]}"
    return f"({', '.join(own)}) {sign} ({', '.join(others)})"


def _value(column: Column, text: str, binds: Binds) -> str:
    name = unlimited_name(column.type)
    bound = binds.text(text)
    return bound if name == "text" else f"{bound}::{name}"


def _search(selection: Selection, table: Table, binds: Binds) -> str:
    columns = list(table.text_columns())
    if not columns:
        return "false"
    assert selection.search is not None
    words = binds.text(f"%{_plain(selection.search)}%")
    return (
        "("
        + " OR ".join(_like_folded(column, words, selection.accents) for column in columns)
        + ")"
    )


def _like_folded(column: Column, pattern: str, accents: Accents) -> str:
    like = f"{folded(_text(column), accents)} LIKE {folded(pattern, accents)}"
    if accents is Accents.KEEP and column.searchable:
        # The index is on the text without accents.
        ignore = Accents.IGNORE
        like = f"({folded(_text(column), ignore)} LIKE {folded(pattern, ignore)} AND {like})"
    return like


def _text(column: Column) -> str:
    # A CHAR(n) is blank-padded; as text it is not.
    return reference(column) + ("::text" if column.type.name is TypeName.CHAR else "")


def _plain(words: str) -> str:
    return words.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _comparison(operator: Operator, sign: str) -> Callable[[Filter, Binds], str]:
    def condition(each: Filter, binds: Binds) -> str:
        column, text = reference(each.column), each.texts[0]
        if is_day(each.column, text):
            # The day as a whole: what is later than it begins with the next one.
            sign_of_day, days = DAYS[operator]
            return f"{column} {sign_of_day} {_day(each.column, text, binds, days)}"
        return f"{column} {sign} {_value(each.column, text, binds)}"

    return condition


def _day(column: Column, text: str, binds: Binds, days: int = 0) -> str:
    return f"({binds.text(text)}::date + {days})::{unlimited_name(column.type)}"


def _on_day(column: Column, text: str, binds: Binds) -> str:
    begin, end = _day(column, text, binds), _day(column, text, binds, 1)
    return f"{reference(column)} >= {begin} AND {reference(column)} < {end}"


def _equality(each: Filter, binds: Binds) -> str:
    if is_day(each.column, each.texts[0]):
        return _on_day(each.column, each.texts[0], binds)
    texts = forms(each.texts[0]) if each.column.is_text else each.texts
    if len(texts) == 1:
        return f"{reference(each.column)} = {_value(each.column, texts[0], binds)}"
    return _among(each.column, texts, binds)


def _inequality(each: Filter, binds: Binds) -> str:
    # A row without a value is not equal to any value.
    if is_day(each.column, each.texts[0]):
        return f"({_on_day(each.column, each.texts[0], binds)}) IS NOT TRUE"
    texts = forms(each.texts[0]) if each.column.is_text else each.texts
    if len(texts) == 1:
        value = _value(each.column, texts[0], binds)
        return f"{reference(each.column)} IS DISTINCT FROM {value}"
    return f"({_among(each.column, texts, binds)}) IS NOT TRUE"


def _membership(each: Filter, binds: Binds) -> str:
    texts = each.texts
    if each.column.is_text:
        texts = tuple(form for text in texts for form in forms(text))
    days = [text for text in texts if is_day(each.column, text)]
    if not days:
        return _among(each.column, texts, binds)
    moments = [text for text in texts if text not in days]
    conditions = [f"({_on_day(each.column, day, binds)})" for day in days]
    return f"({' OR '.join([*conditions, _among(each.column, moments, binds)])})"


def _among(column: Column, texts: Sequence[str], binds: Binds) -> str:
    return f"{reference(column)} = ANY ({binds.texts(texts)}::{unlimited_name(column.type)}[])"


def _pattern(template: str) -> Callable[[Filter, Binds], str]:
    def condition(each: Filter, binds: Binds) -> str:
        text = _text(each.column)
        patterns = [binds.text(template.format(_plain(form))) for form in forms(each.texts[0])]
        # As stored, so that an index helps; then composed, so that no half of a letter is found.
        stored = " OR ".join(f"{text} LIKE {pattern}" for pattern in patterns)
        found = f"({stored}) AND {composed(text)} LIKE {composed(patterns[0])}"
        if each.column.searchable:
            ignore = Accents.IGNORE
            found += f" AND {folded(text, ignore)} LIKE {folded(patterns[0], ignore)}"
        return found

    return condition


def _folded_pattern(each: Filter, binds: Binds) -> str:
    pattern = binds.text(f"%{_plain(each.texts[0])}%")
    return _like_folded(each.column, pattern, each.accents)


def _nullness(each: Filter, _binds: Binds) -> str:
    return f"{reference(each.column)} IS {'' if each.texts[0] == 'true' else 'NOT '}NULL"


DAYS: Mapping[Operator, tuple[str, int]] = {
    Operator.GT: (">=", 1),
    Operator.GTE: (">=", 0),
    Operator.LT: ("<", 0),
    Operator.LTE: ("<", 1),
}

CONDITIONS: Mapping[Operator, Callable[[Filter, Binds], str]] = {
    Operator.EQ: _equality,
    Operator.NE: _inequality,
    Operator.GT: _comparison(Operator.GT, ">"),
    Operator.GTE: _comparison(Operator.GTE, ">="),
    Operator.LT: _comparison(Operator.LT, "<"),
    Operator.LTE: _comparison(Operator.LTE, "<="),
    Operator.IN: _membership,
    Operator.CONTAINS: _pattern("%{}%"),
    Operator.ICONTAINS: _folded_pattern,
    Operator.STARTSWITH: _pattern("{}%"),
    Operator.ISNULL: _nullness,
}


@lru_cache(maxsize=4096)
def _reference(name: str) -> str:
    return f"{ROW}.{quoted(name)}"


@lru_cache(maxsize=1024)
def _select_list(alias: str, columns: tuple[tuple[str, str | None], ...]) -> str:
    return ", ".join(
        f"{alias}.{quoted(name)}::{cast} AS {quoted(name)}" if cast else f"{alias}.{quoted(name)}"
        for name, cast in columns
    )


@lru_cache(maxsize=1024)
def _names(columns: tuple[str, ...]) -> str:
    return ", ".join(f"_q.{quoted(name)}" for name in columns)
