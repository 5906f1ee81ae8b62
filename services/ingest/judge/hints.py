"""The notations that people's programs write most, and the options that read them.

They serve two ends: a refused cell is told the option that would read it, and a new table's
columns are tried in them.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import cache, lru_cache

from shared.values.dates import DatePattern, Epoch
from shared.values.faults import Fault
from shared.values.grammar import Reader, reader_of
from shared.values.number_formats import NumberFormat
from shared.values.types import NUMBER_TYPES, TIMESTAMP_TYPES, ColumnType, TypeName


@dataclass(frozen=True, slots=True)
class WrittenNumber:
    """A notation of numbers, and the options that name it."""

    options: str
    format: NumberFormat


@dataclass(frozen=True, slots=True)
class WrittenDate:
    """A notation of dates, and the option that names it."""

    options: str
    pattern: DatePattern


NUMBERS = (
    WrittenNumber("decimal=,", NumberFormat(decimal=",")),
    WrittenNumber("decimal=, thousands=.", NumberFormat(decimal=",", thousands=".")),
    WrittenNumber("thousands=,", NumberFormat(thousands=",")),
    WrittenNumber("thousands=space", NumberFormat(thousands=" ")),
    WrittenNumber("thousands=apostrophe", NumberFormat(thousands="'")),
    WrittenNumber("decimal=, thousands=space", NumberFormat(decimal=",", thousands=" ")),
    WrittenNumber("decimal=, thousands=apostrophe", NumberFormat(decimal=",", thousands="'")),
)
_LENIENT = (
    WrittenNumber("numbers=lenient", NumberFormat(lenient=True)),
    WrittenNumber("numbers=lenient decimal=,", NumberFormat(decimal=",", lenient=True)),
)
CENTURY = 1930
"""An example, to try two-digit years; nothing is read with it."""


def _written(*spelled: str) -> tuple[WrittenDate, ...]:
    return tuple(
        WrittenDate(
            f"date_format={each}" + (f" century_from={CENTURY}" if "%y" in each else ""),
            DatePattern(each, CENTURY if "%y" in each else None),
        )
        for each in spelled
    )


DATES = _written(
    *("%d.%m.%Y", "%m.%d.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y"),
    *("%Y/%m/%d", "%Y.%m.%d", "%d-%b-%Y", "%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y"),
)
TWO_DIGIT_DATES = _written(
    *("%d.%m.%y", "%d/%m/%y", "%m/%d/%y", "%d-%m-%y", "%m-%d-%y", "%y/%m/%d", "%d-%b-%y")
)
_SECONDS = re.compile(r"1?[0-9]{9}(?:\.[0-9]+)?", re.ASCII)
_MILLISECONDS = re.compile("1?[0-9]{12}", re.ASCII)
_FINER = re.compile(r":[0-9]{2}\.[0-9]{6}0*[1-9]", re.ASCII)
_DIGIT = re.compile("[0-9]", re.ASCII)
_LONGEST = 40
"""Longer cells are neither numbers nor dates that somebody wrote."""
_KNOWN_SHAPES = 1024


def hint(kind: TypeName, text: str) -> str:
    """What of the options would read a cell, to stand behind the reason against it; or nothing.

    A file may have millions of such cells, so notations are looked up by the shape of the text.
    """
    if len(text) > _LONGEST:
        return ""
    if kind in NUMBER_TYPES:
        readings = _as_number(kind, text)
    elif kind in TIMESTAMP_TYPES and _FINER.search(text):
        return "; PostgreSQL keeps six digits of a second, a TEXT column (`types`) all of them"
    elif kind in TIMESTAMP_TYPES or kind is TypeName.DATE:
        readings = _as_date(text)
    else:
        return ""
    options: dict[str, str] = {}
    for option, value in readings:
        options.setdefault(value, option)
    shown = [f"`{option}` reads it as {value}" for value, option in options.items()]
    return f"; {', '.join(shown[:2])}" if shown else ""


@lru_cache(_KNOWN_SHAPES)
def _number_notations(shape: str) -> tuple[WrittenNumber, ...]:
    """The notations of a text of a shape; lenient ones where no other reads it."""
    strict = [each for each in NUMBERS if each.format.plain(shape) is not None]
    reading = strict or [each for each in _LENIENT if each.format.plain(shape) is not None]
    first: dict[str, WrittenNumber] = {}
    for each in reading:  # those with the same decimal mark read the same number
        first.setdefault(each.format.decimal, each)
    return tuple(first.values())


@lru_cache(_KNOWN_SHAPES)
def _date_notations(shape: str) -> tuple[WrittenDate, ...]:
    """The notations of a text whose digits are all zeros."""
    matches = ((each, each.pattern.match(shape)) for each in (*DATES, *TWO_DIGIT_DATES))
    return tuple(
        each
        for each, match in matches
        if match is not None and not shape[match.end : match.end + 1].isdigit()
    )


@cache
def _reader(kind: TypeName) -> Reader:
    return reader_of(ColumnType(name=kind))


def _as_number(kind: TypeName, text: str) -> Iterator[tuple[str, str]]:
    first = _DIGIT.search(text)
    if first is None:
        return
    # No group of digits begins with a zero; apart from that, the notation is one for all digits.
    at = first.end()
    for each in _number_notations(text[: at - 1] + min(first[0], "1") + _DIGIT.sub("1", text[at:])):
        number = each.format.plain(text)
        if number is not None and not isinstance(_reader(kind)(number), Fault):
            yield each.options, f"{Decimal(number):f}" if number.endswith("e-2") else number


def _as_date(text: str) -> Iterator[tuple[str, str]]:
    if _SECONDS.fullmatch(text):
        yield f"date_format={Epoch.SECONDS.value}", "seconds since 1970"
    elif _MILLISECONDS.fullmatch(text):
        yield f"date_format={Epoch.MILLISECONDS.value}", "milliseconds since 1970"
    for each in _date_notations(_DIGIT.sub("0", text)):
        match = each.pattern.match(text)
        if match is not None and match.day is not None:
            yield each.options, match.day.isoformat()
