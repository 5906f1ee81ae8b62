"""Rows that PostgreSQL forbids: found by SQL over the columns in question, refused by their lines.

A row is a duplicate in the table when a record has its key, and a duplicate in the file when an
earlier row that is itself loaded has it. So the first row of a key is loaded, and a row whose
only rival was refused for another reason is loaded too. Rules that only PostgreSQL can judge, such
as references, come before the keys.
"""

import csv
import io
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from tempfile import SpooledTemporaryFile
from typing import IO

import polars as pl

from services.ingest.domain.outcome import RejectCode
from services.ingest.judge.exact import shown
from services.ingest.judge.judging import (
    FAULT_SCHEMA,
    BadRows,
    Judged,
    as_readable,
)
from services.ingest.plan.columns import PlannedColumn
from services.ingest.read.frame import Frame
from shared.contracts.records import TableContract
from shared.values.rules import CODES, Reference, RuleName, message_of

_IN_MEMORY_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class FileKey:
    """A unique key of the table, all of whose columns are in the file."""

    columns: tuple[PlannedColumn, ...]


@dataclass(frozen=True, slots=True)
class HeldRule:
    """A rule of one column that is in the file, as PostgreSQL holds it."""

    column: PlannedColumn
    rule: RuleName

    @property
    def columns(self) -> tuple[PlannedColumn, ...]:
        """The column, as a key has it."""
        return (self.column,)

    @property
    def value(self) -> object:
        """The rule's limit, pattern, choices or reference."""
        return getattr(self.column.rules, self.rule.value)

    @property
    def reference(self) -> Reference | None:
        """What it references, if it is a reference."""
        return self.column.rules.references if self.rule is RuleName.REFERENCES else None

    def is_to(self, contract: TableContract) -> bool:
        """Whether it references the table itself."""
        return self.reference is not None and self.reference.table == contract.table


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Why one row is forbidden: by an earlier line or a record of its key, else by a rule."""

    line: int
    key: int
    """Which of the keys and rules, from 0."""
    first_line: int | None
    record_id: int | None


class DuplicateLines:
    """All forbidden rows of a file in the order of their lines, on disk when they are many."""

    def __init__(self, keys: Sequence[FileKey | HeldRule]) -> None:
        self.keys = tuple(keys)
        self._stored: IO[bytes] = SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES)  # noqa: SIM115 - closed by `close`
        self._text: io.TextIOWrapper | None = None
        self._coming: Iterator[Duplicate] = iter(())
        self._next: Duplicate | None = None
        self.any = False

    def write(self, data: bytes) -> None:
        """Take CSV lines `line,key,first_line,record_id`, ordered by line."""
        self.any = self.any or bool(data)
        self._stored.write(data)

    def rewind(self) -> None:
        """Start again with the first line."""
        self._stored.seek(0)
        self._coming = self._read()
        self._next = next(self._coming, None)

    def take(self, last_line: int) -> list[Duplicate]:
        """The duplicates up to a line that were not taken yet."""
        taken: list[Duplicate] = []
        while self._next is not None and self._next.line <= last_line:
            taken.append(self._next)
            self._next = next(self._coming, None)
        return taken

    def close(self) -> None:
        """Give the disk back."""
        self._stored.close()

    def _read(self) -> Iterator[Duplicate]:
        for row in csv.reader(line.decode() for line in self._stored):
            line, key, first_line, record_id = (int(cell) if cell else None for cell in row)
            assert line is not None
            assert key is not None
            yield Duplicate(line, key, first_line, record_id)


def refuse_duplicates(frame: Frame, judged: Judged, duplicates: DuplicateLines) -> Judged:
    """Take the duplicates out of a judged frame's good rows."""
    if not frame.lines.len():
        return judged
    last_line = frame.lines[-1]
    found = duplicates.take(last_line)
    if not found:
        return judged
    lines = pl.Series([duplicate.line for duplicate in found], dtype=pl.Int64)
    refused_at = judged.lines.is_in(lines.unique().implode())
    rows = judged.rows.filter(refused_at)
    cells = frame.cells[rows]
    refused_lines = judged.lines.filter(refused_at)
    places = refused_lines.search_sorted(lines).to_list()
    faults = pl.DataFrame(
        [
            _fault(duplicate, place, duplicates.keys[duplicate.key], cells)
            for duplicate, place in zip(found, places, strict=True)
        ],
        schema=FAULT_SCHEMA,
        orient="row",
    )
    kept = ~refused_at
    return Judged(
        good=judged.good.filter(kept),
        lines=judged.lines.filter(kept),
        rows=judged.rows.filter(kept),
        absent=None if judged.absent is None else judged.absent.filter(kept),
        bad=merged(judged.bad, BadRows(cells, refused_lines, faults)),
    )


def _fault(
    duplicate: Duplicate, place: int, key: FileKey | HeldRule, cells: pl.DataFrame
) -> tuple[int, str, str, str, str]:
    names = [column.source for column in key.columns]
    texts = [
        as_readable(cells[column.source][place : place + 1])[0] or "" for column in key.columns
    ]
    value = ", ".join(texts)
    what = f"{', '.join(names)} {shown(value)}"
    if isinstance(key, HeldRule):
        code = RejectCode(CODES[key.rule].value)
        message = message_of(key.rule, key.column.rules, value)
    elif duplicate.first_line is not None:
        code = RejectCode.DUPLICATE_IN_FILE
        message = f"{what} is on line {duplicate.first_line} already"
    else:
        code = RejectCode.DUPLICATE_IN_TABLE
        message = f"{what} is in the table already (id {duplicate.record_id})"
    return place, ", ".join(names), code.value, message, value


def merged(one: BadRows, other: BadRows) -> BadRows:
    """Both sets of bad rows, in the order of their lines; no row is in both."""
    lines = pl.concat([one.lines, other.lines])
    order = lines.arg_sort()
    place = order.arg_sort().cast(pl.Int64)
    faults = pl.concat([one.faults, other.faults.with_columns(row=pl.col("row") + one.lines.len())])
    return BadRows(
        cells=pl.concat([one.cells, other.cells])[order],
        lines=lines.gather(order),
        faults=faults.with_columns(row=place.gather(faults["row"])).sort(
            "row", maintain_order=True
        ),
    )


async def decided(
    suspects: AsyncIterator[tuple[int, Sequence[int | None]]],
) -> AsyncIterator[Duplicate]:
    """Which of the rows that share a key with another row are duplicates, with several keys.

    `suspects`: lines in order, and for each key the group of rows with equal keys, or None.
    """
    taken: dict[tuple[int, int], int] = {}
    async for line, groups in suspects:
        places = [(key, group) for key, group in enumerate(groups) if group is not None]
        rival = next((place for place in places if place in taken), None)
        if rival is not None:
            yield Duplicate(line, rival[0], taken[rival], None)
        else:
            taken.update(dict.fromkeys(places, line))
