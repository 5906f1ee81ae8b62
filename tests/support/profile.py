"""Two profiles: `make test` is the short one, `make check` the full one (`TEST_PROFILE=full`).

The short profile tries fewer random examples of the same properties and leaves out what starts a
whole stack of its own to repeat what another test has shown in another setting. Both try the same
examples of a property every time, so that one tree has one verdict; `TEST_PROFILE=random` is the
full one with new examples each time.
"""

import os

import pytest
from hypothesis import settings

PROFILE = os.environ.get("TEST_PROFILE", "short")
FULL = PROFILE != "short"
SHARE = 5
"""The short profile tries so many times fewer examples."""

settings.register_profile("random", deadline=None, print_blob=True)
settings.register_profile("full", settings.get_profile("random"), derandomize=True, database=None)
settings.register_profile("short", settings.get_profile("full"), max_examples=30)
settings.load_profile(PROFILE)

only_in_full = pytest.mark.skipif(not FULL, reason="in `make check` only")


def examples(full: int) -> int:
    """How many random examples of a property this profile tries; `full` in `make check`."""
    return full if FULL else max(5, full // SHARE)
