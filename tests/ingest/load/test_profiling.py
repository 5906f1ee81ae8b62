"""Profiles of rows as they go by, against the same counted out of all of them."""

import math
import random
import statistics
import struct
import uuid
from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from services.ingest.judge.numeric_values import numeric_text, numeric_values
from services.ingest.judge.numerics import numeric_binary, plain_numeric_binary
from services.ingest.load.profiling import Profiler
from services.ingest.load.sample import ROWS
from services.ingest.plan.columns import PlannedColumn
from services.ingest.plan.dtypes import EARLIEST_US, LATEST_US, dtype_of
from shared.contracts.ingest import ColumnProfile, Profile
from tests.ingest.load.loading import a_type


def profiled(frames: Sequence[pl.DataFrame], **types: str) -> Profile:
    columns = [PlannedColumn(name, name, a_type(kind)) for name, kind in types.items()]
    profiler = Profiler(columns)
    for frame in frames:
        profiler.add(frame)
    profile = profiler.profile()
    assert profile is not None
    return profile


def of_cells(kind: str, cells: Sequence[Any], *, frame_rows: int = 7) -> ColumnProfile:
    series = pl.Series("cells", cells, dtype=dtype_of(a_type(kind)))
    frame = series.to_frame()
    frames = [frame.slice(start, frame_rows) for start in range(0, frame.height, frame_rows)]
    return profiled(frames, cells=kind).columns[0]


def numeric(text: str) -> bytes:
    number = Decimal(text).as_tuple()
    assert isinstance(number.exponent, int)
    digits = "".join(map(str, number.digits)).lstrip("0")
    return numeric_binary(number.sign, digits, number.exponent)


def test_few_rows_are_all_counted() -> None:
    numbers = [3, None, 1, 2, 3, 3, None, 9, 1, 2]
    column = of_cells("INTEGER", numbers, frame_rows=4)
    assert (column.nulls, column.distinct, column.distinct_approximate) == (2, 4, False)
    assert (column.min, column.max, column.mean) == ("1", "9", 3.0)
    assert [(each.value, each.count) for each in column.common] == [
        ("3", 3), ("1", 2), ("2", 2), ("9", 1),
    ]  # fmt: skip
    assert [each.count for each in column.histogram] == [2, 2, 3, 0, 0, 0, 0, 0, 1]
    assert (column.histogram[0].from_, column.histogram[-1].to) == ("1", "10")


def test_many_rows_exactly_where_it_says_so_and_nearly_elsewhere() -> None:
    chance = random.Random(20261129)
    rows = 60_000
    data: dict[str, list[Any]] = {
        "city": [f"City {int(chance.paretovariate(1)) % 300}" for _ in range(rows)],
        "email": [f"user{number}@example.com" for number in range(rows)],
        "amount": [chance.gauss(100, 15) for _ in range(rows)],
        "age": [chance.randrange(90) if chance.random() > 0.2 else None for _ in range(rows)],
    }
    frame = pl.DataFrame(data, schema_overrides={"age": pl.Int32})
    frames = [frame.slice(start, 9_000) for start in range(0, rows, 9_000)]
    profile = profiled(frames, city="TEXT", email="TEXT", amount="DOUBLE PRECISION", age="INTEGER")
    assert profile.rows == rows
    assert profile.sampled_rows is not None
    assert ROWS / 4 < profile.sampled_rows <= ROWS
    city, email, amount, age = profile.columns
    assert (city.distinct, city.distinct_approximate) == (len(set(data["city"])), False)
    assert (city.min, city.max) == (min(data["city"]), max(data["city"]))
    assert email.distinct_approximate
    assert email.distinct == pytest.approx(rows, rel=0.1)
    assert email.common == ()
    assert amount.mean == pytest.approx(statistics.fmean(data["amount"]))
    assert sum(each.count for each in amount.histogram) == pytest.approx(rows, rel=0.01)
    assert age.nulls == data["age"].count(None)
    assert sum(each.count for each in age.histogram) == pytest.approx(rows - age.nulls, rel=0.01)
    truth = Counter(data["city"])
    (commonest, count), *_ = truth.most_common(1)
    assert city.common[0].value == commonest
    assert city.common[0].count == pytest.approx(count, rel=0.1)


@pytest.mark.parametrize(
    ("kind", "cells", "least", "most"),
    [
        ("TEXT", ["b", "", "é", "Z"], "", "é"),
        ("NUMERIC(8,2)", [Decimal("1.50"), Decimal("-0.25")], "-0.25", "1.50"),
        ("REAL", [0.1, 2.5], "0.1", "2.5"),
        ("DOUBLE PRECISION", [1e300, -math.inf, math.nan], "-Infinity", "1e+300"),
        ("DATE", [date(2024, 2, 29), date(1, 1, 1)], "0001-01-01", "2024-02-29"),
        ("TIME", [time(23, 59, 59, 500), time(0)], "00:00:00", "23:59:59.0005"),
        ("TIMESTAMP", [datetime(2024, 1, 2, 3, 4, 5), datetime(1969, 1, 1)],  # noqa: DTZ001
         "1969-01-01T00:00:00", "2024-01-02T03:04:05"),
        ("TIMESTAMPTZ", [datetime(2024, 1, 2, 3, 4, 5, 600_000)],  # noqa: DTZ001
         "2024-01-02T03:04:05.6+00:00", "2024-01-02T03:04:05.6+00:00"),
        ("NUMERIC", [numeric("12.50"), numeric("-1e30")], f"-1{'0' * 30}", "12.50"),
        ("BOOLEAN", [True, False], None, None),
        ("JSON", ["{}", "[1]"], None, None),
        ("BYTEA", [b"a", b"b"], None, None),
    ],
)  # fmt: skip
def test_extremes(kind: str, cells: list[Any], least: str | None, most: str | None) -> None:
    column = of_cells(kind, [*cells, None], frame_rows=2)
    assert (column.min, column.max) == (least, most)


def test_values_of_binary_types_are_readable() -> None:
    interval = struct.pack(">qii", 1_500_000, 2, 3)
    uuids = [uuid.UUID(int=7).bytes] * 2
    assert of_cells("INTERVAL", [interval]).common[0].value == "P3M2DT1.500000S"
    assert of_cells("UUID", uuids).common[0].value == str(uuid.UUID(int=7))
    assert of_cells("BYTEA", [b"\x01\xff"]).common[0].value == r"\x01ff"


def test_times_beyond_what_python_knows() -> None:
    year_us = 31_556_952_000_000
    far, before = 200_000 * year_us, -6_000 * year_us
    series = pl.Series("at", [far, before, EARLIEST_US, LATEST_US], dtype=pl.Int64)
    frame = series.cast(pl.Datetime("us")).to_frame()
    column = profiled([frame], at="TIMESTAMP").columns[0]
    assert (column.min, column.max) == ("-infinity", "infinity")
    assert sum(each.count for each in column.histogram) == 2
    assert column.histogram[0].from_.endswith(" BC")
    assert column.histogram[-1].to.startswith("201970-")


def test_long_values_are_cut_but_told_apart() -> None:
    texts = ["x" * 150 + "1"] * 3 + ["x" * 150 + "2"] * 2
    column = of_cells("TEXT", texts)
    assert [(each.value, each.count) for each in column.common] == [
        ("x" * 99 + "…", 3),
        ("x" * 99 + "…", 2),
    ]
    assert column.distinct == 2


def test_wide_and_long_rows_are_sampled_in_bounded_memory() -> None:
    names = [f"c{number}" for number in range(40)]
    text = "y" * 90
    frames = [
        pl.DataFrame({name: [f"{text}{start + row}" for row in range(2_000)] for name in names})
        for start in range(0, 8_000, 2_000)
    ]
    profile = profiled(frames, **dict.fromkeys(names, "TEXT"))
    assert profile.sampled_rows is not None
    assert 0 < profile.sampled_rows < 8_000


@pytest.mark.parametrize("values", [20_000, 200_000, 10_000_000])
def test_many_values_of_many_rows_are_estimated_out_of_some_frames(values: int) -> None:
    chance, rows, frame_rows = random.Random(values), 400_000, 20_000
    cells = [chance.randrange(values) for _ in range(rows)]
    frame = pl.DataFrame({"cells": cells}, schema={"cells": pl.Int64})
    frames = [frame.slice(start, frame_rows) for start in range(0, rows, frame_rows)]
    column = profiled(frames, cells="BIGINT").columns[0]
    assert column.distinct_approximate
    assert column.distinct == pytest.approx(len(set(cells)), rel=0.25)
    assert (column.min, column.max) == (str(min(cells)), str(max(cells)))


def test_a_second_reading_begins_anew() -> None:
    profiler = Profiler([PlannedColumn("a", "a", a_type("INTEGER"))])
    profiler.add(pl.DataFrame({"a": [1, 2]}, schema={"a": pl.Int32}))
    profiler.restart()
    assert profiler.profile() is None
    profiler.add(pl.DataFrame({"a": [5]}, schema={"a": pl.Int32}))
    profile = profiler.profile()
    assert profile is not None
    assert (profile.rows, profile.columns[0].min) == (1, "5")


def test_numerics_are_read_back_as_they_were_written() -> None:
    plain = ["0", "-0.5", "12.25", "123456789.12345678", "0.00000001", "9999999999"]
    packed = pl.DataFrame({"n": plain}).select(plain_numeric_binary(pl.col("n"))).to_series()
    assert numeric_values(packed).to_list() == pytest.approx([float(text) for text in plain])
    assert [numeric_text(each) for each in packed] == plain
    odd = ["1e30", "-123456789012345678901234.5", "1e-20", "12.340", "0", "0.00"]
    series = pl.Series([*(numeric(text) for text in odd), packed[2]], dtype=pl.Binary)
    assert numeric_values(series).to_list() == pytest.approx([*(float(t) for t in odd), 12.25])
    assert [Decimal(numeric_text(each)) for each in series] == [
        Decimal(text) for text in (*odd, "12.25")
    ]
    assert numeric_text(numeric("12.340")) == "12.340"
    assert numeric_values(series.slice(2, 3)).to_list() == pytest.approx([1e-20, 12.34, 0])


def test_days_are_those_of_the_calendar() -> None:
    days = [date(1, 1, 1) + timedelta(days=each) for each in range(0, 3_650_000, 99_991)]
    column = of_cells("DATE", [days[0]])
    assert column.min == "0001-01-01"
    for day in days:
        assert of_cells("DATE", [day]).min == day.isoformat()
