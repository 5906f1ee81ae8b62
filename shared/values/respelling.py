"""Texts of the type table that PostgreSQL's own input functions do not read, as they read them.

Whoever hands a checked text on to PostgreSQL, instead of the value it is, hands it through here.
"""

from collections.abc import Callable

from shared.values.intervals import read_duration
from shared.values.types import INTEGER_TYPES, ColumnType, TypeName

Respell = Callable[[str], str]
"""A text that fits its column to the same value in PostgreSQL's words, mostly as it is."""


def respelling_of(kind: ColumnType) -> Respell | None:
    """The respelling of a type; None for one that PostgreSQL reads as the type table does."""
    return _RESPELLINGS.get(kind.name)


def _interval(text: str) -> str:
    """A sign before the P of a duration belongs to each of its parts."""
    if text[:1] not in ("+", "-"):
        return text
    length = read_duration(text)
    return text if length is None else length.duration()


def _integer(text: str) -> str:
    """A decimal part of zeros is none."""
    return text.partition(".")[0]


def _date(text: str) -> str:
    """A time behind it is midnight."""
    return text[:10]


def _instant(text: str) -> str:
    """Go writes a zone twice, `+0000 UTC`."""
    return text.removesuffix(" UTC") if text.endswith("0 UTC") else text


_RESPELLINGS: dict[TypeName, Respell] = {
    TypeName.DATE: _date,
    TypeName.TIMESTAMPTZ: _instant,
    TypeName.INTERVAL: _interval,
    **dict.fromkeys(INTEGER_TYPES, _integer),
}
