"""Two profiles: `make test` is the short one, `make check` the full one (`TEST_PROFILE=full`).

The short profile tries fewer random examples of the same properties and leaves out what starts a
whole stack of its own to repeat what another test has shown in another setting.
"""

import os

import pytest
from hypothesis import settings

FULL = os.environ.get("TEST_PROFILE", "short") == "full"
SHARE = 5
"""The short profile tries so many times fewer examples."""

settings.register_profile("full", deadline=None, print_blob=True)
settings.register_profile("short", max_examples=30, deadline=None, print_blob=True)
settings.load_profile("full" if FULL else "short")

only_in_full = pytest.mark.skipif(not FULL, reason="in `make check` only")


def examples(full: int) -> int:
    """How many random examples of a property this profile tries; `full` in `make check`."""
    return full if FULL else max(5, full // SHARE)
