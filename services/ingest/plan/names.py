"""The names of a source's columns: checked, and folded into names that a new table may have."""

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence

from services.ingest.errors import (
    DuplicateColumnError,
    EmptyColumnNameError,
    TooManyColumnsError,
)
from services.ingest.plan.source_columns import Ways
from shared.contracts.records import ID_COLUMN, IDENTIFIER_LIMIT_BYTES

COLUMN_LIMIT = 1_600
"""PostgreSQL's columns per table; a source with more cannot fit any."""
SOURCE_ID = "source_id"
"""What a source's own `id` becomes; the table's `id` is its own."""
_LISTED = 20
_NOT_ALLOWED = re.compile(r"[^\w]")
_FIRST = re.compile(r"[^\W\d_]")


def check_names(names: Sequence[str]) -> None:
    """Raise TooManyColumnsError, EmptyColumnNameError or DuplicateColumnError."""
    if len(names) > COLUMN_LIMIT:
        raise TooManyColumnsError(
            f"the header has {len(names):,} columns; a table has at most {COLUMN_LIMIT:,}"
        )
    empty = [str(at) for at, name in enumerate(names, 1) if not name]
    if empty:
        raise EmptyColumnNameError(
            f"the header has no name for column {', '.join(empty)}: name every column",
        )
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        raise DuplicateColumnError.of_columns(
            f"the header names {listed(twice)} more than once: rename or remove all but one",
            twice,
            "stands more than once in the header",
        )


def is_left_out(name: str, ways: Ways) -> bool:
    """Whether a column that nobody mapped goes nowhere: those of our reports begin with `_`."""
    return ways.reports and name.startswith("_")


def folded_name(name: str, position: int) -> str:
    """The nearest name that the naming rule allows; `position` (from 1) names the nameless.

    Other characters become `_`; what begins with a digit gets a `c` in front.
    """
    text = _NOT_ALLOWED.sub("_", unicodedata.normalize("NFC", name.strip())).strip("_")
    if not text:
        return f"column_{position}"
    if not _FIRST.match(text):
        text = f"c{text}"
    if text.lower() == ID_COLUMN:
        return SOURCE_ID
    return text.encode()[:IDENTIFIER_LIMIT_BYTES].decode(errors="ignore").rstrip("_")


def folded_names(names: Sequence[str]) -> dict[str, str]:
    """Source name → table name, in order; raises DuplicateColumnError."""
    targets = {name: folded_name(name, at) for at, name in enumerate(names, 1)}
    refuse_collisions(targets, "be named")
    return targets


def refuse_collisions(targets: Mapping[str, str], verb: str = "go into") -> None:
    """Raise DuplicateColumnError where several sources have one target."""
    sources: dict[str, list[str]] = {}
    for source, target in targets.items():
        sources.setdefault(target, []).append(source)
    for target, several in sources.items():
        if len(several) > 1:
            raise DuplicateColumnError.of_columns(
                f"{listed(several)} would all {verb} {target}: drop all but one with `mapping`",
                several,
                f"would {verb} {target}, as another column does",
            )


def listed(names: Sequence[str]) -> str:
    """The first names, quoted, for a sentence."""
    first = ", ".join(f"'{name}'" for name in names[:_LISTED])
    return first if len(names) <= _LISTED else f"{first} and {len(names) - _LISTED} more"
