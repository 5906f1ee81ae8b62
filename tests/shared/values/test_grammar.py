"""The type table: what texts of each type are, and the codes of what they are not."""

import math
from typing import Any

import pytest

from shared.values.faults import Cause, Fault
from shared.values.grammar import Digits, fits, read
from shared.values.intervals import Interval
from shared.values.names import of_api
from shared.values.numbers import Number
from shared.values.types import is_widening

MISMATCH, RANGE = CODES = ("type_mismatch", "out_of_range")

TABLE: list[tuple[str, str, Any]] = [
    ("INTEGER", "3.0", 3),
    ("INTEGER", "-007.000", -7),
    ("SMALLINT", "32768.0", RANGE),
    ("BIGINT", "-9223372036854775808", -(2**63)),
    ("BIGINT", "9" * 5000, RANGE),
    *(("INTEGER", text, MISMATCH) for text in ("3.", ".0", "3.5", "1e2", "1_000", "1,000", "")),
    ("NUMERIC(5,2)", "1.500", Digits(minus=False, digits="150", exponent=-2)),
    ("NUMERIC(5,2)", "-123.45000", Digits(minus=True, digits="12345", exponent=-2)),
    ("NUMERIC(5,2)", "0.0000", Digits(minus=False, digits="", exponent=-2)),
    ("NUMERIC(5,2)", "1.505", RANGE),
    ("NUMERIC(5,2)", "1000", RANGE),
    ("NUMERIC(5,2)", "1e2", Digits(minus=False, digits="1", exponent=2)),
    ("NUMERIC(4,0)", "12.0", Digits(minus=False, digits="12", exponent=0)),
    ("NUMERIC", "1.500", Digits(minus=False, digits="1500", exponent=-3)),
    ("NUMERIC", "1e131071", Digits(minus=False, digits="1", exponent=131071)),
    ("NUMERIC", "1e131072", RANGE),
    ("NUMERIC", "1e-16384", RANGE),
    ("NUMERIC(5,2)", "0e-16384", RANGE),
    ("NUMERIC", "1e99999999999999999999", RANGE),
    ("NUMERIC", "NaN", MISMATCH),
    ("REAL", "nan", math.nan),
    ("DOUBLE PRECISION", "NaN", math.nan),
    ("DOUBLE PRECISION", "infinity", math.inf),
    ("DOUBLE PRECISION", "-INFINITY", -math.inf),
    ("DOUBLE PRECISION", "+Infinity", MISMATCH),
    ("DOUBLE PRECISION", "inf", MISMATCH),
    ("DOUBLE PRECISION", "1e-400", RANGE),
    ("DOUBLE PRECISION", "-0.000001e-400", RANGE),
    ("DOUBLE PRECISION", "1e400", RANGE),
    ("DOUBLE PRECISION", "1e99999999999", RANGE),
    ("DOUBLE PRECISION", "0e-400", 0.0),
    ("DOUBLE PRECISION", "5e-324", 5e-324),
    ("REAL", "1e-50", RANGE),
    ("REAL", "1e39", RANGE),
    ("REAL", "0.0000", 0.0),
    ("REAL", "0.1", 0.10000000149011612),
    ("INTERVAL", "1 day 02:03:00", Interval(0, 1, 7_380_000_000)),
    ("INTERVAL", "1 year 2 mons", Interval(14, 0, 0)),
    ("INTERVAL", "1 year 2 mons -3 days +04:05:06.7", Interval(14, -3, 14_706_700_000)),
    ("INTERVAL", "2 days", Interval(0, 2, 0)),
    ("INTERVAL", "1 month 1 week 1 hour 1 minute 1 second", Interval(1, 7, 3_661_000_000)),
    ("INTERVAL", "-01:02", Interval(0, 0, -3_720_000_000)),
    ("INTERVAL", "1:02", Interval(0, 0, 3_720_000_000)),
    ("INTERVAL", "-P1D", Interval(0, -1, 0)),
    ("INTERVAL", "-P1Y2M3W4DT5H6M7.5S", Interval(-14, -25, -18_367_500_000)),
    ("INTERVAL", "+P1D", Interval(0, 1, 0)),
    ("INTERVAL", "P-1DT-2H", Interval(0, -1, -7_200_000_000)),
    ("INTERVAL", "P9999999999Y", RANGE),
    ("INTERVAL", "P2147483648M", RANGE),
    ("INTERVAL", "P2147483647M", Interval(2_147_483_647, 0, 0)),
    ("INTERVAL", f"P{'9' * 5000}D", RANGE),
    ("INTERVAL", f"PT{'9' * 50}S", RANGE),
    ("INTERVAL", f"{'9' * 40} days", RANGE),
    *(
        ("UUID", text, bytes.fromhex("6ba7b8109dad11d180b400c04fd430c8"))
        for text in (
            "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
            "6BA7B8109DAD11D180B400C04FD430C8",
            "{6ba7b810-9dad-11d1-80b4-00c04fd430c8}",
            "6ba7b8109dad-11d1-80b4-00c04fd430c8",
        )
    ),
    ("UUID", "{6ba7b810-9dad-11d1-80b4-00c04fd430c8", MISMATCH),
    ("UUID", "6ba7b810-9dad-11d1-80b4-00c04fd430c8}", MISMATCH),
    ("UUID", "6ba7b810--9dad-11d1-80b4-00c04fd430c8", MISMATCH),
    ("UUID", "6ba7-b810-9dad-11d1-80b4-00c04fd430c8", MISMATCH),
    *(
        ("INTERVAL", text, MISMATCH)
        for text in (
            *("", "P", "PT", "P1", "1", "1 day 1 day", "1 hour 02:00", "day", "1 fortnight"),
            *("10:99", "10:11:60", "1 day ", " 1 day", "1  day", "1day", "1.5 days", "P1.5D"),
        )
    ),
]


def outcome(kind: str, text: str) -> Any:
    value = read(of_api(kind), text)
    return value.code.value if isinstance(value, Fault) else value


@pytest.mark.parametrize(("kind", "text", "expected"), TABLE)
def test_the_type_table(kind: str, text: str, expected: Any) -> None:
    value = outcome(kind, text)
    assert repr(value) == repr(expected)
    fault = fits(of_api(kind), text)
    assert (fault and fault.code) == (expected if expected in CODES else None)


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("[" * 100_000, Cause.DEPTH),
        ('"\\u0000"', Cause.ESCAPES),
        ('{"\\ud800": 1}', Cause.ESCAPES),
        ('["\\udfff"]', Cause.ESCAPES),
        ("NaN", Cause.SHAPE),
        ("1e131072", Cause.SHAPE),
        ("1e-16384", Cause.SHAPE),
        ("{} {}", Cause.SHAPE),
        ('"\\ud83d\\ude00"', None),
        ('{"\\u00e9": ' + "9" * 5000 + "}", None),
        ("[" * 900 + "]" * 900, None),
    ],
)
def test_json_cells(text: str, cause: Cause | None) -> None:
    value = read(of_api("JSON"), text)
    assert (value.cause if isinstance(value, Fault) else None) is cause
    if cause is None:
        assert value == text


def test_json_values_are_looked_through() -> None:
    deep: object = "x\0"
    for _ in range(2000):
        deep = [deep]
    for value in (deep, {"\0": 1}, [{"a": "\ud800"}]):
        assert fits(of_api("JSON"), value) is not None
    assert fits(of_api("JSON"), {"a": [Number("1"), True, None, "x"]}) is None
    for kind in ("INTEGER", "TEXT", "DATE"):
        assert fits(of_api(kind), ["1"]) == Fault(Cause.SHAPE)
    assert fits(of_api("DATE"), Number("20240105")) == Fault(Cause.SHAPE)
    assert fits(of_api("BOOLEAN"), value=True) is None
    assert fits(of_api("INTEGER"), value=True) == Fault(Cause.SHAPE)


@pytest.mark.parametrize(
    ("old", "new", "widening"),
    [
        ("VARCHAR(5)", "VARCHAR(5)", True),
        ("VARCHAR(5)", "VARCHAR(4)", False),
        ("VARCHAR(5)", "TEXT", True),
        ("TEXT", "VARCHAR(5)", False),
        ("INTEGER", "BIGINT", False),
    ],
)
def test_types_whose_texts_are_all_of_another(old: str, new: str, *, widening: bool) -> None:
    assert is_widening(of_api(old), of_api(new)) is widening
