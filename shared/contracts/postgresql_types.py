"""Column types as PostgreSQL's `format_type` spells them, both ways."""

import re

from shared.contracts.records import ColumnType, TypeName

_NAMES = {
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
_TYPES = {name: kind for kind, name in _NAMES.items()} | {"json": TypeName.JSON}
_FORMATTED = re.compile(
    r"([a-z ]+?)(?:\((\d+)(?:,(-?\d+))?\))?( without time zone| with time zone)?"
)


def formatted(kind: ColumnType) -> str:
    """A type as `format_type` spells it."""
    name = _NAMES[kind.name]
    if kind.length is not None:
        return f"{name}({kind.length})"
    if kind.precision is not None:
        return f"{name}({kind.precision},{kind.scale or 0})"
    return name


def of_formatted(words: str) -> ColumnType | None:
    """The type that `format_type` spells so; None for one that is none of ours.

    A `timestamp(3)` is a timestamp: what holds fewer digits loses nothing.
    """
    found = _FORMATTED.fullmatch(words)
    name = _TYPES.get((found[1] + (found[4] or "")).strip()) if found else None
    if found is None or name is None:
        return None
    first = int(found[2]) if found[2] else None
    if name in (TypeName.VARCHAR, TypeName.CHAR):
        return ColumnType(name=name, length=first)
    if name is TypeName.NUMERIC and first is not None:
        return ColumnType(name=name, precision=first, scale=int(found[3] or 0))
    return ColumnType(name=name)
