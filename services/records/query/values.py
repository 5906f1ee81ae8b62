"""Values that come as text in a URL: checked against the column they are compared with."""

from functools import cache

from services.records.domain import Column
from services.records.types.values import Check, check_for, parse_json
from shared.errors import InvalidInputError
from shared.values.types import ColumnType, TypeName


@cache
def _comparison_check(name: TypeName) -> Check:
    # A value that is longer or finer than the column's may still be compared with it.
    return check_for(ColumnType(name=name))


def checked_text(column: Column, text: str, *, of: str) -> str:
    """The text, if the column's type can read it; else InvalidInputError naming the field `of`."""
    if column.type.name is TypeName.JSON:
        try:
            parse_json(text.encode(errors="surrogatepass"))
        except InvalidInputError as exc:
            raise InvalidInputError.of(of, "type_mismatch", "send JSON text") from exc
    fault = _comparison_check(column.type.name)(text)
    if fault is not None:
        raise InvalidInputError.of(of, fault.code, fault.message)
    return text
