"""Values that come as text in a URL: checked against the column they are compared with."""

import re
from functools import cache

from services.records.domain import Column
from services.records.types.values import Check, Fault, check_for, parse_json
from shared.errors import InvalidInputError
from shared.values.types import TIMESTAMP_TYPES, ColumnType, TypeName


@cache
def _comparison_check(name: TypeName) -> Check:
    # A value that is longer or finer than the column's may still be compared with it.
    return check_for(ColumnType(name=name))


_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_LOST_PLUS = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?)"
    r" ([0-9]{2}(?::?[0-9]{2})?)"
)
"""A time whose zone came without its sign: in a query, `+` is a blank."""


def is_day(column: Column, text: str) -> bool:
    """Whether a checked text, compared with a moment, names a whole day."""
    return column.type.name in TIMESTAMP_TYPES and _DAY.fullmatch(text) is not None


def checked_text(column: Column, text: str, *, of: str) -> str:
    """The text, if the column's type can read it, as PostgreSQL reads it.

    Raises InvalidInputError naming the field `of`.
    """
    if column.type.name is TypeName.JSON:
        try:
            parse_json(text.encode(errors="surrogatepass"))
        except InvalidInputError as exc:
            raise InvalidInputError.of(of, "type_mismatch", "send JSON text") from exc
    if column.type.name is TypeName.TIMESTAMPTZ:
        text = _LOST_PLUS.sub(r"\1+\2", text)
    result = _comparison_check(column.type.name)(text)
    if isinstance(result, Fault):
        raise InvalidInputError.of(of, result.code, result.message)
    return text if result is None else result
