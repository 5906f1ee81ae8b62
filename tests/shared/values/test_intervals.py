import pytest

from shared.values.intervals import read_duration


@pytest.mark.parametrize(
    ("duration", "words"),
    [
        ("PT1H", "1 hour"),
        ("P1D", "1 day"),
        ("P1W", "7 days"),
        ("P1Y2M", "1 year 2 months"),
        ("P1DT90M", "1 day 1 hour 30 minutes"),
        ("PT36H", "36 hours"),
        ("PT1.5S", "1.5 seconds"),
    ],
)
def test_a_duration_in_words(duration: str, words: str) -> None:
    interval = read_duration(duration)
    assert interval is not None
    assert interval.words() == words
