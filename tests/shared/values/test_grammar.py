"""The type table: what texts of each type are, and the codes of what they are not."""

import math
from typing import Any

import pytest

from shared.values.faults import Fault
from shared.values.grammar import fits, read
from shared.values.names import of_api

MISMATCH, RANGE = CODES = ("type_mismatch", "out_of_range")

TABLE: list[tuple[str, str, Any]] = [
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
