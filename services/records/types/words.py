"""Column types as words of the API: a type of its own, and the fields of the verb face."""

import re
from dataclasses import dataclass

from shared.errors import InvalidInputError
from shared.values.names import API_TYPE, of_api, of_api_match, of_formatted, unknown_type
from shared.values.types import ColumnType, TypeName

_FIELD_START = re.compile(rf"\s*{API_TYPE}(?=\s|$)", re.IGNORECASE | re.ASCII)
_LITERAL = (
    r"'(?P<text>(?:[^']|'')*)'"
    r"|(?P<number>[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)"
    r"|(?P<word>TRUE|FALSE|NULL)"
)
_MODIFIER = re.compile(
    rf"\s+(?:(?P<unique>UNIQUE)|(?P<required>NOT\s+NULL)|DEFAULT\s+(?:{_LITERAL}))(?=\s|$)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class FieldWords:
    """A field of the verb face; `default` is the literal's text, None without a default."""

    type: ColumnType
    unique: bool
    nullable: bool
    default: str | None


def type_of(words: str, *, of: str) -> ColumnType:
    """A type out of the allow-list, in any case; raises InvalidInputError naming the field `of`."""
    try:
        return of_api(words)
    except ValueError as exc:
        raise InvalidInputError.of(of, "invalid_type", str(exc)) from exc


def field_of(words: str, *, of: str) -> FieldWords:
    """A field of the verb face: a type, then any of UNIQUE, NOT NULL, DEFAULT <literal>."""
    start = _FIELD_START.match(words)
    try:
        if start is None:
            raise unknown_type(words)
        kind = of_api_match(start, words)
    except ValueError as exc:
        raise InvalidInputError.of(of, "invalid_type", str(exc)) from exc
    unique, nullable, default = False, True, None
    place, end = start.end(), len(words.rstrip())
    while place < end:
        modifier = _MODIFIER.match(words, place)
        if modifier is None:
            raise InvalidInputError.of(
                of,
                "invalid_type",
                f"{words[place:].strip()[:80]!r} is not understood; after the type may stand"
                " UNIQUE, NOT NULL and DEFAULT with a number, a 'text', TRUE or FALSE",
            )
        place = modifier.end()
        if modifier["unique"]:
            unique = True
        elif modifier["required"]:
            nullable = False
        else:
            default = _literal(modifier)
    return FieldWords(type=kind, unique=unique, nullable=nullable, default=default)


def from_postgresql(formatted: str) -> ColumnType:
    """A type as `format_type` spells it; what we do not make ourselves is read as TEXT."""
    return of_formatted(formatted) or ColumnType(name=TypeName.TEXT)


def _literal(modifier: "re.Match[str]") -> str | None:
    if modifier["text"] is not None:
        return modifier["text"].replace("''", "'")
    if modifier["number"] is not None:
        return modifier["number"]
    word = modifier["word"].lower()
    return None if word == "null" else word
