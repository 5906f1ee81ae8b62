"""How texts are compared: found however they are composed, folded for search, sorted by people.

The functions are PostgreSQL's, in the schema `records` (migration 0006); this module writes calls
of them, and knows in Python what a filter needs to know.
"""

import re
import unicodedata
from collections.abc import Sequence
from enum import StrEnum

MARKS = re.compile("[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]+")


class Accents(StrEnum):
    """Whether search tells letters with accents from those without."""

    IGNORE = "ignore"
    KEEP = "keep"


def composed(text: str) -> str:
    """An expression of the text in NFC."""
    return f"records.composed({text})"


def folded(text: str, accents: Accents) -> str:
    """An expression of the text without case, and without accents where they are ignored."""
    name = "folded" if accents is Accents.IGNORE else "cased"
    return f'records.{name}({text}) COLLATE "C"'


def sort_keys(text: str) -> tuple[str, str]:
    """Expressions to sort by: letters, then accents, and by code point what is left."""
    return f'records.sort_key({text}) COLLATE "C"', f'{text} COLLATE "C"'


def forms(text: str) -> Sequence[str]:
    """The ways in which the same text may be stored: as it is sent, composed, decomposed."""
    if text.isascii():
        return (text,)
    forms = (text, unicodedata.normalize("NFC", text), unicodedata.normalize("NFD", text))
    return tuple(dict.fromkeys(forms))


def is_nothing(text: str, accents: Accents) -> bool:
    """Whether nothing is left to search for."""
    if accents is Accents.KEEP:
        return not text
    return not MARKS.sub("", unicodedata.normalize("NFD", text))
