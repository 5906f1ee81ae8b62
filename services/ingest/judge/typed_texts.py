"""Typed cells as texts for people, as PostgreSQL writes them into JSON."""

import struct
import uuid
from datetime import date, timedelta
from typing import Any

import polars as pl

from services.ingest.judge.lossless import double_text
from services.ingest.judge.numeric_values import numeric_text
from services.ingest.plan.dtypes import EARLIEST_US, LATEST_US
from shared.values.intervals import Interval
from shared.values.types import FLOAT_TYPES, TIMESTAMP_TYPES, ColumnType, TypeName

DAY_US = 86_400_000_000
EPOCH = date(1970, 1, 1)
CYCLE_DAYS, CYCLE_YEARS = 146_097, 400
"""The calendar repeats itself."""


def typed_texts(cells: pl.Series, kind: ColumnType) -> list[str]:
    """The cells of a few rows, none of them null; their dtype is that of `dtype_of`."""
    if kind.name is TypeName.DATE:
        return [_day(days) for days in cells.cast(pl.Int32)]
    if kind.name is TypeName.TIME:
        return [_clock(nanoseconds // 1000) for nanoseconds in cells.cast(pl.Int64)]
    if kind.name in TIMESTAMP_TYPES:
        zone = "+00:00" if kind.name is TypeName.TIMESTAMPTZ else ""
        return [_moment(microseconds, zone) for microseconds in cells.cast(pl.Int64)]
    if kind.name in FLOAT_TYPES:
        return _floats(cells)
    if cells.dtype == pl.Binary:
        return [_binary_text(value, kind) for value in cells]
    return cells.cast(pl.String).to_list()


def _floats(cells: pl.Series) -> list[str]:
    if cells.dtype == pl.Float32:
        # The shortest digits of a single are its own, not those of the double that it becomes.
        cells = cells.cast(pl.String).cast(pl.Float64)
    return [double_text(value) for value in cells]


def _day(days: int) -> str:
    """A day since 1970; polars and Python know fewer years than PostgreSQL."""
    text, era = _calendar(days)
    return text + era


def _calendar(days: int) -> tuple[str, str]:
    cycles, rest = divmod(days, CYCLE_DAYS)
    day = EPOCH + timedelta(rest)
    year = day.year + cycles * CYCLE_YEARS
    shown, era = (year, "") if year > 0 else (1 - year, " BC")
    return f"{shown:04}-{day.month:02}-{day.day:02}", era


def _moment(microseconds: int, zone: str) -> str:
    if microseconds in (EARLIEST_US, LATEST_US):
        return "-infinity" if microseconds == EARLIEST_US else "infinity"
    days, rest = divmod(microseconds, DAY_US)
    text, era = _calendar(days)
    return f"{text}T{_clock(rest)}{zone}{era}"


def _clock(microseconds: int) -> str:
    seconds, fraction = divmod(microseconds, 1_000_000)
    text = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return f"{text}.{fraction:06}".rstrip("0") if fraction else text


def _binary_text(value: Any, kind: ColumnType) -> str:
    match kind.name:
        case TypeName.NUMERIC:
            return numeric_text(value)
        case TypeName.UUID:
            return str(uuid.UUID(bytes=value))
        case TypeName.INTERVAL:
            microseconds, days, months = struct.unpack(">qii", value)
            return Interval(months, days, microseconds).duration()
        case _:
            return rf"\x{value.hex()}"
