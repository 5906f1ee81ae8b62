"""How much the tests try: `make test` is short, `make check` is full.

`TEST_PROFILE=full` tries everything. Without it a property has fewer random examples, and what
`only_in_full` marks is left out: what takes long, and what starts a stack of its own. The short
profile of `make test` also takes a share of a test's cases where it has many. All of them try the
same each time, so that one tree has one verdict; `TEST_PROFILE=random` is the full one with new
random examples.
"""

import os
from collections.abc import Sequence

import pytest
from hypothesis import settings

PROFILE = os.environ.get("TEST_PROFILE", "plain")
FULL = PROFILE in ("full", "random")
SHARE = 5
"""Without the full profile a property has so many times fewer examples."""
CASES_SHARE = 4
"""The short profile takes every so manyth case of a test that has more cases than this."""

settings.register_profile("random", deadline=None, print_blob=True)
settings.register_profile("full", settings.get_profile("random"), derandomize=True, database=None)
settings.register_profile("plain", settings.get_profile("full"), max_examples=30)
settings.register_profile("short", settings.get_profile("plain"))
settings.load_profile(PROFILE)

only_in_full = pytest.mark.skipif(not FULL, reason="in `make check` only")


def examples(full: int) -> int:
    """How many random examples of a property this profile tries; `full` in `make check`."""
    return full if FULL else max(5, full // SHARE)


def left_out(items: Sequence[pytest.Item]) -> set[str]:
    """Ids of the cases that the short profile leaves out: of many, all but every fourth."""
    if PROFILE != "short":
        return set()
    cases: dict[str, list[str]] = {}
    for item in items:
        cases.setdefault(item.nodeid.partition("[")[0], []).append(item.nodeid)
    return {
        case
        for each in cases.values()
        if len(each) > CASES_SHARE
        for number, case in enumerate(each)
        if number % CASES_SHARE
    }
