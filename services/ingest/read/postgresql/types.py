"""PostgreSQL's types as `format_type` spells them: which of ours they are, and how they pass."""

import re

from shared.values.names import formatted, of_formatted
from shared.values.types import ColumnType, TypeName

MOST_DIGITS = 38
_WITH_LENGTH = re.compile(r"(character varying|character)\((\d+)\)")
_NUMERIC = re.compile(r"numeric\(\d+,-?\d+\)")
_SHORT = {  # what a driver calls a query's types
    "int2": "smallint",
    "int4": "integer",
    "int8": "bigint",
    "float4": "real",
    "float8": "double precision",
    "bool": "boolean",
    "time": "time without time zone",
    "timestamp": "timestamp without time zone",
    "timestamptz": "timestamp with time zone",
    "varchar": "character varying",
    "bpchar": "character",
}
_TEXTS = re.compile(r"text|name|character varying(?:\(\d+\))?")
_WHOLE = {"smallint": 0, "integer": 1, "bigint": 2}


def column_type(spelled: str) -> ColumnType:
    """The type of a column made for it; what has no counterpart is TEXT."""
    found = of_formatted(_SHORT.get(spelled, spelled)) or ColumnType(name=TypeName.TEXT)
    if found.name in (TypeName.VARCHAR, TypeName.CHAR) and found.length is None:
        return ColumnType(name=TypeName.TEXT)
    if (
        found.precision is not None
        and not 0 <= (found.scale or 0) <= found.precision <= MOST_DIGITS
    ):
        return ColumnType(name=TypeName.NUMERIC)
    return found


def copied_as(spelled: str, target: ColumnType) -> str | None:
    """The cast with which a column's binary form is that of the target's type; None: there is none.

    Only casts that lose nothing: what may fail, or loses a member (json to jsonb), is left to the
    reading of cells, which gives reasons row by row.
    """
    spelled = _SHORT.get(spelled, spelled)
    wanted = formatted(target)
    if spelled == wanted:
        return ""
    source, room = _WITH_LENGTH.fullmatch(spelled), _WITH_LENGTH.fullmatch(wanted)
    if source and room and source[1] == room[1] == "character varying":
        return "" if int(source[2]) <= int(room[2]) else None
    whole = spelled in _WHOLE
    lossless = (
        (wanted == "text" and _TEXTS.fullmatch(spelled))
        or (wanted == "numeric" and (whole or _NUMERIC.fullmatch(spelled)))
        or (whole and _WHOLE.get(wanted, -1) > _WHOLE[spelled])
        or (spelled, wanted) == ("real", "double precision")
    )
    return f"::{wanted}" if lossless else None
