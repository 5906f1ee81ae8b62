"""The type table of the API, read plainly and slowly; shares no code with the product.

`read_cell` gives the value that must land in PostgreSQL (as asyncpg returns it), None for NULL,
or raises `Refused` with the reject code.
"""

import json
import math
import re
import struct
import uuid
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

WHITE = re.compile(r"^[ \t\n\r\v\f\x85\xa0]+|[ \t\n\r\v\f\x85\xa0]+$")
INTEGERS = {"SMALLINT": 15, "INTEGER": 31, "BIGINT": 63}
TRUE, FALSE = {"true", "t", "yes", "y", "on", "1"}, {"false", "f", "no", "n", "off", "0"}
DIGITS = set("0123456789")


class Refused(Exception):  # noqa: N818 - a cell is refused
    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def read_cell(
    text: str, *, quoted: bool, spelled: str, nullable: bool, null_values: tuple[str, ...] = ()
) -> Any:
    kind, _, inside = spelled.rstrip(")").partition("(")
    numbers = [int(number) for number in inside.split(",")] if inside else []
    if "\0" in text:
        raise Refused("nul_byte")
    textual = kind in ("TEXT", "VARCHAR", "CHAR")
    if not textual:
        text = WHITE.sub("", text)
    empty = text == "" and not (textual and quoted)
    value = None if empty or text in null_values else typed(text, kind, numbers)
    if value is None and not nullable:
        raise Refused("not_null")
    return value


def typed(text: str, kind: str, numbers: list[int]) -> Any:  # noqa: C901, PLR0911, PLR0912 - a table
    match kind:
        case "TEXT":
            return text
        case "VARCHAR" | "CHAR":
            if len(text) > numbers[0]:
                raise Refused("too_long")
            return text if kind == "VARCHAR" else text.ljust(numbers[0])
        case "SMALLINT" | "INTEGER" | "BIGINT":
            return whole(text, 1 << INTEGERS[kind])
        case "NUMERIC":
            return numeric(text, numbers)
        case "REAL" | "DOUBLE PRECISION":
            return floating(text, real=kind == "REAL")
        case "BOOLEAN":
            if text.lower() in TRUE | FALSE:
                return text.lower() in TRUE
            raise Refused("type_mismatch")
        case "DATE":
            return calendar_day(text)
        case "TIME":
            return clock(text)
        case "TIMESTAMP" | "TIMESTAMPTZ":
            return instant(text, zoned=kind == "TIMESTAMPTZ")
        case "INTERVAL":
            return duration(text)
        case "UUID":
            inside = text[1:-1] if text[:1] + text[-1:] == "{}" else text
            if not re.fullmatch(r"[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}", inside.lower()):
                raise Refused("type_mismatch")
            return uuid.UUID(inside)
        case "JSON":
            try:
                return canonical_json(text)
            except (ValueError, ZeroDivisionError):
                raise Refused("type_mismatch") from None
        case "BYTEA":
            if (
                not text.startswith("\\x")
                or len(text) % 2
                or not set(text[2:].lower()) <= set("0123456789abcdef")
            ):
                raise Refused("type_mismatch")
            return bytes.fromhex(text[2:])
    raise AssertionError(kind)


class Json(str):
    """JSON in one spelling, so that jsonb's own can be compared."""

    __slots__ = ()


def canonical_json(text: str) -> Json:
    """Raises ValueError, ZeroDivisionError."""
    value = json.loads(
        text, parse_constant=lambda _: 1 // 0, parse_float=plain_number, parse_int=plain_number
    )
    return Json(json.dumps(value, sort_keys=True))


def plain_number(text: str) -> str:
    value = Decimal(text)
    return f"number {abs(value) if value == 0 else value:f}"


def whole(text: str, bound: int) -> int:
    text, point, fraction = text.partition(".")
    if point and set(fraction) != {"0"}:
        raise Refused("type_mismatch")
    digits = text[1:] if text[:1] in ("+", "-") else text
    if not digits or not set(digits) <= DIGITS:
        raise Refused("type_mismatch")
    if not -bound <= int(text) < bound:
        raise Refused("out_of_range")
    return int(text)


def is_number(text: str) -> bool:
    return bool(re.fullmatch(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?", text))


def numeric(text: str, numbers: list[int]) -> Decimal:
    if not is_number(text):
        raise Refused("type_mismatch")
    value = Decimal(text)
    exponent = value.as_tuple().exponent
    assert isinstance(exponent, int)
    before = len(str(abs(int(value)))) if abs(value) >= 1 else 0
    after = max(0, -exponent)
    if numbers and before > numbers[0] - numbers[1]:
        raise Refused("out_of_range")
    if numbers and value != round(value, numbers[1]):
        raise Refused("out_of_range")
    if before > 131_072 or after > 16_383:
        raise Refused("out_of_range")
    # PostgreSQL shows as many decimals as the type has, and knows no negative zero.
    value = value.quantize(Decimal(1).scaleb(-numbers[1])) if numbers else value
    return abs(value) if value == 0 else value


def floating(text: str, *, real: bool) -> float:
    if text.lower() in ("nan", "infinity", "-infinity"):
        return float(text)
    if not is_number(text):
        raise Refused("type_mismatch")
    value = float(text)
    if real:
        try:
            value = struct.unpack("f", struct.pack("f", value))[0]
        except OverflowError:
            raise Refused("out_of_range") from None
    if math.isinf(value) or (value == 0 and Decimal(text) != 0):
        raise Refused("out_of_range")
    return value


def calendar_day(text: str) -> date:
    if len(text) > 10:
        text, of_day, zone = parts_of(text)
        if set(of_day) - set("0:.") or set(zone) & set("123456789"):
            raise Refused("type_mismatch")
    if not re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        raise Refused("type_mismatch")
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Refused("out_of_range") from None


def clock(text: str) -> time:
    if not re.fullmatch(r"[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6}0*)?)?", text):
        raise Refused("type_mismatch")
    whole_part, _, fraction = text.partition(".")
    hour, minute, second = (int(part) for part in f"{whole_part}:00".split(":")[:3])
    try:
        return time(hour, minute, second, int(fraction[:6].ljust(6, "0")))
    except ValueError:
        raise Refused("out_of_range") from None


def parts_of(text: str) -> tuple[str, str, str]:
    """Day, time of day and zone of a timestamp; all of the shape that they must have."""
    day, between, rest = text[:10], text[10:11], text[11:]
    if re.match("[0-9]{8}[Tt]", text):
        day, between, rest = f"{text[:4]}-{text[4:6]}-{text[6:8]}", text[8], text[9:]
        rest = re.sub("^([0-9]{2})([0-9]{2})(?![0-9])", r"\1:\2", rest)
        rest = re.sub("^([0-9]{2})([0-9]{2})([0-9]{2})(?![0-9])", r"\1:\2:\3", rest)
    zone = rest.lstrip("0123456789:.")
    of_day = rest.removesuffix(zone)
    if (between or rest) and (between not in ("T", "t", " ") or not of_day):
        raise Refused("type_mismatch")
    if not re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", day):
        raise Refused("type_mismatch")
    if of_day and not re.fullmatch(r"[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6}0*)?)?", of_day):
        raise Refused("type_mismatch")
    if not re.fullmatch("( ?(Z|z|UTC|[+-][0-9]{2}(:?[0-9]{2})?|[+-]00:?00 UTC))?", zone):
        raise Refused("type_mismatch")
    return day, of_day, zone


def offset_of(zone: str) -> timedelta:
    digits = "".join(char for char in zone if char in DIGITS)
    hours, minutes = int(digits[:2] or 0), int(digits[2:] or 0)
    if hours > 15 or minutes > 59:
        raise Refused("out_of_range")
    return timedelta(hours=hours, minutes=minutes) * (-1 if "-" in zone else 1)


def instant(text: str, *, zoned: bool) -> datetime:
    utc = UTC if zoned else None
    if text.lower() in ("infinity", "-infinity"):  # so asyncpg has them
        return datetime.min if text.startswith("-") else datetime.max  # noqa: DTZ901
    day, of_day, zone = parts_of(text)
    if zone and not zoned:
        raise Refused("type_mismatch")
    moment = datetime.combine(calendar_day(day), clock(of_day) if of_day else time(), utc)
    try:
        return moment - offset_of(zone)
    except OverflowError:
        raise Refused("out_of_range") from None


def duration(text: str) -> timedelta:
    """Days and smaller units only: asyncpg has no months."""
    found = re.fullmatch(
        r"([+-]?)P(?:([+-]?[0-9]+)W)?(?:([+-]?[0-9]+)D)?"
        r"(T(?:([+-]?[0-9]+)H)?(?:([+-]?[0-9]+)M)?(?:([+-]?[0-9]+(?:\.[0-9]{1,6})?)S)?)?",
        text,
    )
    if found is None:
        return in_words(text)
    if text[-1] in "PT":
        raise Refused("type_mismatch")
    total = timedelta(
        weeks=int(found[2] or 0),
        days=int(found[3] or 0),
        hours=int(found[5] or 0),
        minutes=int(found[6] or 0),
        microseconds=micro(found[7] or "0"),
    )
    return -total if found[1] == "-" else total


def in_words(text: str) -> timedelta:
    """`1 day -02:03:00`: units, each once, then a clock."""
    words = text.split(" ")
    total = timedelta()
    seen = set()
    if found := re.fullmatch(
        r"([+-]?)([0-9]+):([0-5][0-9])(?::([0-5][0-9](?:\.[0-9]{1,6})?))?", words[-1]
    ):
        words.pop()
        clock = timedelta(hours=int(found[2]), minutes=int(found[3]))
        clock += timedelta(microseconds=micro(found[4] or "0"))
        total += -clock if found[1] == "-" else clock
        seen |= {"hour", "minute", "second"}
    if len(words) % 2:
        raise Refused("type_mismatch")
    for number, word in zip(words[::2], words[1::2], strict=True):
        unit = word.removesuffix("s")
        if not re.fullmatch("[+-]?[0-9]+", number) or unit in seen:
            raise Refused("type_mismatch")
        if unit not in ("week", "day", "hour", "minute", "second"):
            raise Refused("type_mismatch")
        seen.add(unit)
        total += timedelta(**{f"{unit}s": int(number)})
    return total


def micro(seconds: str) -> int:
    return int(Decimal(seconds) * 1_000_000)
