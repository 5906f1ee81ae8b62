"""The notations that people's programs write most, and the options that read them.

They serve two ends: a refused cell is told the option that would read it, and a new table's
columns are tried in them.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from shared.values.dates import DatePattern, Epoch
from shared.values.faults import Fault
from shared.values.grammar import reader_of
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
_DATE_LIKE = re.compile(r"[0-9A-Za-z]{1,9}[./ -][0-9A-Za-z]{1,9}[./, -]", re.ASCII)
_NUMBER_LIKE = re.compile("[0-9]")


def hint(kind: TypeName, text: str) -> str:
    """What of the options would read a cell, to stand behind the reason against it; or nothing."""
    if kind in NUMBER_TYPES and _NUMBER_LIKE.search(text):
        readings = _as_number(kind, text)
    elif kind in TIMESTAMP_TYPES or kind is TypeName.DATE:
        readings = _as_date(text)
    else:
        return ""
    options: dict[str, str] = {}
    for option, value in readings:
        options.setdefault(value, option)
    shown = [f"`{option}` reads it as {value}" for value, option in options.items()]
    return f"; {', '.join(shown[:2])}" if shown else ""


def _as_number(kind: TypeName, text: str) -> Iterator[tuple[str, str]]:
    reader = reader_of(ColumnType(name=kind))
    strictly = False
    for each in (*NUMBERS, *_LENIENT):
        number = each.format.plain(text)
        if number is None or (strictly and each in _LENIENT) or isinstance(reader(number), Fault):
            continue
        strictly = True
        yield each.options, f"{Decimal(number):f}" if number.endswith("e-2") else number


def _as_date(text: str) -> Iterator[tuple[str, str]]:
    if _DATE_LIKE.match(text):
        for each in (*DATES, *TWO_DIGIT_DATES):
            match = each.pattern.match(text)
            if match is None or text[match.end : match.end + 1].isdigit():
                continue
            if match.day is not None:
                yield each.options, match.day.isoformat()
    elif _SECONDS.fullmatch(text):
        yield f"date_format={Epoch.SECONDS.value}", "seconds since 1970"
    elif _MILLISECONDS.fullmatch(text):
        yield f"date_format={Epoch.MILLISECONDS.value}", "milliseconds since 1970"
