"""Which values a column keeps when it gets another type, as a condition in SQL.

PostgreSQL's input functions take more than the type table does (`now`, `1_000`, any part of a
timestamp as a date), and round what is too fine: neither may change a value that is there.
"""

from services.records.domain import Column
from shared.store.conditions import literal
from shared.store.identifiers import quoted
from shared.values.names import ddl_name
from shared.values.types import FLOAT_TYPES, TIMESTAMP_TYPES, ColumnType, TypeName

_INTEGER = r"[+-]?[0-9]+"
_NUMBER = r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?"
_DAY = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_CLOCK = r"([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,6}0*)?)?"
_MIDNIGHT = r"00:00(:00(\.0+)?)?"
_ZONE = r"( ?(Z|z|UTC|[+-][0-9]{2}(:?[0-9]{2})?))?"
_UTC = r"( ?(Z|z|UTC|[+-]00(:?00)?))?"
_SECONDS = r"[+-]?[0-9]+(\.[0-9]{1,6}0*)?"
_DURATION = rf"P({_INTEGER}[YMWD])*(T({_INTEGER}[HM])*({_SECONDS}S)?)?"
_WORDS = rf"({_INTEGER} [a-z]+ ?)*([+-]?[0-9]+:[0-5][0-9]:[0-5][0-9](\.[0-9]{{1,6}}0*)?)?"

SHAPES = {
    **dict.fromkeys((TypeName.SMALLINT, TypeName.INTEGER, TypeName.BIGINT), _INTEGER),
    TypeName.NUMERIC: _NUMBER,
    **dict.fromkeys(FLOAT_TYPES, rf"({_NUMBER}|[nN][aA][nN]|-?[iI][nN][fF][iI][nN][iI][tT][yY])"),
    TypeName.BOOLEAN: r"([tT]([rR][uU][eE])?|[yY]([eE][sS])?|[oO][nN]|1"
    r"|[fF]([aA][lL][sS][eE])?|[nN][oO]?|[oO][fF][fF]|0)",
    TypeName.DATE: rf"{_DAY}([Tt ]{_MIDNIGHT}{_UTC})?",
    TypeName.TIME: _CLOCK,
    TypeName.TIMESTAMP: rf"({_DAY}([Tt ]{_CLOCK})?|-?infinity)",
    TypeName.TIMESTAMPTZ: rf"({_DAY}([Tt ]{_CLOCK}{_ZONE})?|-?infinity)",
    TypeName.INTERVAL: rf"({_DURATION}|{_WORDS})",
    TypeName.UUID: r"\{?[0-9a-fA-F]{8}-?([0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}\}?",
    TypeName.BYTEA: r"\\x([0-9a-fA-F]{2})*",
}
"""Texts of the type table; white space around them is no part of the value."""

INFINITIES = {
    **dict.fromkeys(FLOAT_TYPES, FLOAT_TYPES),
    **dict.fromkeys(TIMESTAMP_TYPES, TIMESTAMP_TYPES),
}
"""To which types, beside texts, a type's infinities (and NaN) may go."""


def follows(column: Column, kind: ColumnType) -> str:
    """What holds for a value of the column that has an equal in another type."""
    text = f"{quoted(column.name)}::text"
    if kind.length is not None:
        return f"char_length({text}) <= {kind.length}"
    if kind.name is TypeName.TEXT:
        return "true"
    shape, same = "true", "true"
    if column.is_text:
        if kind.name in SHAPES:
            shape = f"{text} ~ " + literal(rf"^\s*{SHAPES[kind.name]}\s*$")
        same = _same_text(text, kind)
    else:
        if kind.name not in INFINITIES.get(column.type.name, SHAPES):
            shape = f"{text} !~ '[Ii]nfinity|NaN'"
        same = f"{text}::{ddl_name(kind)}::text::{ddl_name(column.type)} = {quoted(column.name)}"
    # CASE keeps the casts from running where the text does not fit.
    return (
        f"CASE WHEN {shape} THEN CASE WHEN records.fits({text}, {literal(ddl_name(kind))})"
        f" THEN {same} ELSE false END ELSE false END"
    )


def _same_text(text: str, kind: ColumnType) -> str:
    """What holds for a text whose value loses nothing, known that it has the shape and fits."""
    if kind.name is TypeName.NUMERIC:
        return f"{text}::numeric = {text}::numeric::{ddl_name(kind)}"
    if kind.name in FLOAT_TYPES:
        plain = f"{text} !~ '[nN]'"
        return (
            f"CASE WHEN {plain} THEN {text}::numeric = {text}::{ddl_name(kind)}::text::numeric"
            " ELSE true END"
        )
    if kind.name is TypeName.JSON:
        return f"{_members(text)} = {_members(f'{text}::jsonb::text')}"
    return "true"


def _members(text: str) -> str:
    """How many members the objects of a JSON text have; of two with one name jsonb keeps one."""
    without_texts = rf"""regexp_replace({text}, '"([^"\\]|\\.)*"(\s*:)?', '\2', 'g')"""
    return f"(char_length({without_texts}) - char_length(replace({without_texts}, ':', '')))"
