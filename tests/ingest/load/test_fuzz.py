"""Made-up files against an independent slow reading: same rows, same rejects, lines and codes.

`make check` tries more of them.
"""

import csv
import math
import re
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.ingest.domain.options import ImportOptions
from services.ingest.errors import NoRowFitsError
from services.ingest.read.limits import Limits
from tests.ingest.load.loading import Column, Loader
from tests.ingest.load.plain_reading import Refused, canonical_json, read_cell
from tests.support.profile import examples
from tests.support.spellings import SPELLINGS, TYPES

NULLS = ("NA", "#")


def fits(text: str, kind: str) -> bool:
    try:
        read_cell(text, quoted=True, spelled=kind, nullable=True)
    except Refused:
        return False
    return True


FITTING = {kind: [edge for edge in SPELLINGS if fits(edge, kind)] for kind in TYPES}
"""Without them hardly a row of several columns would be good."""


@dataclass(frozen=True)
class Cell:
    text: str
    quoted: bool


@dataclass(frozen=True)
class File:
    """Columns and rows as they are meant, and how they are written."""

    types: tuple[tuple[str, bool], ...]
    rows: tuple[tuple[Cell, ...], ...]
    blank_after: frozenset[int]
    delimiter: str
    newline: str
    last_newline: bool
    encoding: str
    block_bytes: int

    def __repr__(self) -> str:
        return f"<{self.types} {self.encoding} {self.block_bytes} {self.text()[:2000]!r}>"

    def cell_text(self, cell: Cell) -> str:
        return '"' + cell.text.replace('"', '""') + '"' if cell.quoted else cell.text

    def pieces(self) -> Iterator[str]:
        yield self.delimiter.join(f"c{at}" for at in range(len(self.types))) + self.newline
        for at, row in enumerate(self.rows):
            ending = "" if at + 1 == len(self.rows) and not self.last_newline else self.newline
            yield self.delimiter.join(self.cell_text(cell) for cell in row) + ending
            if at in self.blank_after and ending:
                yield self.newline

    def text(self) -> str:
        return "".join(self.pieces())


@st.composite
def files(draw: st.DrawFn) -> File:
    encoding = draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252", "gb18030", "cp932"]))
    delimiters = [one for one in ",;\t|¦" if encodable(one, encoding)]
    delimiter = draw(st.sampled_from(delimiters))
    kinds = draw(st.lists(st.tuples(st.sampled_from(TYPES), st.booleans()), min_size=1, max_size=6))
    edges = [edge for edge in SPELLINGS if encodable(edge, encoding)]
    alphabet = [char for char in "ab \",;\t|\n'é€日\\" if encodable(char, encoding)]
    any_text = st.one_of(st.sampled_from(edges), st.text(alphabet, max_size=8))
    special = {delimiter, '"', "\n", "\r"}

    def as_cell(text: str, quoted: bool, only: bool) -> Cell:
        # A lone empty cell would be a blank line, which is no row.
        must = any(char in special for char in text) or (only and not text)
        return Cell(text, quoted or must)

    def cell(at: int, size: int) -> st.SearchStrategy[Cell]:
        fitting = FITTING[kinds[at][0]] if at < width else SPELLINGS
        text = st.sampled_from([edge for edge in fitting if encodable(edge, encoding)])
        texts = st.integers(0, 9).flatmap(lambda dice: any_text if dice == 0 else text)
        return st.tuples(texts, st.booleans()).map(lambda pair: as_cell(*pair, size == 1))

    def row(size: int) -> st.SearchStrategy[tuple[Cell, ...]]:
        return st.tuples(*[cell(at, size) for at in range(size)])

    width = len(kinds)
    sizes = st.one_of(st.just(width), st.just(width), st.integers(1, width + 2))
    rows = draw(st.lists(sizes.flatmap(row), max_size=12)) * draw(st.sampled_from([1, 1, 1, 9]))
    return File(
        types=tuple(kinds),
        rows=tuple(rows),
        blank_after=draw(st.frozensets(st.integers(0, 12), max_size=3)),
        delimiter=delimiter,
        newline=draw(st.sampled_from(["\n", "\r\n"])),
        last_newline=draw(st.booleans()),
        encoding=encoding,
        block_bytes=draw(st.sampled_from([1, 7, 64, 1 << 20])),
    )


def encodable(text: str, encoding: str) -> bool:
    try:
        return text.encode(encoding).decode(encoding) == text
    except UnicodeError:
        return False


@dataclass
class Expected:
    rows: list[tuple[Any, ...]]
    reasons: list[tuple[int, str | None, str]]


def slow_reading(file: File) -> Expected:
    """The rows and the reasons, by Python's csv module and the plain type table."""
    lines = re.findall(r"[^\n]*\n|[^\n]+$", file.text())
    reader = csv.reader(lines, delimiter=file.delimiter, strict=True)
    next(reader)
    expected = Expected([], [])
    width = len(file.types)
    meant = iter(file.rows)
    line = reader.line_num + 1
    for read in reader:
        if read:
            cells = next(meant)
            assert [cell.text for cell in cells] == read
            if is_blank(cells, width):
                line = reader.line_num + 1
                continue
            found: list[Any] = []
            reasons: list[tuple[int, str | None, str]] = []
            if len(cells) != width:
                code = "too_many_fields" if len(cells) > width else "too_few_fields"
                reasons.append((line, None, code))
            else:
                for at, (cell, (kind, nullable)) in enumerate(zip(cells, file.types, strict=True)):
                    try:
                        found.append(
                            read_cell(
                                cell.text, quoted=cell.quoted, spelled=kind, nullable=nullable,
                                null_values=NULLS,
                            )
                        )  # fmt: skip
                    except Refused as refused:
                        reasons.append((line, f"c{at}", refused.code))
            if reasons:
                expected.reasons += reasons
            else:
                expected.rows.append(tuple(found))
        line = reader.line_num + 1
    assert next(meant, None) is None
    return expected


def is_blank(cells: tuple[Cell, ...], width: int) -> bool:
    """Nothing but delimiters, and in a row of another width blanks between them."""
    empty = [cell.text if len(cells) == width else cell.text.strip(" \t") for cell in cells]
    return not any(empty) and not any(cell.quoted for cell in cells)


def comparable(value: Any) -> Any:
    """Values by type and spelling: 1.0 is not 1.00, and NaN is itself."""
    if isinstance(value, float) and math.isnan(value):
        return "NaN"
    spelled = format(value, "f") if isinstance(value, Decimal) else str(value)
    return (type(value).__name__, spelled)


@pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisWarning")  # long reports
@settings(
    max_examples=examples(60),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(file=files())
async def test_what_lands_is_what_a_slow_reading_says(load: Loader, file: File) -> None:
    try:
        expected = slow_reading(file)
    except csv.Error as error:  # what the csv module cannot read is no example
        raise AssertionError(file.text()) from error
    await load.owner.execute('DROP TABLE IF EXISTS data."t"')
    await load.rejects.restart()
    load.progress.clear()
    await load.make_table(
        "t",
        [Column(f"c{at}", kind, nullable=null) for at, (kind, null) in enumerate(file.types)],
    )
    named = None if file.encoding.startswith("utf") else file.encoding
    nothing = bool(expected.reasons) and not expected.rows
    with pytest.raises(NoRowFitsError) if nothing else nullcontext():
        outcome = await load.load(
            "t",
            file.text().encode(file.encoding),
            options=ImportOptions(
                delimiter=file.delimiter, quote='"', encoding=named, null_values=NULLS
            ),
            limits=Limits(block_bytes=file.block_bytes),
        )
        assert outcome.rows.loaded == len(expected.rows)
    json_at = {at for at, (kind, _) in enumerate(file.types) if kind == "JSON"}
    landed = [
        tuple(
            canonical_json(v) if at in json_at and v is not None else v for at, v in enumerate(row)
        )
        for row in await load.rows("t", ", ".join(f"c{at}" for at in range(len(file.types))))
    ]
    assert load.rejects.reasons == expected.reasons
    assert [tuple(map(comparable, row)) for row in landed] == [
        tuple(map(comparable, row)) for row in expected.rows
    ]
    refused = len({line for line, *_ in expected.reasons})
    assert sum(progress.rows_rejected for progress in load.progress[-1:]) == refused
    assert [int(row["_line"]) for row in load.rejects.rows] == sorted(
        {line for line, *_ in expected.reasons}
    )
