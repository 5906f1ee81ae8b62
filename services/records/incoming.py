"""Records on their way in: each member has its column, and each value fits it.

A value that fits but is written as PostgreSQL does not read it is respelled in its place among
the members; `respelled` then gives the text to hand on.
"""

from collections.abc import Sequence
from functools import lru_cache

from services.records.domain import Column, Sent, Table
from services.records.errors import UnknownColumnError
from services.records.types.values import Check, Respelled, check_for
from shared.contracts.problem import FieldError
from shared.contracts.records import ID_COLUMN, IMPORT_COLUMN, VERSION_COLUMN
from shared.errors import InvalidInputError
from shared.values.numbers import Number, json_text
from shared.values.texts import readable
from shared.values.types import ColumnType, TypeName

HIDDEN_COLUMNS = frozenset({IMPORT_COLUMN, VERSION_COLUMN})
ELEMENTS_LIMIT = 10_000
FAULTS_SHOWN = 20
ID_LIMIT = 2**63 - 1


def checked_new(
    table: Table, members: object, *, at: str = "", with_id: bool = False
) -> tuple[Column, ...]:
    """The columns that a new record names, in the table's order.

    `at` goes before the names of fields (`[3].`). With `with_id` the record brings its own id.
    Raises InvalidInputError naming every field that does not fit, or that is missing.
    """
    named = _named(table, members, at=at, with_id=with_id)
    faults = _faults(named, members, at=at)
    given = {column.name for column, _ in named}
    faults += [
        FieldError(field=f"{at}{column.name}", code="not_null", message="this column needs a value")
        for column in table.columns
        if not column.nullable and column.default is None and column.name not in given
    ]
    if with_id and ID_COLUMN not in given:
        faults.append(FieldError(field=f"{at}id", code="not_null", message="send the id"))
    _refuse(faults)
    return _in_order(named)


def checked_change(
    table: Table, members: object, *, record_id: int | None = None
) -> tuple[Column, ...]:
    """The columns that a change names; an `id` is allowed if it is the record's own.

    Raises InvalidInputError naming every field that does not fit.
    """
    others = members
    if isinstance(members, dict) and record_id is not None and ID_COLUMN in members:
        if members[ID_COLUMN] != str(record_id) or not isinstance(members[ID_COLUMN], Number):
            raise InvalidInputError.of("id", "id_is_fixed", "the id of a record never changes")
        others = {name: value for name, value in members.items() if name != ID_COLUMN}
    named = _named(table, others, at="", with_id=False)
    _refuse(_faults(named, members, at=""))
    return _in_order(named)


def respelled(sent: Sent) -> Sent:
    """What was sent, its text written anew if checking respelled a value; mostly as it is."""
    elements = sent.value if isinstance(sent.value, list) else [sent.value]
    values = (value for each in elements if isinstance(each, dict) for value in each.values())
    if any(isinstance(value, Respelled) for value in values):
        return Sent(sent.value, json_text(sent.value))
    return sent


def without_value(table: Table, given: Sequence[Column]) -> tuple[Column, ...]:
    """The columns that a whole new record leaves to their defaults; raises InvalidInputError."""
    names = {column.name for column in given}
    left = tuple(column for column in table.columns if column.name not in names)
    _refuse(
        [
            FieldError(field=column.name, code="not_null", message="this column needs a value")
            for column in left
            if not column.nullable and column.default is None
        ]
    )
    return left


def checked_elements(body: object) -> list[object]:
    """The elements of an array of records; raises InvalidInputError when there are too many."""
    if not isinstance(body, list):
        raise InvalidInputError.of("body", "type_mismatch", "send an object, or an array of them")
    if len(body) > ELEMENTS_LIMIT:
        raise InvalidInputError.of(
            "body", "too_many", f"send at most {ELEMENTS_LIMIT} records at once"
        )
    return body


@lru_cache(maxsize=4096)
def _check(name: TypeName, length: int | None, precision: int | None, scale: int | None) -> Check:
    return check_for(ColumnType(name=name, length=length, precision=precision, scale=scale))


def _named(table: Table, members: object, *, at: str, with_id: bool) -> list[tuple[Column, object]]:
    if not isinstance(members, dict):
        field = at.rstrip(".") or "body"
        raise InvalidInputError.of(field, "type_mismatch", "send an object of columns and values")
    named = []
    unknown = []
    for name, value in members.items():
        column = table.by_name.get(name)
        if column is None or name in HIDDEN_COLUMNS:
            unknown.append(name)
        elif name == ID_COLUMN and not with_id:
            raise InvalidInputError.of(
                f"{at}id", "id_is_given", "leave it out: every record gets its id from the table"
            )
        else:
            named.append((column, value))
    if unknown:
        raise _unknown(table, unknown, at=at)
    return named


def _in_order(named: Sequence[tuple[Column, object]]) -> tuple[Column, ...]:
    # One order for one set of columns: so its statement is prepared once.
    return tuple(sorted((column for column, _ in named), key=lambda column: column.attnum))


def _unknown(table: Table, names: Sequence[str], *, at: str) -> UnknownColumnError:
    message = f"the table {table.name!r} has no such column"
    shown = [readable(name) for name in names[:FAULTS_SHOWN]]
    return UnknownColumnError(
        "; ".join(f"{at}{name}: {message}" for name in shown[:3]),
        errors=[
            FieldError(field=f"{at}{name}", code=UnknownColumnError.code, message=message)
            for name in shown
        ],
    )


def _faults(
    named: Sequence[tuple[Column, object]], members: object, *, at: str
) -> list[FieldError]:
    """Why values do not fit; those that have to be respelled are, in `members`."""
    assert isinstance(members, dict)
    faults = []
    for column, value in named:
        if value is None:
            if not column.nullable or column.name == ID_COLUMN:
                faults.append(
                    FieldError(
                        field=f"{at}{column.name}",
                        code="not_null",
                        message="send a value, not null",
                    )
                )
            continue
        kind = column.type
        result = _check(kind.name, kind.length, kind.precision, kind.scale)(value)
        if isinstance(result, Respelled):
            members[column.name] = result
        elif result is not None:
            faults.append(
                FieldError(field=f"{at}{column.name}", code=result.code, message=result.message)
            )
    return faults


def _refuse(faults: Sequence[FieldError]) -> None:
    if faults:
        raise InvalidInputError(
            "; ".join(f"{fault.field}: {fault.message}" for fault in faults[:3]),
            errors=faults[:FAULTS_SHOWN],
        )
