"""Types are given only where PostgreSQL gives every cell back as it was written."""

import math
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import asyncpg
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from services.ingest.domain.options import ImportOptions
from services.ingest.domain.outcome import FormatFound
from services.ingest.judge.exact import WHITE_SPACE
from services.ingest.judge.infer import infer
from services.ingest.judge.lossless import double_text
from services.ingest.plan.columns import ColumnPlan
from services.ingest.plan.source_columns import SourceColumn, Ways
from services.ingest.read.frame import Frame
from shared.values.grammar import read
from shared.values.names import of_api
from shared.values.texts import is_storable
from tests.support.databases import Database
from tests.support.postgresql_text import in_postgresql
from tests.support.spellings import SPELLINGS, mutations

ALIKE = (
    ("1", "-7", "007", "+5", "2147483648", "-0", "1.0"),
    ("1", "2.50", "-3.25", "0.0", "-0.0", ".5", "12345678901234567890.1"),
    ("1e+20", "0.1", "1.50", "1e-07", "1E5", "NaN", "Infinity", "123456789012345.6", "-0"),
    ("2024-01-05", "2024-02-29", "0001-01-01", "2023-02-29"),
    ("2024-01-05", "2024-01-05 10:11", "2024-01-05T10:11:12.500", "infinity", "Infinity"),
    ("2024-01-05 10:11Z", "2024-01-05T10:11:12.25+05:30", "2024-01-05 10:11 UTC", "2024-01-05"),
    ("10:11:12", "10:11", "23:59:59.999", "24:00:00", "03:45"),
    ("true", "FALSE", "True"),
    ("yes", "No", "YES"),
    ("t", "f", "F", "true"),
    ("6ba7b810-9dad-11d1-80b4-00c04fd430c8", "6BA7B810-9DAD-11D1-80B4-00C04FD430C8"),
)
WORDS = [{"true", "false"}, {"yes", "no"}, {"y", "n"}, {"on", "off"}, {"t", "f"}]


WAYS = Ways()


@dataclass(frozen=True)
class OneColumn:
    """A source of one column of texts, in frames of 300 rows."""

    cells: Sequence[str | None]
    columns: tuple[SourceColumn, ...] = (SourceColumn("a"),)
    ways: Ways = WAYS
    format: FormatFound | None = None
    size_bytes: int | None = None

    async def frames(self, plan: ColumnPlan) -> AsyncIterator[Frame]:
        assert plan.names == ("a",)
        for at in range(0, len(self.cells), 300):
            part = pl.Series("a", self.cells[at : at + 300], dtype=pl.String)
            yield Frame(part.to_frame(), pl.int_range(at + 2, at + 2 + len(part), eager=True))


@settings(deadline=None)
@given(
    cells=st.one_of(
        *(st.lists(st.sampled_from(texts), min_size=1, max_size=6) for texts in ALIKE),
        st.lists(mutations(), min_size=1, max_size=3),
        st.lists(st.sampled_from(SPELLINGS), min_size=1, max_size=3),
    ),
    times=st.sampled_from([1, 1, 250]),
)
async def test_every_cell_comes_back(cells: list[str], times: int) -> None:
    cells = [cell for cell in cells if is_storable(cell)] * times
    (column,) = await infer(OneColumn(cells), ImportOptions(create_table=True))
    kind, notation = column.type, column.notation
    if kind == of_api("TEXT") or (notation is not None and notation.numbers.decimal == ","):
        return
    for cell in cells:
        text = cell.strip(WHITE_SPACE)
        if text and text not in column.null_values:
            value = read(kind, text) if notation is None else read(kind, text, notation)
            if notation is None or (notation.numbers.is_plain and not notation.dates.formats):
                assert comes_back(kind.name.value, text, in_postgresql(kind, value), cells), text


def comes_back(kind: str, text: str, back: str, cells: Sequence[str]) -> bool:
    """Whether a cell differs from what PostgreSQL writes in nothing but what may differ."""
    match kind:
        case "BOOLEAN":
            words = {cell.strip(WHITE_SPACE).lower() for cell in cells} - {""}
            return text.lower() == back or any(words == pair for pair in WORDS)
        case "DOUBLE PRECISION":
            return double_text(float(back)) == without_zeros(text)
        case "TIMESTAMP" | "TIMESTAMPTZ":
            if re.search("(Z|UTC|[0-9][+-][0-9:]+| [+-][0-9:]+)$", text[10:]):
                return True  # the spelling of a zone may differ
            return completed(text.replace("T", " ")) == back.removesuffix("+00")
        case "TIME":
            return completed(f"2024-01-05 {text}") == f"2024-01-05 {back}"
    return text == back


def without_zeros(text: str) -> str:
    """A number without zeros at the end of its fraction."""
    fraction = re.search(r"\.[0-9]+", text)
    return (
        text if fraction is None else text.replace(fraction[0], fraction[0].rstrip("0").rstrip("."))
    )


def completed(text: str) -> str:
    """A timestamp with what may be left out."""
    if len(text) == len("2024-01-05"):
        return f"{text} 00:00:00"
    return f"{text}:00" if len(text) == len("2024-01-05 10:11") else without_zeros(text)


async def test_doubles_are_written_as_postgresql_writes_them(module_database: Database) -> None:
    numbers = [
        0.0,
        -0.0,
        1e15,
        1e-4,
        123456789012345.6,
        999999999999999.9,
        5e-324,
        1.7e308,
        math.nan,
    ]
    numbers += [math.inf, -math.inf, 1e22, 0.1, 1 / 3, 2**53, 9.99e-5, 100.0, 1e14, -2.5e-7]
    numbers += [
        mantissa * 10.0**power for mantissa in (1, 1.5, 123.456) for power in range(-20, 25)
    ]
    connection = await asyncpg.connect(module_database.url())
    try:
        rows = await connection.fetch("SELECT unnest($1::float8[])::text AS text", numbers)
    finally:
        await connection.close()
    assert [row["text"] for row in rows] == [*map(double_text, numbers)]
