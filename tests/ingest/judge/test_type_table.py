"""Every type with every spelling, quoted and not, loaded into PostgreSQL: as a slow reading says.

The plain reading shares no code with the product. A column is long enough for each of the three
ways of reading: the fast cast, the second one for what it left, and one cell at a time.
"""

import csv
import io
import math
from decimal import Decimal
from typing import Any

import pytest

from tests.ingest.load.loading import Column, Loader
from tests.ingest.load.plain_reading import Refused, canonical_json, read_cell
from tests.support.spellings import SPELLINGS, TYPES

CELLS = [
    (text, quoted)
    for text in SPELLINGS
    for quoted in (False, True)
    if quoted or not set(text) & set('",\r\n')
]


def file_of(cells: list[tuple[str, bool]]) -> str:
    """One column `a`, and one that keeps a lone empty cell from being a blank line."""
    written = ['"' + text.replace('"', '""') + '"' if quoted else text for text, quoted in cells]
    return "n,a\n" + "".join(f"{at},{cell}\n" for at, cell in enumerate(written))


def comparable(value: Any) -> Any:
    if isinstance(value, float) and math.isnan(value):
        return "NaN"
    spelled = format(value, "f") if isinstance(value, Decimal) else str(value)
    return (type(value).__name__, spelled)


@pytest.mark.parametrize("kind", TYPES)
async def test_every_spelling_of_every_type(load: Loader, kind: str) -> None:
    expected: dict[int, Any] = {}
    refused: dict[int, str] = {}
    for at, (text, quoted) in enumerate(CELLS):
        try:
            expected[at] = read_cell(text, quoted=quoted, spelled=kind, nullable=True)
        except Refused as refusal:
            refused[at] = refusal.code
    table = f"t{TYPES.index(kind)}"
    await load.make_table(table, Column("n", "INTEGER"), Column("a", kind))
    data = file_of(CELLS)
    await load.load(table, data)
    lines = [row["n"] for row in csv.DictReader(io.StringIO(data, newline=""))]
    assert lines == [str(at) for at in range(len(CELLS))]
    codes = {int(row["n"]): row["_code"] for row in load.rejects.rows}
    assert codes == refused
    landed = dict(await load.rows(table, "n, a"))
    if kind == "JSON":
        landed = {
            n: None if value is None else canonical_json(value) for n, value in landed.items()
        }
    assert {n: comparable(value) for n, value in landed.items()} == {
        n: comparable(value) for n, value in expected.items()
    }
