"""Records that are waited for and given up: the lines behind them are rows, however many."""

from typing import Any

import pytest

from services.ingest.read.pieces import LINES_PER_PIECE
from tests.ingest.read.reading import Read, read

LINES = b"x,1\n" * LINES_PER_PIECE
"""More bytes than are waited for without a thought, and more lines than a piece has at the end."""


async def both(data: bytes, **options: Any) -> Read:
    """A file in one piece, which is read alike in many."""
    whole = await read(data, block=1 << 24, chunk=1 << 24, delimiter=",", quote='"', **options)
    pieces = await read(data, block=5_000, chunk=5_000, delimiter=",", quote='"', **options)
    assert pieces.rows == whole.rows
    assert pieces.refused == whole.refused
    assert pieces.raw == whole.raw
    return pieces


@pytest.mark.parametrize("escape", [{}, {"escape": "backslash"}], ids=["plain", "backslash"])
@pytest.mark.parametrize(
    ("end", "refused"),
    [
        (b"", [3]),
        (b'x,"y"z\n', [3, LINES_PER_PIECE + 4]),
    ],
)
async def test_lines_behind_a_quote_that_does_not_end_a_field(
    end: bytes, refused: list[int], escape: dict[str, str]
) -> None:
    found = await both(b'a,b\ny,0\nx,"\n' + LINES + end, **escape)
    assert [line for line, _ in found.refused] == refused
    behind = range(4, LINES_PER_PIECE + 4)
    assert [line for line in found.rows if 3 < line < LINES_PER_PIECE + 4] == list(behind)
    assert found.rows[2] == ("y", "0")


async def test_a_long_record_that_ends_is_one() -> None:
    found = await both(b'a,b\nx,"' + LINES + b'"\ny,2\n')
    assert found.refused == []
    assert list(found.rows) == [2, LINES_PER_PIECE + 3]
