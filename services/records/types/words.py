"""Column types as words: the API's spelling, the verb face's fields, and PostgreSQL's own names."""

import re
from dataclasses import dataclass

from shared.contracts.postgresql_types import of_formatted
from shared.contracts.records import ColumnType, TypeName
from shared.errors import InvalidInputError

LENGTH_LIMIT = 10_485_760
"""PostgreSQL's longest VARCHAR(n)."""
PRECISION_LIMIT = 38

PLAIN = {
    "TEXT": TypeName.TEXT,
    "SMALLINT": TypeName.SMALLINT,
    "INTEGER": TypeName.INTEGER,
    "INT": TypeName.INTEGER,
    "BIGINT": TypeName.BIGINT,
    "NUMERIC": TypeName.NUMERIC,
    "DECIMAL": TypeName.NUMERIC,
    "REAL": TypeName.REAL,
    "DOUBLE PRECISION": TypeName.DOUBLE,
    "FLOAT": TypeName.DOUBLE,
    "BOOLEAN": TypeName.BOOLEAN,
    "DATE": TypeName.DATE,
    "TIME": TypeName.TIME,
    "TIMESTAMP": TypeName.TIMESTAMP,
    "TIMESTAMPTZ": TypeName.TIMESTAMPTZ,
    "INTERVAL": TypeName.INTERVAL,
    "UUID": TypeName.UUID,
    "JSON": TypeName.JSON,
    "JSONB": TypeName.JSON,
    "BYTEA": TypeName.BYTEA,
}
SIZED = {"VARCHAR": TypeName.VARCHAR, "CHAR": TypeName.CHAR}
NUMERIC_WORDS = ("NUMERIC", "DECIMAL")
ALLOWED = (
    "TEXT, VARCHAR(n), CHAR(n), SMALLINT, INTEGER, BIGINT, NUMERIC(p,s), REAL, DOUBLE PRECISION,"
    " BOOLEAN, DATE, TIME, TIMESTAMP, TIMESTAMPTZ, INTERVAL, UUID, JSON, BYTEA"
)

UNLIMITED_NAMES = {
    **{name: name.value for name in TypeName},
    TypeName.VARCHAR: "text",
    TypeName.TEXT: "text",
    TypeName.CHAR: "bpchar",
    TypeName.JSON: "jsonb",
}

_TYPE = (
    r"(?P<word>[A-Za-z]+(?:\s+PRECISION)?)"
    r"\s*(?:\(\s*(?P<first>\d{1,9})\s*(?:,\s*(?P<second>\d{1,9})\s*)?\))?"
)
_WHOLE_TYPE = re.compile(rf"\s*{_TYPE}\s*", re.IGNORECASE | re.ASCII)
_FIELD_START = re.compile(rf"\s*{_TYPE}(?=\s|$)", re.IGNORECASE | re.ASCII)
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
    found = _WHOLE_TYPE.fullmatch(words)
    if found is None:
        raise _unknown(words, of=of)
    return _checked(found, words, of=of)


def field_of(words: str, *, of: str) -> FieldWords:
    """A field of the verb face: a type, then any of UNIQUE, NOT NULL, DEFAULT <literal>."""
    found = _FIELD_START.match(words)
    if found is None:
        raise _unknown(words, of=of)
    kind = _checked(found, words, of=of)
    unique, nullable, default = False, True, None
    place, end = found.end(), len(words.rstrip())
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


def postgresql_name(kind: ColumnType) -> str:
    """The type in DDL; made of our own words and numbers alone, so it may stand in SQL."""
    return "jsonb" if kind.name is TypeName.JSON else kind.spelled()


def unlimited_name(kind: ColumnType) -> str:
    """The type without length or precision: what a value is compared as, never cut or rounded."""
    return UNLIMITED_NAMES[kind.name]


def is_widening(old: ColumnType, new: ColumnType) -> bool:
    """Whether every text of the old type is one of the new, so that nothing need be rewritten."""
    if old.name not in (TypeName.TEXT, TypeName.VARCHAR):
        return False
    if new.name is TypeName.TEXT:
        return True
    return (
        new.name is TypeName.VARCHAR
        and old.length is not None
        and new.length is not None
        and old.length <= new.length
    )


def from_postgresql(formatted: str) -> ColumnType:
    """A type as `format_type` spells it; what we do not make ourselves is read as TEXT."""
    return of_formatted(formatted) or ColumnType(name=TypeName.TEXT)


def _checked(found: "re.Match[str]", words: str, *, of: str) -> ColumnType:
    word = " ".join(found["word"].upper().split())
    first = int(found["first"]) if found["first"] else None
    second = int(found["second"]) if found["second"] else None
    if word in SIZED and first is not None and second is None:
        if not 1 <= first <= LENGTH_LIMIT:
            raise InvalidInputError.of(
                of, "invalid_type", f"the length of {word} is between 1 and {LENGTH_LIMIT}"
            )
        return ColumnType(name=SIZED[word], length=first)
    if word in NUMERIC_WORDS and first is not None:
        scale = second or 0
        if not 1 <= first <= PRECISION_LIMIT or scale > first:
            raise InvalidInputError.of(
                of,
                "invalid_type",
                f"NUMERIC(p,s) has p between 1 and {PRECISION_LIMIT}, and s at most p",
            )
        return ColumnType(name=TypeName.NUMERIC, precision=first, scale=scale)
    if word in PLAIN and first is None:
        return ColumnType(name=PLAIN[word])
    raise _unknown(words, of=of)


def _unknown(words: str, *, of: str) -> InvalidInputError:
    return InvalidInputError.of(
        of, "invalid_type", f"{words.strip()[:80]!r} is no type that we know; use one of {ALLOWED}"
    )


def _literal(modifier: "re.Match[str]") -> str | None:
    if modifier["text"] is not None:
        return modifier["text"].replace("''", "'")
    if modifier["number"] is not None:
        return modifier["number"]
    word = modifier["word"].lower()
    return None if word == "null" else word
