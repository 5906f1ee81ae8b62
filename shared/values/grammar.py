"""The type table of the API: which value a text is, and whether a JSON value fits a column.

Nothing is rounded or cut. White space around a text is the caller's to trim, and an empty text or
a word for NULL never comes here. What is wrong is returned as a `Fault`, which each service says
in its own words.
"""

import json
import math
import re
import struct
from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from functools import partial
from typing import NamedTuple, NoReturn, TypeAlias

from shared.values.dates import DateFormat
from shared.values.faults import SHAPE, Cause, Fault
from shared.values.instants import Infinity, read_date, read_time, read_timestamp
from shared.values.intervals import Interval, read_duration, read_words
from shared.values.notation import TYPE_TABLE, Notation
from shared.values.number_formats import NumberFormat
from shared.values.numbers import VALUES_LIMIT, Number, read_json, values_at_most
from shared.values.texts import is_storable
from shared.values.types import (
    FALSE_WORDS,
    INTEGER_BITS,
    NUMBER_TYPES,
    NUMERIC_SCALE_LIMIT,
    NUMERIC_WHOLE_LIMIT,
    TRUE_WORDS,
    ColumnType,
    TypeName,
)


class Digits(NamedTuple):
    """A decimal number: (-1)^`minus` * `digits` * 10^`exponent`.

    No leading zeros, so zero has no digits. The exponent is that of the text as it was written, but
    zeros behind the digits that a NUMERIC(p,s) holds are gone.
    """

    minus: bool
    digits: str
    exponent: int


Value: TypeAlias = (
    int | float | Digits | bool | str | bytes | date | time | datetime | Infinity | Interval
)
"""NUMERIC is Digits, UUID and BYTEA are bytes, JSON is its text, both kinds of timestamps are
a datetime without a zone: the wall clock's, and the instant in UTC."""
Reader = Callable[[str], Value | Fault]
Check = Callable[[object], Fault | None]


_POWER_LIMIT = 10**9

_INTEGER = re.compile(r"([+-]?)0*([0-9]+)(?:\.0+)?", re.ASCII)
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?", re.ASCII)
_HEX = "[0-9a-fA-F]"
_UUID = re.compile(rf"({{)?{_HEX}{{8}}-?(?:{_HEX}{{4}}-?){{3}}{_HEX}{{12}}(?(1)}})", re.ASCII)
_BYTEA = re.compile(r"\\x(?:[0-9a-fA-F]{2})*", re.ASCII)
_FLOAT_WORDS = {"nan": math.nan, "infinity": math.inf, "-infinity": -math.inf}


def reader_of(kind: ColumnType, notation: Notation = TYPE_TABLE) -> Reader:
    """The reader of one column: `read` without looking its type up for every cell."""
    reader = _reader_of(kind, notation.dates)
    if kind.name in NUMBER_TYPES and not notation.numbers.is_plain:
        return partial(_written_otherwise, numbers=notation.numbers, reader=reader)
    return reader


def _written_otherwise(text: str, *, numbers: NumberFormat, reader: Reader) -> Value | Fault:
    plain = numbers.plain(text)
    return SHAPE if plain is None else reader(plain)


def _reader_of(  # noqa: C901, PLR0911 - one case per type is the clearest
    kind: ColumnType, dates: DateFormat
) -> Reader:
    match kind.name:
        case TypeName.TEXT | TypeName.VARCHAR | TypeName.CHAR:
            return partial(_text, length=kind.length)
        case TypeName.SMALLINT | TypeName.INTEGER | TypeName.BIGINT:
            return partial(_integer, bound=1 << INTEGER_BITS[kind.name])
        case TypeName.NUMERIC:
            return partial(_numeric, kind=kind)
        case TypeName.REAL | TypeName.DOUBLE:
            return partial(_float, single=kind.name is TypeName.REAL)
        case TypeName.BOOLEAN:
            return _boolean
        case TypeName.DATE:
            return partial(read_date, dates=dates)
        case TypeName.TIME:
            return read_time
        case TypeName.TIMESTAMP | TypeName.TIMESTAMPTZ:
            return partial(
                read_timestamp,
                zoned=kind.name is TypeName.TIMESTAMPTZ,
                dates=dates,
            )
        case TypeName.INTERVAL:
            return _interval
        case TypeName.UUID:
            return _uuid
        case TypeName.JSON:
            return _json
        case TypeName.BYTEA:
            return _bytea


def read(kind: ColumnType, text: str, notation: Notation = TYPE_TABLE) -> Value | Fault:
    """The value that a text is, or why it is none."""
    return reader_of(kind, notation)(text)


def check_of(kind: ColumnType) -> Check:
    """The check of one column: `fits` without looking its type up for every value."""
    if kind.name is TypeName.JSON:
        return _json_value
    reader = reader_of(kind)
    if kind.name is TypeName.BOOLEAN:
        return lambda value: None if isinstance(value, bool) else _as_text(value, reader)
    if kind.name in _NUMBERS_FIT:
        return lambda value: _as_text(value, reader)
    return lambda value: SHAPE if isinstance(value, Number) else _as_text(value, reader)


def fits(kind: ColumnType, value: object) -> Fault | None:
    """Why a JSON value (str, Number, bool, list or dict) does not fit; None where it does.

    The value is looked at, never converted.
    """
    return check_of(kind)(value)


_NUMBERS_FIT = frozenset(
    {
        *(TypeName.TEXT, TypeName.VARCHAR, TypeName.CHAR, TypeName.NUMERIC),
        *(TypeName.SMALLINT, TypeName.INTEGER, TypeName.BIGINT, TypeName.REAL, TypeName.DOUBLE),
    }
)
"""Types for which a JSON number is as good as a text."""


def _as_text(value: object, reader: Reader) -> Fault | None:
    if not isinstance(value, str):
        return SHAPE
    result = reader(value)
    return result if isinstance(result, Fault) else None


def _json_value(value: object) -> Fault | None:
    left = [value]
    while left:
        part = left.pop()
        if isinstance(part, Mapping):
            left += [*part.keys(), *part.values()]
        elif isinstance(part, list):
            left += part
        elif isinstance(part, Number):
            if not _in_json(part):
                return Fault(Cause.BOUNDS)
        elif isinstance(part, str) and (fault := _unstorable(part)) is not None:
            return fault
    return None


def _text(text: str, *, length: int | None) -> str | Fault:
    if length is not None and len(text) > length:
        return Fault(Cause.LENGTH, length)
    return _unstorable(text) or text


def _unstorable(text: str) -> Fault | None:
    if is_storable(text):
        return None
    return Fault(Cause.NUL if "\0" in text else Cause.SURROGATE)


def _integer(text: str, *, bound: int) -> int | Fault:
    match = _INTEGER.fullmatch(text)
    if match is None:
        return SHAPE
    # int() refuses thousands of digits; twenty are too many already.
    value = int(match[1] + match[2]) if len(match[2]) <= 19 else bound
    return value if -bound <= value < bound else Fault(Cause.BOUNDS)


def _numeric(text: str, *, kind: ColumnType) -> Digits | Fault:
    if not _NUMBER.fullmatch(text):
        return SHAPE
    number = decimal_digits(text)
    _, digits, exponent = number
    scale = NUMERIC_SCALE_LIMIT if kind.precision is None else kind.scale or 0
    most = NUMERIC_WHOLE_LIMIT if kind.precision is None else kind.precision - scale
    if digits and len(digits) + exponent > most:
        return Fault(Cause.WHOLE_DIGITS, most)
    beyond = -exponent - scale
    if beyond > 0 and (digits[-beyond:].strip("0") or -exponent > NUMERIC_SCALE_LIMIT):
        return Fault(Cause.FRACTION_DIGITS, scale)
    return number._replace(digits=digits[:-beyond], exponent=-scale) if beyond > 0 else number


def decimal_digits(text: str) -> Digits:
    """A text of the shape of a number, taken apart."""
    mantissa, _, power = text.lower().partition("e")
    whole, _, fraction = mantissa.lstrip("+-").partition(".")
    size = power.lstrip("+-").lstrip("0")
    # A power of many digits is beyond all limits, and int() refuses thousands of them.
    shift = min(int(size or 0), _POWER_LIMIT) if len(size) < 12 else _POWER_LIMIT
    shift = -shift if power.startswith("-") else shift
    return Digits(text.startswith("-"), (whole + fraction).lstrip("0"), shift - len(fraction))


def _float(text: str, *, single: bool) -> float | Fault:
    word = text.lower()
    if word in _FLOAT_WORDS:
        return _FLOAT_WORDS[word]
    if not _NUMBER.fullmatch(text):
        return SHAPE
    value = float(text)
    if single:
        try:
            (value,) = struct.unpack("<f", struct.pack("<f", value))
        except OverflowError:
            return Fault(Cause.BOUNDS)
    vanished = value == 0 and decimal_digits(text).digits
    return Fault(Cause.BOUNDS) if math.isinf(value) or vanished else value


def _boolean(text: str) -> bool | Fault:
    word = text.lower()
    return True if word in TRUE_WORDS else False if word in FALSE_WORDS else SHAPE


def _interval(text: str) -> Interval | Fault:
    length = read_duration(text)
    if length is None:
        length = read_words(text)
    if length is None:
        return SHAPE
    return length if length.fits else Fault(Cause.BOUNDS)


def _uuid(text: str) -> bytes | Fault:
    if not _UUID.fullmatch(text):
        return SHAPE
    return bytes.fromhex(text.strip("{}").replace("-", ""))


def _bytea(text: str) -> bytes | Fault:
    return bytes.fromhex(text[2:]) if _BYTEA.fullmatch(text) else SHAPE


def _json(text: str) -> str | Fault:
    if values_at_most(text) > VALUES_LIMIT:
        return Fault(Cause.VALUES, VALUES_LIMIT)
    try:
        json.loads(
            text,
            parse_constant=_no_constant,
            parse_int=_json_number,
            parse_float=_json_number,
            object_pairs_hook=_once_each,
        )
    except _RepeatedError:
        return Fault(Cause.MEMBERS)
    except ValueError:
        return SHAPE
    except RecursionError:
        return Fault(Cause.DEPTH)
    # PostgreSQL's jsonb holds neither NUL nor half of a surrogate pair.
    if "\\u" in text and _json_value(read_json(text)) is not None:
        return Fault(Cause.ESCAPES)
    return text


class _RepeatedError(ValueError):
    """A member is there twice: PostgreSQL's jsonb would keep the last."""


def _once_each(members: list[tuple[str, object]]) -> None:
    if len(dict(members)) < len(members):
        raise _RepeatedError


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _json_number(text: str) -> None:
    if not _in_json(text):
        raise ValueError(text)


def _in_json(number: str) -> bool:
    # PostgreSQL's jsonb holds its numbers as NUMERIC, a zero too.
    _, digits, exponent = decimal_digits(number)
    return len(digits) + exponent <= NUMERIC_WHOLE_LIMIT and -exponent <= NUMERIC_SCALE_LIMIT
