"""Vectorised casts against the reading of single cells: what a cast takes is right."""

import struct
from decimal import Decimal, localcontext

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.judge.casting import TextRules, fast_cast, finish
from services.ingest.judge.exact import WHITE_SPACE, CellError, CellReader, CellValue
from services.ingest.plan.dtypes import dtype_of
from shared.values.dates import DateFormat
from shared.values.names import of_api
from shared.values.texts import is_storable
from shared.values.types import INTEGER_TYPES, TEXT_TYPES, TIMESTAMP_TYPES
from tests.support.spellings import SPELLINGS, TYPES, mutations


@pytest.mark.parametrize("kind", TYPES)
@given(texts=st.lists(mutations(), min_size=40, max_size=60))
def test_a_column_is_read_as_its_cells_are(kind: str, texts: list[str]) -> None:
    as_one_by_one(kind, texts)


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("first", ["2024-01-05T10:11:12.123Z", "1.5", "x", " 5 "])
def test_whatever_the_first_cell_is(kind: str, first: str) -> None:
    as_one_by_one(kind, [first, *SPELLINGS])


def as_one_by_one(kind: str, texts: list[str]) -> None:
    column_type = of_api(kind)
    texts = [text for text in texts if is_storable(text)]  # `judging` has refused the others
    rules = TextRules(column_type)
    series = pl.Series("a", texts, dtype=pl.String)
    fast = series.to_frame().select(fast_cast(series, rules)).to_series()
    cast, faults = finish(series, fast, rules)
    refused = {fault.row: fault.code for fault in faults}
    reader = CellReader(column_type, DateFormat())
    values: list[CellValue | None] = []
    codes = {}
    for row, text in enumerate(texts):
        trimmed = text if column_type.name in TEXT_TYPES else text.strip(WHITE_SPACE)
        values.append(None)
        if trimmed == "" and column_type.name not in TEXT_TYPES:
            continue
        try:
            values[-1] = reader.read(trimmed)
        except CellError as error:
            codes[row] = error.code
    assert refused == codes
    numbers = column_type.name in TIMESTAMP_TYPES | INTEGER_TYPES
    expected = pl.Series(values, dtype=pl.Int64() if numbers else dtype_of(column_type))
    if column_type == of_api("NUMERIC"):
        assert [*map(decoded, cast)] == [*map(decoded, expected)]
    else:
        assert (cast.cast(pl.Int64()) if numbers else cast).equals(expected, null_equal=True)


def decoded(binary: bytes | None) -> str | None:
    """The number that `numeric_recv` makes of its binary form, with its digits after the point."""
    if binary is None:
        return None
    count, weight, sign, scale, *groups = struct.unpack(f">hhHH{len(binary) // 2 - 4}H", binary)
    assert count == len(groups)
    whole = sum(group * 10_000 ** (count - 1 - at) for at, group in enumerate(groups))
    with localcontext(prec=200_000):
        value = Decimal(whole).scaleb(4 * (weight + 1 - count)).quantize(Decimal(1).scaleb(-scale))
    return f"{'-' if sign and value else ''}{value:f}"
