"""Refused rows for spreadsheet programs: no cell is a formula, and nothing else is changed."""

from collections.abc import AsyncIterator

import polars as pl
import pytest

from services.ingest.service.formulas import without_formulas

DANGEROUS = [
    "=cmd()",
    "+a",
    "-a",
    "@x",
    "\tx",
    "\rx",
    "\nx",
    "＝1",
    "＋1",
    "－1",
    "＠x",
    '=","',
    "-1+2",
]
HARMLESS = ["", "a=b", "-5", "+1,234.5", "x\n=y", '"quoted"', "'=a", "é"]


def report(rows: list[list[str]]) -> bytes:
    """As the reports of imports are written."""
    frame = pl.DataFrame(rows, orient="row", schema=["a", "b", "c"])
    text = frame.write_csv(include_header=False, quote_style="necessary")
    return b"\xef\xbb\xbf" + text.encode()


async def pieces(content: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


@pytest.mark.parametrize("size", [1, 3, 50, 10_000])
async def test_every_dangerous_cell_has_an_apostrophe(size: int) -> None:
    rows = [[cell, "5", other] for cell in DANGEROUS for other in HARMLESS]
    rows += [[other, "", cell] for cell in DANGEROUS for other in HARMLESS]
    content = report([["=a", "b", "c"], *rows])
    safe = b"".join([piece async for piece in without_formulas(pieces(content, size))])
    expected = [[f"'{cell}" if cell in DANGEROUS else cell for cell in row] for row in rows]
    assert safe == report([["'=a", "b", "c"], *expected])


async def test_an_empty_report_stays_empty() -> None:
    assert [piece async for piece in without_formulas(pieces(b"", 1))] == []
