"""Vectorised casts against the reading of single cells: what a cast takes is right."""

import struct
from decimal import Decimal, localcontext

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.ingest.judge.casting import TextRules, fast_cast, finish
from services.ingest.judge.exact import WHITE_SPACE, CellError, CellReader, CellValue
from services.ingest.plan.dtypes import dtype_of
from shared.values.dates import DateFormat
from shared.values.names import of_api
from shared.values.notation import TYPE_TABLE, Notation
from shared.values.number_formats import NumberFormat
from shared.values.texts import is_storable
from shared.values.types import INTEGER_TYPES, TEXT_TYPES, TIMESTAMP_TYPES
from tests.support.profile import only_in_full
from tests.support.spellings import SPELLINGS, TYPES, mutations


@pytest.mark.parametrize("kind", TYPES)
@settings(deadline=None)
@given(texts=st.lists(mutations(), min_size=40, max_size=60))
def test_a_column_is_read_as_its_cells_are(kind: str, texts: list[str]) -> None:
    as_one_by_one(kind, texts)


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("first", ["2024-01-05T10:11:12.123Z", "1.5", "x", " 5 "])
def test_whatever_the_first_cell_is(kind: str, first: str) -> None:
    as_one_by_one(kind, [first, *SPELLINGS])


@pytest.mark.parametrize("year", ["1000", "1900", "2000", "2023", "9999"])
def test_dates_that_are_all_written_alike(year: str) -> None:
    days = [f"{year}-{month:02}-{day:02}" for month in range(15) for day in range(35)]
    as_one_by_one("DATE", days)


@pytest.mark.parametrize("kind", ["TIMESTAMP", "TIMESTAMPTZ"])
@pytest.mark.parametrize("day", ["2024-02-29", "2023-02-29", "9999-12-31"])
def test_timestamps_that_are_all_written_alike(kind: str, day: str) -> None:
    times = [f"{hour:02}:{minute:02}" for hour in (0, 23, 24, 25, 99) for minute in (0, 59, 60, 99)]
    texts = [f"{day} {time}:{second:02}" for time in times for second in range(60)]
    as_one_by_one(kind, texts)
    as_one_by_one(kind, [f"{day} 23:59:60", *texts])


NOTATIONS = {
    "comma": Notation(numbers=NumberFormat(decimal=",")),
    "groups": Notation(numbers=NumberFormat(decimal=",", thousands=".")),
    "spaces": Notation(numbers=NumberFormat(thousands=" ")),
    "beside plain": Notation(numbers=NumberFormat(",", ".", beside_plain=True)),
    "lenient beside plain": Notation(numbers=NumberFormat(",", lenient=True, beside_plain=True)),
    "lenient": Notation(numbers=NumberFormat(lenient=True)),
    "lenient comma": Notation(numbers=NumberFormat(decimal=",", lenient=True)),
    "european": Notation(dates=DateFormat("%d.%m.%Y")),
    "american": Notation(dates=DateFormat("%m/%d/%Y %I:%M %p")),
    "two digits": Notation(dates=DateFormat("%d/%m/%y", 1930)),
    "names": Notation(dates=DateFormat("%d-%b-%Y|%B %d, %Y")),
    "either": Notation(dates=DateFormat("%d/%m/%Y|%m/%d/%Y|%Y%m%d")),
    "days and months exchanged": Notation(dates=DateFormat("%Y-%d-%m")),
    "seconds": Notation(dates=DateFormat("epoch_s")),
    "milliseconds": Notation(dates=DateFormat("%d.%m.%Y|epoch_ms")),
}
WRITTEN = (
    "1.234,50", "12,50", "1.234", "1,234.50", "1,234", "12,34,567", "1 234.5", "1\u202f234,5",
    "$1,234.50", "€ 5", "5,00 €", "(12.50)", "($5)", "(-5)", "12.50-", "5\u2212", "\u22125,5",
    "12%", "12.5 %", "-12 %", "(5%)", "5%-", "$5%", "$5€", "- $5", "1e3%", "1'234",
    "1\u2019234.5", "$", "%", "()", "( 5)", "+5", "++5", ",5", "5,", ".", ",", "1.234.567",
    "1.23.456", "1,23,4", "31.12.2024", "1.2.2024", "31.02.2024", "01.02.2024 10:11",
    "1.2.2024 9:05:07.25 +0200", "12/31/2024 11:59 PM", "12/31/2024 11:59:59.5 p.m.",
    "1/2/2024, 12:00:00\u202fAM", "1/2/2024", "12/31/2024 13:00 PM", "12/31/2024 0:00 AM",
    "12/31/2024 24:00", "13/01/2024", "02/03/2024", "28/02/93", "29/02/00", "01/01/29",
    "01/01/30", "28-Feb-2024", "28-FEB-2024 10:11Z", "3-mai-2024", "February 3, 2024",
    "february 30, 2024", "20240131", "20240131 10:11", "20241301", "2024-13-01", "2024-01-13",
    "1700000000", "1700000000.5", "1700000000.1234567", "-1", "1700000000000",
    "99999999999999999999", "-99999999999", "253402300799", "253402300800", "0",
    "31.12.2024 00:00", "12/31/2024 12:00:00 AM", "31.12.2024T00:00Z", "0000-01-01", "01.01.0000",
    "32.01.2024",
)  # fmt: skip


NUMBERS = (
    *("SMALLINT", "INTEGER", "BIGINT", "NUMERIC", "NUMERIC(5,2)", "NUMERIC(4,0)", "NUMERIC(3,3)"),
    *("REAL", "DOUBLE PRECISION"),
)
DATES = ("DATE", "TIMESTAMP", "TIMESTAMPTZ")


def kinds_of(name: str) -> tuple[str, ...]:
    """The types whose spellings a notation changes."""
    return NUMBERS if NOTATIONS[name].dates.formats is None else DATES


@pytest.mark.parametrize(
    ("name", "kind"), [(name, k) for name in NOTATIONS for k in kinds_of(name)]
)
def test_other_notations_are_read_as_their_cells_are(name: str, kind: str) -> None:
    for first in ("31.12.2024", "5"):
        as_one_by_one(kind, [first, *WRITTEN, *SPELLINGS], NOTATIONS[name])


@only_in_full
@pytest.mark.parametrize("name", NOTATIONS)
@settings(deadline=None)
@given(data=st.data())
def test_any_text_in_another_notation(name: str, data: st.DataObject) -> None:
    texts = data.draw(st.lists(mutations(WRITTEN), min_size=40, max_size=60))
    as_one_by_one(data.draw(st.sampled_from(kinds_of(name))), texts, NOTATIONS[name])


def as_one_by_one(kind: str, texts: list[str], notation: Notation = TYPE_TABLE) -> None:
    column_type = of_api(kind)
    texts = [text for text in texts if is_storable(text)]  # `judging` has refused the others
    rules = TextRules(column_type, notation)
    series = pl.Series("a", texts, dtype=pl.String)
    fast = series.to_frame().select(fast_cast(series, rules)).to_series()
    cast, faults = finish(series, fast, rules)
    refused = {fault.row: fault.code for fault in faults}
    reader = CellReader(column_type, notation)
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
