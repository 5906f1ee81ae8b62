"""What was probably meant by a name that is not known."""

import pytest

from shared.values.nearest import LONGEST, did_you_mean, nearest

COLUMNS = ("name", "email", "Größe", "created_at", "total")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("emial", "email"),
        ("Name", "name"),
        ("GRÖSSE", "Größe"),
        ("createdat", "created_at"),
        ("tota", "total"),
        ("xyz", None),
        ("", None),
    ],
)
def test_the_name_that_is_most_like_it(typed: str, meant: str | None) -> None:
    assert nearest(typed, COLUMNS) == meant


def test_nothing_is_said_where_nothing_is_near() -> None:
    assert did_you_mean("emial", COLUMNS) == ", did you mean 'email'?"
    assert did_you_mean("xyz", COLUMNS) == ""
    assert did_you_mean("email", ()) == ""


def test_a_name_as_long_as_none_of_ours_is_not_compared() -> None:
    known = "n" * (LONGEST + 1)
    assert nearest(known[1:], [known]) == known
    assert nearest(known, [known]) is None
