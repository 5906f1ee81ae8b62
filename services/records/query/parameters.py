"""The query string of lists, bulk changes and exports, read into a plan."""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import parse_qsl, quote, unquote_plus

from services.records.domain import ID, Column, Table, normalised
from services.records.errors import UnknownColumnError
from services.records.query.cursor import values_of
from services.records.query.plan import (
    CODE,
    TEXT_OPERATORS,
    Count,
    Filter,
    Listing,
    Numbers,
    Operator,
    Selection,
    SortKey,
    total_order,
)
from services.records.query.texts import Accents, is_nothing
from services.records.query.values import checked_text
from shared.errors import InvalidInputError
from shared.values.nearest import did_you_mean
from shared.values.numbers import json_text
from shared.values.texts import readable
from shared.values.types import BOOLEAN_WORDS, TRUE_WORDS

DEFAULT_LIMIT = 25
LIMIT = 1000
PAGE_LIMIT = 1_000_000_000
VALUES_LIMIT = 10_000
LIST_PARAMETERS = frozenset(
    {"q", "accents", "fields", "sort", "page", "limit", "cursor", "count", "numbers", "expand"}
)
BULK_PARAMETERS = frozenset({"q", "accents"})
EXPORT_PARAMETERS = frozenset({"q", "accents", "fields", "sort", "format", "excel_safe", "numbers"})
VERB_PARAMETERS = frozenset(
    {"table_name", "page", "limit", "order_by", "order_direction", "search", "accents"}
)

LISTED = frozenset({"fields", "sort", "expand"})
"""Parameters that are lists, as `in` is."""
EVERYTHING = (
    "would reach every record; name a filter that leaves some out, such as `age__gte=18`, or say"
    " that you mean all of them: `id__gte=0`"
)

ONE_VALUE = frozenset({Operator.EQ, Operator.IN, Operator.ISNULL})
"""A row cannot be equal to two values: who sends two of these means either."""
_LISTED = re.compile(r'(?:([^",][^,]*|)|"((?:[^"]|"")*)")(?=,|\Z)')
"""One value of a list, to the comma behind it."""

Pairs = Iterable[tuple[str, str]]
"""Names and values of a query string, in order."""


class Asked(NamedTuple):
    """A query string, parted into parameters and what is left for filters."""

    parameters: Mapping[str, str]
    filters: list[tuple[str, str]]


def parted(pairs: Pairs, known: frozenset[str]) -> Asked:
    """Part parameters from filters; raises InvalidInputError for a parameter given twice."""
    parameters: dict[str, str] = {}
    filters: list[tuple[str, str]] = []
    for name, value in pairs:
        if name not in known:
            # What pages a list must not filter a change: `limit=1` has one meaning.
            if name in LIST_PARAMETERS and known is not VERB_PARAMETERS:
                raise UnknownColumnError.of(
                    name,
                    UnknownColumnError.code,
                    f"this call has no {name}; a column of that name is filtered by `{name}__eq=`",
                )
            filters.append((name, value))
        elif name in parameters:
            raise InvalidInputError.of(name, "given_twice", "give this parameter once")
        else:
            parameters[name] = value
    return Asked(parameters, filters)


def listing_of(table: Table, pairs: Pairs) -> Listing:
    """A list of the resource face; raises InvalidInputError naming the parameter."""
    parameters, filters = parted(pairs, LIST_PARAMETERS)
    order = order_of(table, parameters.get("sort"))
    if "page" in parameters and "cursor" in parameters:
        raise InvalidInputError.of("cursor", "given_twice", "give either page or cursor")
    limit = number(parameters, "limit", DEFAULT_LIMIT, LIMIT)
    page = number(parameters, "page", 1, PAGE_LIMIT)
    cursor = parameters.get("cursor")
    return Listing(
        selection=selection_of(table, filters, parameters),
        fields=fields_of(table, parameters.get("fields")),
        order=order,
        limit=limit,
        offset=(page - 1) * limit,
        after=values_of(cursor, order) if cursor is not None else None,
        count=_count(parameters.get("count", Count.NONE.value)),
        numbers=numbers_of(parameters.get("numbers")),
    )


def verb_listing_of(table: Table, pairs: Pairs) -> tuple[Listing, int]:
    """A list of the verb face, and its page's number; the total is always exact."""
    parameters, filters = parted(pairs, VERB_PARAMETERS)
    limit = number(parameters, "limit", 10, LIMIT)
    page = number(parameters, "page", 1, PAGE_LIMIT)
    direction = parameters.get("order_direction", "ASC").upper()
    if direction not in ("ASC", "DESC"):
        raise InvalidInputError.of("order_direction", "invalid_choice", "send ASC or DESC")
    by = parameters.get("order_by")
    keys = []
    if by:
        key = _sort_key(table, by, of="order_by")
        keys.append(SortKey(key.column, direction == "DESC", key.by_code))
    listing = Listing(
        selection=selection_of(table, filters, parameters, of="search"),
        fields=table.shown,
        order=total_order(keys or [SortKey(ID, direction == "DESC")]),
        limit=limit,
        offset=(page - 1) * limit,
        count=Count.EXACT,
    )
    return listing, page


def selection_of(
    table: Table,
    filters: Iterable[tuple[str, str]],
    parameters: Mapping[str, str],
    *,
    of: str = "q",
) -> Selection:
    """Rows by column filters and a search (the parameter `of`).

    Raises InvalidInputError or UnknownColumnError.
    """
    search = parameters.get(of)
    if search is not None and "\0" in search:
        raise InvalidInputError.of(of, "nul_byte", "leave out the NUL character")
    accents = _accents(parameters.get("accents"))
    compared = tuple(
        (name, _filter(table, name, value, accents or Accents.KEEP)) for name, value in filters
    )
    _refuse_either(compared)
    return Selection(
        filters=tuple(each for _, each in compared),
        search=search or None,
        accents=accents or Accents.IGNORE,
    )


def _refuse_either(filters: Sequence[tuple[str, Filter]]) -> None:
    """Raise InvalidInputError where a column is to be equal to one value and to another."""
    often = Counter(
        (each.column.name, each.operator) for _, each in set(filters) if each.operator in ONE_VALUE
    )
    for name, each in filters:
        if often[each.column.name, each.operator] > 1:
            raise InvalidInputError.of(
                name,
                "given_twice",
                "a record has to pass every filter, and no value is both; for either of them send"
                f" `{each.column.name}__in=` with a comma between",
            )


def restriction_of(table: Table, pairs: Pairs) -> Selection:
    """Rows to be changed or deleted: filters that leave something out.

    An empty variable in somebody's script must not reach every record. Raises InvalidInputError
    naming the filter that rules nothing out, or `filter` where there is none.
    """
    asked = parted(pairs, BULK_PARAMETERS)
    selection = selection_of(table, asked.filters, asked.parameters)
    parameters = [name for name, _ in asked.filters]
    empty = [
        parameter
        for parameter, each in zip(parameters, selection.filters, strict=True)
        if each.rules_nothing_out
    ]
    if is_nothing(asked.parameters.get("q", "-"), selection.accents):
        empty.append("q")
    if empty:
        raise InvalidInputError.of(empty[0], "rules_nothing_out", f"this {EVERYTHING}")
    if selection.is_everything:
        raise InvalidInputError.of("filter", "missing", f"a change without a filter {EVERYTHING}")
    return selection


def order_of(table: Table, sort: str | None) -> tuple[SortKey, ...]:
    """The order of `sort=-age,name`, with `id` at its end."""
    if not sort:
        return (SortKey(ID),)
    keys = [_sort_key(table, word.strip(), of="sort") for word in sort.split(",")]
    for place, key in enumerate(keys):
        if key.column in [before.column for before in keys[:place]]:
            raise InvalidInputError.of(
                "sort", "given_twice", f"{key.column.name} decides once; name it once"
            )
    return total_order(keys)


def _sort_key(table: Table, word: str, *, of: str) -> SortKey:
    name = word[1:] if word[:1] in ("+", "-") else word
    column = column_named(table, name.removesuffix(CODE), of=of)
    by_code = name.endswith(CODE)
    if by_code and not column.is_text:
        raise InvalidInputError.of(
            of, "not_a_text", f"{column.name} is {column.type.spelled()}; {CODE} is for texts"
        )
    return SortKey(column, word.startswith("-"), by_code)


def fields_of(table: Table, fields: str | None) -> tuple[Column, ...]:
    """The columns of `fields=name,age`; `id` comes first, asked for or not."""
    if not fields:
        return table.shown
    names = dict.fromkeys(name.strip() for name in fields.split(","))
    columns = [column_named(table, name, of="fields") for name in names]
    return (ID, *(column for column in columns if column.name != ID.name))


def number(parameters: Mapping[str, str], name: str, default: int, highest: int) -> int:
    """A parameter between 1 and `highest`; raises InvalidInputError."""
    text = parameters.get(name)
    if text is None:
        return default
    if text.isascii() and text.isdigit() and len(text) <= 12 and 1 <= int(text) <= highest:
        return int(text)
    raise InvalidInputError.of(name, "out_of_range", f"send a whole number between 1 and {highest}")


def flag(parameters: Mapping[str, str], name: str) -> bool:
    """A parameter that is true or false, false by default; raises InvalidInputError."""
    text = parameters.get(name, "false")
    if text not in ("true", "false"):
        raise InvalidInputError.of(name, "type_mismatch", "send true or false")
    return text == "true"


def pairs_of_body(body: object) -> list[tuple[str, str]]:
    """The same parameters out of a JSON object, its lists as arrays.

    Raises InvalidInputError naming the member.
    """
    if not isinstance(body, dict):
        raise InvalidInputError.of("body", "type_mismatch", "send an object of parameters")
    return [(name, _parameter(name, value)) for name, value in body.items()]


def _parameter(name: str, value: object) -> str:
    if isinstance(value, list):
        if name not in LISTED and not name.endswith(f"__{Operator.IN}"):
            raise InvalidInputError.of(readable(name), "type_mismatch", "send one value")
        return _as_csv([_scalar(name, each) for each in value])
    return _scalar(name, value)


def _scalar(name: str, value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    if value is None:
        message = "null is no value to compare with; send `column__isnull`"
        raise InvalidInputError.of(readable(name), "type_mismatch", message)
    return json_text(value)


def _as_csv(values: Sequence[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(values)
    return line.getvalue()


def pairs_of(query_string: str) -> list[tuple[str, str]]:
    """Names and values of a query string, blank values kept."""
    return parse_qsl(query_string, keep_blank_values=True)


def next_path(path: str, query_string: str, name: str, value: str) -> str:
    """The same list, further on, in a form that can be followed as it stands."""
    # Percent-encoded already; what a careless client left bare must not end a header or a text.
    kept = [
        quote(part, safe="%=+,:;@!$'()*/?~", encoding="latin-1")
        for part in query_string.split("&")
        if part and unquote_plus(part.partition("=")[0]) not in ("cursor", "page")
    ]
    return f"{path}?{'&'.join([*kept, f'{name}={value}'])}"


def _accents(word: str | None) -> Accents | None:
    if word is None:
        return None
    try:
        return Accents(word)
    except ValueError as exc:
        raise InvalidInputError.of("accents", "invalid_choice", "send ignore or keep") from exc


def numbers_of(word: str | None) -> Numbers:
    """The parameter `numbers`; raises InvalidInputError."""
    try:
        return Numbers(word or Numbers.JSON.value)
    except ValueError as exc:
        raise InvalidInputError.of("numbers", "invalid_choice", "send json or text") from exc


def _count(word: str) -> Count:
    try:
        return Count(word)
    except ValueError as exc:
        raise InvalidInputError.of(
            "count", "invalid_choice", "send none, estimated or exact"
        ) from exc


def column_named(table: Table, name: str, *, of: str) -> Column:
    """A column by the name that the parameter `of` gives; raises UnknownColumnError."""
    column = table.by_name.get(normalised(name))
    if column is None:
        nearest = did_you_mean(name, table.by_name)
        message = f"{of}: the table {table.name!r} has no column {name[:80]!r}{nearest}"
        raise UnknownColumnError.of(of, UnknownColumnError.code, message)
    return column


def _filter(table: Table, parameter: str, value: str, accents: Accents) -> Filter:
    name, _, word = parameter.rpartition("__")
    operators: Mapping[str, Operator] = Operator._value2member_map_  # type: ignore[assignment]
    operator = operators.get(word)
    column = table.by_name.get(normalised(name)) if operator else None
    if operator is None or column is None:
        operator, column = Operator.EQ, table.by_name.get(normalised(parameter))
    if column is None:
        if name and table.by_name.get(normalised(name)) is not None:
            known = ", ".join(Operator)
            raise InvalidInputError.of(
                parameter, "unknown_operator", f"{word[:80]!r} is no operator; use one of {known}"
            )
        raise UnknownColumnError.of(
            parameter,
            UnknownColumnError.code,
            f"the table {table.name!r} has no column for this; a filter is `column=` or"
            f" `column__operator=`{did_you_mean(name or parameter, table.by_name)}",
        )
    return Filter(column, operator, _texts(column, operator, parameter, value), accents)


def _texts(column: Column, operator: Operator, parameter: str, value: str) -> tuple[str, ...]:
    if operator is Operator.IN:
        return _several(column, parameter, value)
    if operator is Operator.ISNULL:
        return (_whether(parameter, value),)
    if operator in TEXT_OPERATORS and not column.is_text:
        raise InvalidInputError.of(
            parameter,
            "not_a_text",
            f"{column.name} is {column.type.spelled()}; {operator} works on text columns",
        )
    return (checked_text(column, value, of=parameter),)


def _several(column: Column, parameter: str, value: str) -> tuple[str, ...]:
    values = list(_listed(parameter, value)) if value else []
    if len(values) > VALUES_LIMIT:
        raise InvalidInputError.of(parameter, "too_many", f"send at most {VALUES_LIMIT} values")
    return tuple(checked_text(column, text, of=parameter) for text in values)


def _listed(parameter: str, value: str) -> Iterator[str]:
    """The values of a list, each as it was sent: a line break is a character like any other."""
    position = -1
    while position < len(value):
        item = _LISTED.match(value, position + 1)
        if item is None:
            raise InvalidInputError.of(
                parameter,
                "invalid_list",
                'separate values by commas; quote those that hold one: "a,b"',
            )
        plain, quoted = item.groups()
        yield plain if quoted is None else quoted.replace('""', '"')
        position = item.end()


def _whether(parameter: str, value: str) -> str:
    if value.lower() not in BOOLEAN_WORDS:
        raise InvalidInputError.of(parameter, "type_mismatch", "send true or false")
    return "true" if value.lower() in TRUE_WORDS else "false"
