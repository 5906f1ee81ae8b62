"""The names of a source's columns: reached by callers, and folded for a new table."""

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

from services.ingest.errors import (
    DuplicateColumnError,
    EmptyColumnNameError,
    OptionError,
    TooManyColumnsError,
)
from services.ingest.plan.source_columns import Columns, SourceColumn
from shared.contracts.records import ID_COLUMN, IDENTIFIER_LIMIT_BYTES
from shared.values.naming import POSTGRESQL_COLUMNS, may_stand
from shared.values.texts import scrubbed

REPORT_COLUMNS = ("_line", "_column", "_code", "_message", "_raw")
"""The last columns of a report of refused rows, which are ignored on the way in."""
COLUMN_LIMIT = 1_600
"""PostgreSQL's columns per table; a source with more cannot fit any."""
SOURCE = "source_"
"""What is put before a source's own `id`, and before names that PostgreSQL keeps for itself."""
_LISTED = 20
_PLACE = re.compile(r"#(\d{1,4})")
_REPEATED = re.compile(r"(.*)#(\d{1,4})", re.DOTALL)


def named_columns(header: Sequence[str]) -> tuple[SourceColumn, ...]:
    """A header's columns, each with a name of its own.

    A nameless column is `#3` by its place, and `Labels` for the second time `Labels#2`. What no
    text can hold (NUL) becomes U+FFFD.
    """
    header = [scrubbed(label) for label in header]
    columns: list[SourceColumn] = []
    names: set[str] = set()
    count: Counter[str] = Counter()
    for at, label in enumerate(header, 1):
        count[label] += 1
        name = label if count[label] == 1 else f"{label}#{count[label]}"
        if not label or name in names or (count[label] > 1 and name in header):
            name = f"#{at}"
        names.add(name)
        columns.append(SourceColumn(name, label=label))
    return tuple(columns)


def numbered_names(count: int) -> tuple[str, ...]:
    """The names of columns of which a source names none."""
    return tuple(f"column_{at}" for at in range(1, count + 1))


def report_columns(names: Sequence[str]) -> frozenset[str]:
    """The names of our own report of refused rows, where they stand together at the end."""
    for size in (len(REPORT_COLUMNS), len(REPORT_COLUMNS) - 1):
        if tuple(names[-size:]) == REPORT_COLUMNS[:size] and len(names) > size:
            return frozenset(REPORT_COLUMNS[:size])
    return frozenset()


def left_out(source: Columns) -> frozenset[str]:
    """Columns that go nowhere unless they are mapped: those of our own report."""
    if not source.ways.reports:
        return frozenset()
    return report_columns([column.name for column in source.columns])


def by_name(
    mapping: Mapping[str, str | None], columns: Sequence[SourceColumn]
) -> dict[str, str | None]:
    """The mapping with columns that are reached by place (`#4`) or count (`Labels#2`) by name."""
    names = {column.name for column in columns}
    return {
        source if source in names else _reached(source, columns) or source: target
        for source, target in mapping.items()
    }


def _reached(source: str, columns: Sequence[SourceColumn]) -> str | None:
    if place := _PLACE.fullmatch(source):
        at = int(place[1])
        return columns[at - 1].name if 1 <= at <= len(columns) else None
    if repeated := _REPEATED.fullmatch(source):
        same = [column.name for column in columns if column.heading == repeated[1]]
        at = int(repeated[2])
        return same[at - 1] if 1 <= at <= len(same) else None
    return None


def refuse_stray(option: str, sources: Iterable[str], names: Sequence[str]) -> None:
    """Raise OptionError where an option names columns that the source has not."""
    stray = [source for source in sources if source not in names]
    if stray:
        raise OptionError.of(option, "invalid_option", f"the file has no column {listed(stray)}")


def refuse_too_many(columns: Collection[object]) -> None:
    """Raise TooManyColumnsError for more columns than any table can have."""
    if len(columns) > COLUMN_LIMIT:
        raise TooManyColumnsError(
            f"the header has {len(columns):,} columns; a table has at most {COLUMN_LIMIT:,}"
        )


def refuse_unclear(columns: Sequence[SourceColumn], mapped: Iterable[str]) -> None:
    """Raise EmptyColumnNameError or DuplicateColumnError unless such columns are mapped."""
    mapped = set(mapped)
    places = {column.name: at for at, column in enumerate(columns, 1)}
    empty = [str(places[c.name]) for c in columns if not c.heading and c.name not in mapped]
    if empty:
        raise EmptyColumnNameError(
            f"the header has no name for column {', '.join(empty)}: name every column, or map it"
            f" by its place, as in {{'#{empty[0]}': null}}",
        )
    count = Counter(column.heading for column in columns if column.heading)
    twice = sorted(
        {
            column.heading
            for column in columns
            if count[column.heading] > 1
            and column.name != column.heading
            and column.name not in mapped
        }
    )
    if twice:
        raise DuplicateColumnError.of_columns(
            f"the header names {listed(twice)} more than once: rename all but one, or map them by"
            f" number, as in {{'{twice[0]}#2': null}}",
            twice,
            "stands more than once in the header",
        )


def folded_name(name: str, position: int) -> str:
    """The nearest name that the naming rule allows; `position` (from 1) names the nameless.

    Other characters become `_`; what begins with a digit gets a `c` in front, `id` and the system
    columns of PostgreSQL `source_`.
    """
    characters = unicodedata.normalize("NFC", name.strip())
    text = "".join(each if may_stand(each, first=False) else "_" for each in characters).strip("_")
    if not text:
        return f"column_{position}"
    if not may_stand(text[0], first=True):
        text = f"c{text}"
    if text.lower() == ID_COLUMN:
        return SOURCE + ID_COLUMN
    if text in POSTGRESQL_COLUMNS:
        return SOURCE + text
    return _cut(text, IDENTIFIER_LIMIT_BYTES)


def folded_names(columns: Sequence[tuple[int, SourceColumn]], taken: Iterable[str]) -> list[str]:
    """The table's names for source columns at these places; a collision gets `_2`, `_3`."""
    names: list[str] = []
    used = set(taken)
    for at, column in columns:
        name = folded = folded_name(column.heading, at)
        count = 1
        while name in used:
            count += 1
            ending = f"_{count}"
            name = _cut(folded, IDENTIFIER_LIMIT_BYTES - len(ending)) + ending
        used.add(name)
        names.append(name)
    return names


def _cut(name: str, size_bytes: int) -> str:
    return name.encode()[:size_bytes].decode(errors="ignore").rstrip("_")


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
