"""A copy of the flights with a key column, a handful of spoilt rows, and duplicates.

Each spoilt row comes with the reject that it must lead to, so that the demo can check the report.
"""

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

KEY_COLUMN = "flight_key"
Row = list[str]


@dataclass(frozen=True, order=True)
class Expected:
    """A reject the report must hold: physical line, column (None: the whole row) and code."""

    line: int
    column: str | None
    code: str


@dataclass(frozen=True)
class Spoilt:
    """The spoilt file and what must be said of it."""

    file: Path
    rows: int
    expected: list[Expected]
    already_there: dict[str, str]
    """The row to insert by hand beforehand, so that one row of the file collides with it."""


def spoil(clean: Path, copy: Path) -> Spoilt:
    """Write the spoilt copy; the clean file's header names the columns."""
    with clean.open(newline="") as source, copy.open("w", newline="") as target:
        reader, writer = csv.reader(source), csv.writer(target, lineterminator="\n")
        header = next(reader)
        writer.writerow([KEY_COLUMN, *header])
        at = {name: index + 1 for index, name in enumerate(header)}
        changes = _changes(at)
        expected: list[Expected] = []
        first: Row = []
        already_there: dict[str, str] = {}
        line = 1
        for row in reader:
            line += 1
            key = f"{row[at['time_hour'] - 1]} {row[at['carrier'] - 1]}{row[at['flight'] - 1]}"
            keyed = [key, *row]
            if line == 2:
                first = keyed
            if line == 40_000:
                already_there = dict(zip([KEY_COLUMN, *header], keyed, strict=True))
                expected.append(Expected(line, KEY_COLUMN, "duplicate_in_table"))
            if line in changes:
                column, code, change = changes[line]
                keyed = change(keyed)
                expected.append(Expected(line, column, code))
            writer.writerow(keyed)
        for _ in range(2):
            line += 1
            writer.writerow(first)
            expected.append(Expected(line, KEY_COLUMN, "duplicate_in_file"))
    return Spoilt(copy, line - 1, sorted(expected, key=lambda one: one.line), already_there)


def _changes(at: dict[str, int]) -> dict[int, tuple[str | None, str, Callable[[Row], Row]]]:
    def put(column: str, value: str) -> Callable[[Row], Row]:
        return lambda row: [*row[: at[column]], value, *row[at[column] + 1 :]]

    return {
        11: ("dep_time", "type_mismatch", put("dep_time", "5:17")),
        1_003: ("distance", "out_of_range", put("distance", "99999999999")),
        20_000: ("time_hour", "out_of_range", put("time_hour", "2013-02-30T10:00:00Z")),
        33_333: ("carrier", "not_null", put("carrier", "")),
        60_001: ("origin", "too_long", put("origin", "Newark")),
        120_000: (None, "too_many_fields", lambda row: [*row, "and another"]),
        200_000: (None, "too_few_fields", lambda row: row[:-3]),
        300_000: ("flight", "type_mismatch", put("flight", "15.5")),
    }
