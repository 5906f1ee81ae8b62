"""Records on their way in: each member has its column, and each value fits it.

Every fault of a body is found before it is refused. A value that fits but is written as PostgreSQL
does not read it is respelled in its place among the members; `respelled` then gives the text to
hand on.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache

from services.records.domain import Column, Sent, Table
from services.records.errors import Faults, UnknownColumnError
from services.records.types.values import Check, Fault, Respelled, check_for, stored_text
from shared.contracts.records import ID_COLUMN, IMPORT_COLUMN, LARGEST_CHOSEN_ID, VERSION_COLUMN
from shared.errors import InvalidInputError
from shared.values.nearest import did_you_mean
from shared.values.numbers import Number, json_text
from shared.values.rule_checks import Checks, checks_of
from shared.values.rules import NO_RULES, ColumnRules
from shared.values.texts import readable
from shared.values.types import ColumnType, TypeName

HIDDEN_COLUMNS = frozenset({IMPORT_COLUMN, VERSION_COLUMN})
ELEMENTS_LIMIT = 10_000
ID_LIMIT = 2**63 - 1


def checked_new(table: Table, members: object) -> tuple[Column, ...]:
    """The columns that a new record names, in the table's order.

    Raises InvalidInputError naming every field that does not fit, or that is missing.
    """
    faults = Faults()
    columns = columns_of_new(table, members, faults=faults)
    faults.refuse()
    return columns


def columns_of_new(
    table: Table, members: object, *, faults: Faults, at: str = "", with_id: bool = False
) -> tuple[Column, ...]:
    """The columns that a new record names, in the table's order; what is wrong goes to `faults`.

    `at` goes before the names of fields (`[3].`). With `with_id` the record brings its own id.
    """
    named = _named(table, members, faults=faults, at=at, with_id=with_id)
    _check_values(named, members, faults=faults, at=at)
    given = {column.name for column, _ in named}
    if not isinstance(members, dict):
        return ()
    for column in table.columns:
        if not column.nullable and column.default is None and column.name not in given:
            faults.add(f"{at}{column.name}", "not_null", "this column needs a value")
    if with_id and ID_COLUMN not in given:
        faults.add(f"{at}id", "not_null", "send the id")
    return _in_order(named)


def checked_change(
    table: Table, members: object, *, record_id: int | None = None
) -> tuple[Column, ...]:
    """The columns that a change names; an `id` is allowed if it is the record's own.

    Raises InvalidInputError naming every field that does not fit.
    """
    faults = Faults()
    columns = _columns_of_change(table, members, record_id, faults)
    faults.refuse()
    return columns


def checked_replacement(
    table: Table, members: object, *, record_id: int
) -> tuple[tuple[Column, ...], tuple[Column, ...]]:
    """The columns that a whole new record names, and those that it leaves to their defaults.

    Raises InvalidInputError naming every field that does not fit, or that is missing.
    """
    faults = Faults()
    columns = _columns_of_change(table, members, record_id, faults)
    names = members if isinstance(members, dict) else {}
    left = tuple(column for column in table.columns if column.name not in names)
    if isinstance(members, dict):
        for column in left:
            if not column.nullable and column.default is None:
                faults.add(column.name, "not_null", "this column needs a value")
    faults.refuse()
    return columns, left


def shown_columns(table: Table) -> list[str]:
    """The names of the columns that people see."""
    return [name for name in table.by_name if name not in HIDDEN_COLUMNS]


def respelled(sent: Sent) -> Sent:
    """What was sent, its text written anew if checking respelled a value; mostly as it is."""
    elements = sent.value if isinstance(sent.value, list) else [sent.value]
    values = (value for each in elements if isinstance(each, dict) for value in each.values())
    if any(isinstance(value, Respelled) for value in values):
        return Sent(sent.value, json_text(sent.value))
    return sent


def array_of(sent: Sent) -> Sent:
    """An object as the only element of an array, its digits as they were sent."""
    return Sent([sent.value], f"[{json_text(sent.value) if sent.member else sent.text}]")


def checked_elements(body: object) -> list[object]:
    """The elements of an array of records; raises InvalidInputError when there are too many."""
    if not isinstance(body, list):
        raise InvalidInputError.of("body", "type_mismatch", "send an object, or an array of them")
    if len(body) > ELEMENTS_LIMIT:
        raise InvalidInputError.of(
            "body", "too_many", f"send at most {ELEMENTS_LIMIT} records at once"
        )
    return body


def _columns_of_change(
    table: Table, members: object, record_id: int | None, faults: Faults
) -> tuple[Column, ...]:
    others = members
    if isinstance(members, dict) and record_id is not None and ID_COLUMN in members:
        if members[ID_COLUMN] != str(record_id) or not isinstance(members[ID_COLUMN], Number):
            faults.add("id", "id_is_fixed", "the id of a record never changes")
        others = {name: value for name, value in members.items() if name != ID_COLUMN}
    named = _named(table, others, faults=faults, at="", with_id=False)
    _check_values(named, members, faults=faults, at="")
    return _in_order(named)


@lru_cache(maxsize=4096)
def _check(name: TypeName, length: int | None, precision: int | None, scale: int | None) -> Check:
    return check_for(ColumnType(name=name, length=length, precision=precision, scale=scale))


def _named(
    table: Table, members: object, *, faults: Faults, at: str, with_id: bool
) -> list[tuple[Column, object]]:
    if not isinstance(members, Mapping):
        field = at.rstrip(".") or "body"
        faults.add(field, "type_mismatch", "send an object of columns and values")
        return []
    named = []
    for name, value in members.items():
        column = table.by_name.get(name)
        if column is None or name in HIDDEN_COLUMNS:
            # Not of each of a million names that are wrong: it is compared with every column.
            nearest = "" if faults.are_enough else did_you_mean(name, shown_columns(table))
            message = f"the table {table.name!r} has no such column{nearest}"
            faults.add(f"{at}{readable(name)}", UnknownColumnError.code, message)
        elif name == ID_COLUMN and not with_id:
            message = "leave it out: every record gets its id from the table"
            faults.add(f"{at}id", "id_is_given", message)
        else:
            named.append((column, value))
    return named


def _in_order(named: Sequence[tuple[Column, object]]) -> tuple[Column, ...]:
    # One order for one set of columns: so its statement is prepared once.
    return tuple(sorted((column for column, _ in named), key=lambda column: column.attnum))


def _check_values(
    named: Sequence[tuple[Column, object]], members: object, *, faults: Faults, at: str
) -> None:
    """Look at every value; those that have to be respelled are, in `members`."""
    for column, value in named:
        if value is None:
            if not column.nullable:
                faults.add(f"{at}{column.name}", "not_null", "send a value, not null")
            continue
        kind = column.type
        result = _check(kind.name, kind.length, kind.precision, kind.scale)(value)
        if isinstance(result, Fault):
            faults.add(f"{at}{column.name}", result.code, result.message)
            continue
        if isinstance(result, Respelled):
            assert isinstance(members, dict)
            members[column.name] = result
        if column.name == ID_COLUMN and not 0 <= int(str(value)) <= LARGEST_CHOSEN_ID:
            message = f"an id that you choose is between 0 and {LARGEST_CHOSEN_ID}"
            faults.add(f"{at}id", "out_of_range", message)
        if column.rules is not NO_RULES:
            _check_rules(column, result or value, faults=faults, at=at)


def _check_rules(column: Column, value: object, *, faults: Faults, at: str) -> None:
    check = _rule_checks(column.type, column.rules)
    if check is not None:
        for violation in check(stored_text(column.type, value)):
            faults.add(f"{at}{column.name}", violation.code, violation.message)


@lru_cache(maxsize=4096)
def _rule_checks(kind: ColumnType, rules: ColumnRules) -> Checks | None:
    return checks_of(kind, rules)
