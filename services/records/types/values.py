"""What records says of values that do not fit their column, and JSON bodies.

Values are looked at, not converted: what was sent goes to PostgreSQL as text, digit by digit. Only
what PostgreSQL's input functions do not read is respelled.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from shared.errors import InvalidInputError
from shared.values import faults, grammar
from shared.values.faults import Cause
from shared.values.numbers import json_text, read_json
from shared.values.respelling import respelling_of
from shared.values.types import INTEGER_BITS, ColumnType, TypeName


class Fault(NamedTuple):
    """Why a value does not fit."""

    code: str
    message: str


class Respelled(str):
    """A text of the type table in the one spelling of it that PostgreSQL reads."""

    __slots__ = ()


Check = Callable[[object], Fault | Respelled | None]
"""Looks at a str (JSON string or query text), Number, bool, list or dict; never at None.

None: the value fits as it is.
"""


def parse_json(body: bytes) -> Any:
    """Read JSON, numbers as Number; raises InvalidInputError where it is none."""
    try:
        return read_json(body.decode())
    except UnicodeDecodeError as exc:
        raise InvalidInputError.of("body", "invalid_json", "the body is not UTF-8") from exc
    except RecursionError as exc:
        raise InvalidInputError.of("body", "invalid_json", "the body is nested too deep") from exc
    except ValueError as exc:
        raise InvalidInputError.of("body", "invalid_json", f"the body is not JSON: {exc}") from exc


def check_for(kind: ColumnType) -> Check:
    """The check of a type, with its length or precision."""
    check, respell = grammar.check_of(kind), respelling_of(kind)

    def checked(value: object) -> Fault | Respelled | None:
        fault = check(value)
        if fault is not None:
            return Fault(fault.code, _words(kind, fault))
        if respell is None:
            return None
        assert isinstance(value, str)
        text = respell(value)
        return None if text == value else Respelled(text)

    return checked


def stored_text(kind: ColumnType, value: object) -> str:
    """The text by which PostgreSQL is given a checked value."""
    if kind.name is TypeName.JSON:
        return json_text(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _words(kind: ColumnType, fault: faults.Fault) -> str:
    if fault.cause is Cause.BOUNDS and kind.name in INTEGER_BITS:
        bits = INTEGER_BITS[kind.name]
        return f"send a whole number between {-(2**bits)} and {2**bits - 1}"
    if fault.cause in (Cause.SHAPE, Cause.ZONE):
        return f"send {_SHAPES[kind.name]}"
    return _MESSAGES[fault.cause].format(limit=fault.limit)


_SHAPES = {
    TypeName.TEXT: "a text",
    TypeName.VARCHAR: "a text",
    TypeName.CHAR: "a text",
    TypeName.SMALLINT: "a whole number",
    TypeName.INTEGER: "a whole number",
    TypeName.BIGINT: "a whole number",
    TypeName.NUMERIC: "a decimal number",
    TypeName.REAL: "a number, or NaN, Infinity or -Infinity as a text",
    TypeName.DOUBLE: "a number, or NaN, Infinity or -Infinity as a text",
    TypeName.BOOLEAN: "true or false",
    TypeName.DATE: "a date as YYYY-MM-DD",
    TypeName.TIME: "a time as HH:MM:SS",
    TypeName.TIMESTAMP: "a time as YYYY-MM-DDTHH:MM:SS, without a zone",
    TypeName.TIMESTAMPTZ: "a time as YYYY-MM-DDTHH:MM:SSZ",
    TypeName.INTERVAL: "an interval as P1DT2H3M or '1 day 02:03:00'",
    TypeName.UUID: "a UUID",
    TypeName.BYTEA: "bytes as \\x and hexadecimal digits",
}
_NO_SUCH_TIME = "there is no such day or time"
_MESSAGES = {
    Cause.BOUNDS: "send a value that this type can hold",
    Cause.WHOLE_DIGITS: "send at most {limit} digits before the point",
    Cause.FRACTION_DIGITS: "send at most {limit} digits after the point",
    Cause.DAY: _NO_SUCH_TIME,
    Cause.CLOCK: _NO_SUCH_TIME,
    Cause.OFFSET: _NO_SUCH_TIME,
    Cause.YEARS: _NO_SUCH_TIME,
    Cause.LENGTH: "send at most {limit} characters",
    Cause.MEMBERS: "name every member of an object once: one of the values would be lost",
    Cause.NUL: "leave out the NUL character, which PostgreSQL cannot store",
    Cause.SURROGATE: "a lone surrogate is no character; send valid Unicode",
}
