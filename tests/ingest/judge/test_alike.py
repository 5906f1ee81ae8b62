"""Cells that are all written alike are so by each of their characters."""

import polars as pl
import pytest

from services.ingest.judge.alike import all_between

DAYS = [f"2024-02-{day:02}" for day in range(1, 30)]


def between(cells: list[str | None]) -> bool:
    return all_between(pl.Series(cells, dtype=pl.String), "1000-00-00", "9999-99-99")


def test_days_are_between_the_least_and_the_greatest() -> None:
    assert between([*DAYS])
    assert between([None, *DAYS, None])
    assert between(["1000-00-00", "9999-99-99"])


@pytest.mark.parametrize(
    "other",
    [
        "0999-12-31",
        "2024- 2-01",
        "2024-2-1",
        "2024-02-01 ",
        "2024/02/01",
        "",
        "202４-02-1",
        "2024-0２",
    ],
)
@pytest.mark.parametrize("place", [0, 15, 29])
def test_one_that_is_not_is_seen_wherever_it_is(other: str, place: int) -> None:
    assert not between([*DAYS[:place], other, *DAYS[place:]])


def test_no_cell_is_no_proof() -> None:
    assert not between([])
    assert not between([None])


def test_a_part_of_a_column_is_looked_at_alone() -> None:
    cells = pl.Series(["x" * 100, *DAYS, "y" * 100])
    assert all_between(cells[1:-1], "1000-00-00", "9999-99-99")
    parts = pl.concat([cells[1:5], cells[5:9]], rechunk=False)
    assert all_between(parts, "1000-00-00", "9999-99-99")
