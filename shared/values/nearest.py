"""Which of the known names an unknown one was probably meant to be."""

import difflib
from collections.abc import Iterable

LIKENESS = 0.6
"""Of 1; below it, a suggestion is more often wrong than right."""


SUGGESTED = 10
"""Of a request's unknown names so many are compared with the known ones: it takes some 0.1 ms, and
a body may hold a hundred thousand."""
LONGEST = 256
"""Characters; a longer name was meant to be none of ours, and takes long to compare."""


def nearest(name: str, known: Iterable[str], *, likeness: float = LIKENESS) -> str | None:
    """The known name that is most like `name`, in any case; None where none is like it."""
    if len(name) > LONGEST:
        return None
    by_folded = {each.casefold(): each for each in known}
    likely = difflib.get_close_matches(name.casefold(), by_folded, n=1, cutoff=likeness)
    return by_folded[likely[0]] if likely else None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`, did you mean 'email'?` to be put behind a message; empty where no name is like it."""
    likely = nearest(name, known)
    return "" if likely is None else f", did you mean {likely!r}?"
