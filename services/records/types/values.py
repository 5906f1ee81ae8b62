"""Which values a column takes, by the type table of the API; nothing is rounded or cut.

Values are looked at, never converted: what was sent goes to PostgreSQL as text, digit by digit.
"""

import re
import struct
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any, NamedTuple

from typing_extensions import TypeIs

from shared.errors import InvalidInputError
from shared.values.numbers import Number, json_text, read_json
from shared.values.types import (
    BOOLEAN_WORDS,
    INTEGER_BITS,
    NUMERIC_SCALE_LIMIT,
    NUMERIC_WHOLE_LIMIT,
    ColumnType,
    TypeName,
)


class Fault(NamedTuple):
    """Why a value does not fit."""

    code: str
    message: str


Check = Callable[[object], Fault | None]
"""Looks at a str (JSON string or query text), Number, bool, list or dict; never at None."""

FLOAT_WORDS = frozenset({"nan", "infinity", "-infinity"})

_INTEGER = re.compile(r"[+-]?[0-9]+")
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,9})?")
_DATE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
_TIME = re.compile(r"([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,6}))?)?")
_ZONE = re.compile(r"Z|z|([+-])([0-9]{2})(?::?([0-9]{2}))?")
_UUID = re.compile(r"[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}")
_BYTEA = re.compile(r"\\x(?:[0-9a-fA-F]{2})*")
_INTERVAL_ISO = re.compile(
    r"P(?=.)(?:[+-]?[0-9]{1,8}Y)?(?:[+-]?[0-9]{1,8}M)?(?:[+-]?[0-9]{1,8}W)?(?:[+-]?[0-9]{1,8}D)?"
    r"(?:T(?=.)(?:[+-]?[0-9]{1,8}H)?(?:[+-]?[0-9]{1,8}M)?(?:[+-]?[0-9]{1,10}(?:\.[0-9]{1,6})?S)?)?"
)
_INTERVAL_WORDS = re.compile(
    r"(?=.)(?:(?:^|\s)[+-]?[0-9]{1,8} (?:year|mon|month|week|day|hour|minute|second)s?)*"
    r"(?:(?:^|\s)[+-]?[0-9]{1,8}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?)?"
)


def parse_json(body: bytes) -> Any:
    """Read JSON, numbers as Number; raises InvalidInputError where it is none."""
    try:
        return read_json(body.decode())
    except UnicodeDecodeError as exc:
        raise InvalidInputError.of("body", "invalid_json", "the body is not UTF-8") from exc
    except RecursionError as exc:
        raise InvalidInputError.of("body", "invalid_json", "the body is nested too deep") from exc
    except ValueError as exc:
        raise InvalidInputError.of("body", "invalid_json", f"the body is not JSON: {exc}") from exc


def check_for(kind: ColumnType) -> Check:
    """The check of a type, with its length or precision."""
    if kind.name in INTEGER_BITS:
        return _integer_check(INTEGER_BITS[kind.name])
    if kind.name is TypeName.NUMERIC:
        return _numeric_check(kind.precision, kind.scale)
    if kind.name in (TypeName.TEXT, TypeName.VARCHAR, TypeName.CHAR):
        return _text_check(kind.length)
    return CHECKS[kind.name]


def stored_text(kind: ColumnType, value: object) -> str:
    """The text by which PostgreSQL is given a checked value."""
    if kind.name is TypeName.JSON:
        return json_text(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _shape(expected: str) -> Fault:
    return Fault("type_mismatch", f"send {expected}")


def _range(message: str) -> Fault:
    return Fault("out_of_range", message)


def _integer_check(bits: int) -> Check:
    low, high = -(2**bits), 2**bits - 1

    def check(value: object) -> Fault | None:
        if not isinstance(value, str) or not _INTEGER.fullmatch(value):
            return _shape("a whole number")
        # int() refuses thousands of digits; twenty are too many here already.
        if len(value.lstrip("+-0")) > 20 or not low <= int(value) <= high:
            return _range(f"send a whole number between {low} and {high}")
        return None

    return check


def _numeric_check(precision: int | None, scale: int | None) -> Check:
    whole_limit = NUMERIC_WHOLE_LIMIT if precision is None else precision - (scale or 0)
    scale_limit = NUMERIC_SCALE_LIMIT if precision is None else (scale or 0)

    def check(value: object) -> Fault | None:
        if not isinstance(value, str) or not _DECIMAL.fullmatch(value):
            return _shape("a decimal number")
        _, digits, exponent = Decimal(value).as_tuple()
        assert isinstance(exponent, int)
        significant = "".join(map(str, digits)).lstrip("0")
        trimmed = significant.rstrip("0")
        if not trimmed:
            return None
        if len(significant) + exponent > whole_limit:
            return _range(f"send at most {whole_limit} digits before the point")
        if -(exponent + len(significant) - len(trimmed)) > scale_limit:
            return _range(f"send at most {scale_limit} digits after the point")
        return None

    return check


def _float_check(*, single: bool) -> Check:
    def check(value: object) -> Fault | None:
        if not isinstance(value, str):
            return _shape("a number")
        if value.lower() in FLOAT_WORDS:
            return None
        if not _DECIMAL.fullmatch(value):
            return _shape("a number, or NaN, Infinity or -Infinity as a text")
        number = float(value)
        if single:
            try:
                kept = struct.unpack("f", struct.pack("f", number))[0]
            except OverflowError:
                kept = float("inf")
        else:
            kept = number
        vanished = kept == 0 and any(digit in "123456789" for digit in re.split("[eE]", value)[0])
        if vanished or kept in (float("inf"), float("-inf")):
            return _range("send a number that this type can hold")
        return None

    return check


def _text_check(length: int | None) -> Check:
    def check(value: object) -> Fault | None:
        if not isinstance(value, str):
            return _shape("a text")
        if length is not None and len(value) > length:
            return Fault("too_long", f"send at most {length} characters")
        return _unstorable(value)

    return check


def _unstorable(text: str) -> Fault | None:
    if "\0" in text:
        return Fault("nul_byte", "leave out the NUL character, which PostgreSQL cannot store")
    try:
        text.encode()
    except UnicodeEncodeError:
        return Fault("bad_encoding", "a lone surrogate is no character; send valid Unicode")
    return None


def _boolean(value: object) -> Fault | None:
    if isinstance(value, bool) or (isinstance(value, str) and value.lower() in BOOLEAN_WORDS):
        return None
    return _shape("true or false")


def _date(value: object) -> Fault | None:
    found = _DATE.fullmatch(value) if _plain_text(value) else None
    if found is None:
        return _shape("a date as YYYY-MM-DD")
    return _in_calendar(lambda: date(int(found[1]), int(found[2]), int(found[3])))


def _time(value: object) -> Fault | None:
    found = _TIME.fullmatch(value) if _plain_text(value) else None
    if found is None:
        return _shape("a time as HH:MM:SS")
    return _in_calendar(lambda: time(int(found[1]), int(found[2]), int(found[3] or 0)))


def _timestamp_check(*, zoned: bool) -> Check:
    expected = "a time as YYYY-MM-DDTHH:MM:SS" + ("Z" if zoned else ", without a zone")

    def check(value: object) -> Fault | None:
        if not _plain_text(value):
            return _shape(expected)
        day = _DATE.match(value)
        if day is None:
            return _shape(expected)
        clock = None
        zone = None
        if day.end() < len(value):
            clock = _TIME.match(value, day.end() + 1) if value[day.end()] in "Tt " else None
            if clock is None:
                return _shape(expected)
            if clock.end() < len(value):
                zone = _ZONE.fullmatch(value, clock.end())
                if zone is None or not zoned:
                    return _shape(expected)
        return _in_calendar(lambda: _instant(day, clock, zone))

    return check


def _instant(
    day: "re.Match[str]", clock: "re.Match[str] | None", zone: "re.Match[str] | None"
) -> datetime:
    hour, minute, second = (int(clock[place] or 0) if clock else 0 for place in (1, 2, 3))
    moment = datetime(int(day[1]), int(day[2]), int(day[3]), hour, minute, second, tzinfo=UTC)
    if zone is None or zone[1] is None:
        return moment
    offset = time(int(zone[2]), int(zone[3] or 0))
    if offset.hour > 15:
        raise ValueError("offset")
    # Only whether the instant is still in the calendar matters here.
    sign = "-" if zone[1] == "+" else "+"
    shift = datetime.strptime(f"{sign}{zone[2]}{zone[3] or '00'}", "%z").utcoffset()
    assert shift is not None
    return moment + shift


def _in_calendar(make: Callable[[], object]) -> Fault | None:
    try:
        make()
    except (ValueError, OverflowError):
        return _range("there is no such day or time")
    return None


def _interval(value: object) -> Fault | None:
    if _plain_text(value) and (_INTERVAL_ISO.fullmatch(value) or _INTERVAL_WORDS.fullmatch(value)):
        return None
    return _shape("an interval as P1DT2H3M or '1 day 02:03:00'")


def _uuid(value: object) -> Fault | None:
    if _plain_text(value) and _UUID.fullmatch(value):
        return None
    return _shape("a UUID")


def _bytea(value: object) -> Fault | None:
    if _plain_text(value) and _BYTEA.fullmatch(value):
        return None
    return _shape("bytes as \\x and hexadecimal digits")


def _json(value: object) -> Fault | None:
    if isinstance(value, str):
        return _unstorable(value)
    parts: list[object] = []
    if isinstance(value, Mapping):
        parts = [*value.keys(), *value.values()]
    elif isinstance(value, list):
        parts = value
    return next((fault for part in parts if (fault := _json(part)) is not None), None)


def _plain_text(value: object) -> "TypeIs[str]":
    return isinstance(value, str) and not isinstance(value, Number)


CHECKS: Mapping[TypeName, Check] = {
    TypeName.REAL: _float_check(single=True),
    TypeName.DOUBLE: _float_check(single=False),
    TypeName.BOOLEAN: _boolean,
    TypeName.DATE: _date,
    TypeName.TIME: _time,
    TypeName.TIMESTAMP: _timestamp_check(zoned=False),
    TypeName.TIMESTAMPTZ: _timestamp_check(zoned=True),
    TypeName.INTERVAL: _interval,
    TypeName.UUID: _uuid,
    TypeName.JSON: _json,
    TypeName.BYTEA: _bytea,
}
