"""How one type is spelled by the API, by PostgreSQL's `format_type`, in DDL and without limits."""

import re

from shared.values.types import LENGTH_LIMIT, PRECISION_LIMIT, ColumnType, TypeName

_API_NAMES = {
    **{name.value: name for name in TypeName if name not in (TypeName.VARCHAR, TypeName.CHAR)},
    "INT": TypeName.INTEGER,
    "DECIMAL": TypeName.NUMERIC,
    "FLOAT": TypeName.DOUBLE,
    "JSONB": TypeName.JSON,
}
_SIZED_NAMES = {"VARCHAR": TypeName.VARCHAR, "CHAR": TypeName.CHAR}
_ALLOWED = (
    "TEXT, VARCHAR(n), CHAR(n), SMALLINT, INTEGER, BIGINT, NUMERIC(p,s), REAL, DOUBLE PRECISION,"
    " BOOLEAN, DATE, TIME, TIMESTAMP, TIMESTAMPTZ, INTERVAL, UUID, JSON, BYTEA"
)
API_TYPE = (
    r"(?P<word>[A-Za-z]+(?:\s+PRECISION)?)"
    r"\s*(?:\(\s*(?P<first>\d{1,9})\s*(?:,\s*(?P<second>\d{1,9})\s*)?\))?"
)
"""A type in the API's spelling, to be matched with `re.IGNORECASE | re.ASCII`."""
_WHOLE_TYPE = re.compile(rf"\s*{API_TYPE}\s*", re.IGNORECASE | re.ASCII)

_FORMATTED_NAMES = {
    TypeName.TEXT: "text",
    TypeName.VARCHAR: "character varying",
    TypeName.CHAR: "character",
    TypeName.SMALLINT: "smallint",
    TypeName.INTEGER: "integer",
    TypeName.BIGINT: "bigint",
    TypeName.NUMERIC: "numeric",
    TypeName.REAL: "real",
    TypeName.DOUBLE: "double precision",
    TypeName.BOOLEAN: "boolean",
    TypeName.DATE: "date",
    TypeName.TIME: "time without time zone",
    TypeName.TIMESTAMP: "timestamp without time zone",
    TypeName.TIMESTAMPTZ: "timestamp with time zone",
    TypeName.INTERVAL: "interval",
    TypeName.UUID: "uuid",
    TypeName.JSON: "jsonb",
    TypeName.BYTEA: "bytea",
}
_TYPES = {name: kind for kind, name in _FORMATTED_NAMES.items()} | {"json": TypeName.JSON}
_FORMATTED = re.compile(
    r"([a-z ]+?)(?:\((\d+)(?:,(-?\d+))?\))?( without time zone| with time zone)?"
)

_UNLIMITED_NAMES = {
    **{name: name.value for name in TypeName},
    TypeName.VARCHAR: "text",
    TypeName.TEXT: "text",
    TypeName.CHAR: "bpchar",
    TypeName.JSON: "jsonb",
}


def of_api(words: str) -> ColumnType:
    """The type that the API spells so, in any case.

    Raises ValueError with a message for people.
    """
    match = _WHOLE_TYPE.fullmatch(words)
    if match is None:
        raise unknown_type(words)
    return of_api_match(match, words)


def of_api_match(match: "re.Match[str]", words: str) -> ColumnType:
    """The type of a match of `API_TYPE` in `words`; raises ValueError as `of_api`."""
    word = " ".join(match["word"].upper().split())
    first = int(match["first"]) if match["first"] else None
    second = int(match["second"]) if match["second"] else None
    if word in _SIZED_NAMES and first is not None and second is None:
        if not 1 <= first <= LENGTH_LIMIT:
            raise ValueError(f"the length of {word} is between 1 and {LENGTH_LIMIT}")
        return ColumnType(name=_SIZED_NAMES[word], length=first)
    name = _API_NAMES.get(word)
    if name is TypeName.NUMERIC and first is not None:
        scale = second or 0
        if not 1 <= first <= PRECISION_LIMIT or scale > first:
            raise ValueError(f"NUMERIC(p,s) has p between 1 and {PRECISION_LIMIT}, and s at most p")
        return ColumnType(name=name, precision=first, scale=scale)
    if name is not None and first is None:
        return ColumnType(name=name)
    raise unknown_type(words)


def unknown_type(words: str) -> ValueError:
    """The error of words that name no type."""
    return ValueError(f"{words.strip()[:80]!r} is no type that we know; use one of {_ALLOWED}")


def formatted(kind: ColumnType) -> str:
    """The type as `format_type` spells it."""
    name = _FORMATTED_NAMES[kind.name]
    if kind.length is not None:
        return f"{name}({kind.length})"
    if kind.precision is not None:
        return f"{name}({kind.precision},{kind.scale or 0})"
    return name


def of_formatted(words: str) -> ColumnType | None:
    """The type that `format_type` spells so; None for one that is none of ours.

    A `timestamp(3)` is a timestamp: what holds fewer digits loses nothing.
    """
    match = _FORMATTED.fullmatch(words)
    name = _TYPES.get((match[1] + (match[4] or "")).strip()) if match else None
    if match is None or name is None:
        return None
    first = int(match[2]) if match[2] else None
    if name in (TypeName.VARCHAR, TypeName.CHAR):
        return ColumnType(name=name, length=first)
    if name is TypeName.NUMERIC and first is not None:
        return ColumnType(name=name, precision=first, scale=int(match[3] or 0))
    return ColumnType(name=name)


def ddl_name(kind: ColumnType) -> str:
    """The type in DDL; made of our own words and numbers alone, so it may stand in SQL."""
    return "jsonb" if kind.name is TypeName.JSON else kind.spelled()


def unlimited_name(kind: ColumnType) -> str:
    """The type without length or precision: what a value is compared as, never cut or rounded."""
    return _UNLIMITED_NAMES[kind.name]
