"""A cell's text, out of its number and its number format.

A workbook stores 12 %, 29 February 2024 and 49:30 hours as numbers; what they are stands in the
format. Serial dates: ECMA-376 part 1, 18.17.4.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum, auto

DIGITS_SHOWN = 15
"""Significant digits that a spreadsheet program shows of a binary floating-point number."""
DIGITS_OF_A_DOUBLE = 17
LAST_SERIAL = 2_958_466
"""The day after 31 December 9999, in the 1900 system."""
LEAP_DAY_1900 = 60
"""29 February 1900, which a spreadsheet program counts and the calendar does not."""
DAYS_BETWEEN_SYSTEMS = 1_462
MS_PER_DAY = 86_400_000

BUILT_IN_FORMATS: dict[int, str] = {
    **dict.fromkeys((14, 15, 16, 17), "yyyy-mm-dd"),
    **dict.fromkeys((18, 19, 20, 21), "h:mm:ss"),
    22: "yyyy-mm-dd h:mm",
    **dict.fromkeys(range(27, 32), "yyyy-mm-dd"),
    **dict.fromkeys((32, 33), "h:mm:ss"),
    **dict.fromkeys((34, 35, 36), "yyyy-mm-dd"),
    45: "mm:ss",
    46: "[h]:mm:ss",
    47: "mm:ss.0",
    **dict.fromkeys(range(50, 59), "yyyy-mm-dd"),
}
"""The formats without a text of their own in the file that are dates or times (18.8.30)."""

DIGIT = "\0"
"""Where a mask has a digit."""
_MASK = re.compile(r'"([^"]*)"|\\(.)|_.|\*.|\[[^\]]*\]|(0)|([-+/():!^&\'~{}<>=$ ])')
"""The parts of a format of zeros: texts, blanks, colours, zeros, characters shown as they are."""
_NOT_CODE = re.compile(r'"[^"]*"|\\.|_.|\*.')
_ELAPSED = re.compile(r"\[(h+|m+|s+)\]", re.IGNORECASE)
_BRACKETS = re.compile(r"\[[^\]]*\]")
_DATE_LETTERS = frozenset("ymdhsapgeb")
_PLAIN = re.compile(r"0|-?[1-9][0-9]{0,14}")


class Kind(Enum):
    """What a number format makes of a number."""

    NUMBER = auto()
    DATE = auto()
    DATE_TIME = auto()
    TIME = auto()
    DURATION = auto()


@dataclass(frozen=True, slots=True)
class Shape:
    """A number format, as far as it decides what a cell is."""

    kind: Kind
    mask: str = ""
    """Of a format of zeros such as 00000 or 000-00-0000: a `DIGIT` for each, between the texts."""


NUMBER = Shape(Kind.NUMBER)


class CellError(Exception):
    """A cell that holds no value: the message says why."""


def shape_of(code: str) -> Shape:
    """What a number format such as `dd/mm/yyyy`, `0.00%` or `[h]:mm` makes of a number."""
    bare = _NOT_CODE.sub("", code).partition(";")[0]
    if _ELAPSED.search(bare):
        return Shape(Kind.DURATION)
    if mask := _mask(code):
        return Shape(Kind.NUMBER, mask)
    letters = _BRACKETS.sub("", bare).lower().replace("general", "")
    if letters.isalpha() and not _DATE_LETTERS.issuperset(letters):
        return NUMBER  # "General" in another language, such as Standard
    time = "h" in letters or "s" in letters or "am/pm" in letters
    letters = letters.replace("am/pm", "").replace("a/p", "")
    date = "y" in letters or "d" in letters or ("m" in letters and not time)
    if date:
        return Shape(Kind.DATE_TIME if time else Kind.DATE)
    return Shape(Kind.TIME) if time else NUMBER


def _mask(code: str) -> str:
    """The mask of a format whose first section holds two zeros at least, and nothing but texts."""
    mask, at = "", 0
    while at < len(code) and code[at] != ";":
        part = _MASK.match(code, at)
        if part is None:
            return ""
        text, escaped, zero, shown = part.groups()
        mask += DIGIT if zero else text or escaped or shown or ""
        at = part.end()
    return mask if mask.count(DIGIT) > 1 else ""


def number_text(raw: str, shape: Shape = NUMBER) -> str:
    """The digits of a number: all that the file has, in plain notation, without a needless `.0`.

    Fractions of 16 or 17 significant digits are a double as it was printed, and are cut to the 15
    that a spreadsheet program shows; longer ones were never a double and stay. Raises CellError.
    """
    if _PLAIN.fullmatch(raw):
        return _masked(raw, shape.mask) if shape.mask else raw
    try:
        number = Decimal(raw)
    except ArithmeticError as exc:
        raise CellError(f"{raw!r} is not a number") from exc
    if not number.is_finite():
        raise CellError(f"{raw!r} is not a number")
    digits = len(number.normalize().as_tuple().digits)
    if DIGITS_SHOWN < digits <= DIGITS_OF_A_DOUBLE and number != number.to_integral_value():
        number = Decimal(f"{float(raw):.{DIGITS_SHOWN}g}")
    if abs(number.adjusted()) > 400:  # beyond any double
        raise CellError(f"{raw!r} is out of range")
    text = format(number, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    if text in ("-0", ""):
        text = "0"
    return _masked(text, shape.mask) if shape.mask else text


def _masked(text: str, mask: str) -> str:
    """A whole number's digits in a mask; those that it has no place for stand at the first one."""
    if not text.isdigit():
        return text
    places = mask.count(DIGIT)
    digits = text.zfill(places)
    ahead = len(digits) - places
    each = iter((digits[: ahead + 1], *digits[ahead + 1 :]))
    return "".join(next(each) if mark == DIGIT else mark for mark in mask)


def serial_text(raw: str, shape: Shape, *, since_1904: bool) -> str:
    """A serial date, time or duration in ISO spelling; raises CellError.

    A date whose cell also holds a time of day keeps it, and a time of a day beyond the first keeps
    its date: a format that hides a part of the value does not remove it.
    """
    try:
        serial = float(raw)
    except ValueError as exc:
        raise CellError(f"{raw!r} is not a number") from exc
    if shape.kind is Kind.DURATION:
        return _duration(serial)
    if not 0 <= serial + (DAYS_BETWEEN_SYSTEMS if since_1904 else 0) < LAST_SERIAL:
        raise CellError(f"{raw} is not a date of this workbook")
    total_ms = round(serial * MS_PER_DAY)
    days, ms = divmod(total_ms, MS_PER_DAY)
    if days == 0 and (shape.kind is Kind.TIME or not since_1904):
        return _time(ms)
    day = _day(days, since_1904=since_1904)
    if shape.kind is Kind.DATE and ms == 0:
        return day
    return f"{day} {_time(ms)}"


def _day(days: int, *, since_1904: bool) -> str:
    if since_1904:
        days += DAYS_BETWEEN_SYSTEMS
    elif days == LEAP_DAY_1900:
        raise CellError("29 February 1900 is no day of the calendar")
    base = datetime(1899, 12, 31) if days < LEAP_DAY_1900 else datetime(1899, 12, 30)  # noqa: DTZ001
    return (base + timedelta(days=days)).date().isoformat()


def _time(ms: int) -> str:
    seconds, ms = divmod(ms, 1_000)
    text = f"{seconds // 3_600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return f"{text}.{ms:03}" if ms else text


def _duration(serial: float) -> str:
    total_ms = round(abs(serial) * MS_PER_DAY)
    seconds, ms = divmod(total_ms, 1_000)
    sign = "-" if serial < 0 and total_ms else ""
    fraction = f".{ms:03}" if ms else ""
    hours, minutes = seconds // 3_600, seconds // 60 % 60
    return f"PT{sign}{hours}H{sign}{minutes}M{sign}{seconds % 60}{fraction}S"


def cell_text(raw: str, shape: Shape, *, since_1904: bool) -> str:
    """The text of a numeric cell; raises CellError."""
    if shape.kind is Kind.NUMBER:
        return number_text(raw, shape)
    return serial_text(raw, shape, since_1904=since_1904)
