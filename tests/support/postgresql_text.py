"""Values of the grammar as PostgreSQL writes them, in UTC and with intervals in ISO 8601."""

import uuid
from datetime import datetime, time
from decimal import Decimal
from typing import Any

from shared.values.grammar import Digits
from shared.values.instants import Infinity
from shared.values.intervals import Interval
from shared.values.names import of_api
from shared.values.types import ColumnType


def in_postgresql(kind: ColumnType, value: Any) -> str:
    """A value as PostgreSQL shows it."""
    if isinstance(value, Digits):
        number = Decimal((value.minus, tuple(map(int, value.digits)) or (0,), value.exponent))
        scale = kind.scale or 0 if kind.precision is not None else max(0, -value.exponent)
        shown = f"{number:.{scale}f}" if value.digits else f"{0:.{scale}f}"
        return shown.removeprefix("-") if not value.digits else shown
    if isinstance(value, Interval):
        return shown_interval(value)
    if isinstance(value, bytes):
        return str(uuid.UUID(bytes=value)) if kind == of_api("UUID") else rf"\x{value.hex()}"
    if isinstance(value, datetime | time):
        shown = str(value).rstrip("0").rstrip(".") if value.microsecond else str(value)
        return shown + ("+00" if kind == of_api("TIMESTAMPTZ") else "")
    shown = value.value if isinstance(value, Infinity) else str(value)
    return shown.lower() if isinstance(value, bool) else shown


def shown_interval(interval: Interval) -> str:
    """In the style iso_8601."""
    years, months = divmod(abs(interval.months), 12)
    sign = "-" if interval.months < 0 else ""
    shown = "".join(f"{sign}{n}{unit}" for n, unit in ((years, "Y"), (months, "M")) if n)
    shown += f"{interval.days}D" if interval.days else ""
    rest, microseconds = divmod(abs(interval.microseconds), 1_000_000)
    hours, minutes, seconds = rest // 3600, rest // 60 % 60, rest % 60
    sign = "-" if interval.microseconds < 0 else ""
    clock = "".join(f"{sign}{n}{unit}" for n, unit in ((hours, "H"), (minutes, "M")) if n)
    if seconds or microseconds:
        fraction = f".{microseconds:06}".rstrip("0").rstrip(".")
        clock += f"{sign}{seconds}{fraction}S"
    return f"P{shown}{'T' + clock if clock else ''}" if shown or clock else "PT0S"
