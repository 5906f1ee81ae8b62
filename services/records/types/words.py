"""Column types as words of the API: a type of its own, and the fields of the verb face."""

import re
from dataclasses import dataclass

from services.records.domain import DefaultCall
from shared.errors import InvalidInputError
from shared.values.names import API_TYPE, of_api, of_api_match, of_formatted, unknown_type
from shared.values.types import ColumnType, TypeName

CALLS = {
    "now()": DefaultCall.NOW,
    "current_timestamp": DefaultCall.NOW,
    "today()": DefaultCall.TODAY,
    "current_date": DefaultCall.TODAY,
    "uuid()": DefaultCall.UUID,
    "gen_random_uuid()": DefaultCall.UUID,
    "user()": DefaultCall.USER,
    "current_user": DefaultCall.USER,
}
"""Defaults that are called, with the words that SQL has for them."""
CALLED_TYPES = {
    DefaultCall.NOW: (TypeName.TIMESTAMPTZ, TypeName.TIMESTAMP),
    DefaultCall.TODAY: (TypeName.DATE,),
    DefaultCall.UUID: (TypeName.UUID,),
    DefaultCall.USER: (TypeName.TEXT, TypeName.VARCHAR),
}

_FIELD_START = re.compile(rf"\s*{API_TYPE}(?=\s|$)", re.IGNORECASE | re.ASCII)
_LITERAL = (
    r"'(?P<text>(?:[^']|'')*)'"
    r"|(?P<number>[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)"
    r"|(?P<word>TRUE|FALSE|NULL)"
    rf"|(?P<call>{'|'.join(map(re.escape, CALLS))})"
)
_MODIFIER = re.compile(
    rf"\s+(?:(?P<unique>UNIQUE)|(?P<required>NOT\s+NULL)|DEFAULT\s+(?:{_LITERAL}))(?=\s|$)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class FieldWords:
    """A field of the verb face; `default` is the literal's text or a call, None without one."""

    type: ColumnType
    unique: bool
    nullable: bool
    default: str | DefaultCall | None


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
    unique, nullable = False, True
    default: str | DefaultCall | None = None
    place, end = start.end(), len(words.rstrip())
    while place < end:
        modifier = _MODIFIER.match(words, place)
        if modifier is None:
            raise InvalidInputError.of(
                of,
                "invalid_type",
                f"{words[place:].strip()[:80]!r} is not understood; after the type may stand"
                " UNIQUE, NOT NULL and DEFAULT with a number, a 'text', TRUE, FALSE, now(),"
                " today(), uuid() or user()",
            )
        place = modifier.end()
        if modifier["unique"]:
            unique = True
        elif modifier["required"]:
            nullable = False
        else:
            default = _literal(modifier)
            if isinstance(default, DefaultCall):
                call_of(kind, default, of=of)
    return FieldWords(type=kind, unique=unique, nullable=nullable, default=default)


def call_of(kind: ColumnType, call: DefaultCall, *, of: str) -> DefaultCall:
    """The call, if its values are of the type; raises InvalidInputError."""
    if kind.name not in CALLED_TYPES[call]:
        types = " and ".join(sorted(CALLED_TYPES[call]))
        raise InvalidInputError.of(of, "type_mismatch", f"the call {call} is for {types}")
    return call


def from_postgresql(formatted: str) -> ColumnType:
    """A type as `format_type` spells it; what we do not make ourselves is read as TEXT."""
    return of_formatted(formatted) or ColumnType(name=TypeName.TEXT)


def _literal(modifier: "re.Match[str]") -> str | DefaultCall | None:
    if modifier["call"] is not None:
        return CALLS[modifier["call"].lower()]
    if modifier["text"] is not None:
        return modifier["text"].replace("''", "'")
    if modifier["number"] is not None:
        return modifier["number"]
    word = modifier["word"].lower()
    return None if word == "null" else word
