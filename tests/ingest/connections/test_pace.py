"""The least rate of a source: what it may do for long, and what it may not."""

import pytest

from services.ingest.connections.domain import SourceTimeouts
from services.ingest.connections.errors import SourceUnusableError
from services.ingest.connections.pace import Pace

TIMEOUTS = SourceTimeouts(answer_s=60, least_bytes_per_s=100)


def test_a_pause_of_a_whole_answer_is_allowed_and_paid_back_by_rows() -> None:
    pace = Pace(TIMEOUTS)
    for _ in range(100):
        pace.received(10, waited_s=60)
        pace.received(6_000, waited_s=0)


def test_the_least_rate_is_enough_for_good() -> None:
    pace = Pace(TIMEOUTS)
    for _ in range(10_000):
        pace.received(5_000, waited_s=50)


def test_rows_that_came_fast_save_up_no_more_than_one_answer() -> None:
    pace = Pace(TIMEOUTS)
    pace.received(1 << 40, waited_s=1)
    pace.received(1, waited_s=59)
    with pytest.raises(SourceUnusableError, match="too slowly"):
        pace.received(1, waited_s=2)


def test_a_source_that_drips_is_given_up() -> None:
    pace = Pace(TIMEOUTS)
    pace.received(1, waited_s=59)
    with pytest.raises(SourceUnusableError) as caught:
        pace.received(1, waited_s=59)
    assert [(error.field, error.code) for error in caught.value.errors] == [("source", "too_slow")]
