"""Text in pieces, by the memory that is taken by what is made of them."""

from collections.abc import Iterator
from functools import reduce
from operator import or_

import polars as pl
import pyarrow as pa

LINES_PER_PIECE = 1 << 15
MARKS_PER_PIECE = 1 << 19
VALUE_MARKS = b'\n,;\t|^~ "]}'
"""What may end a cell, a value or a row of any text."""


def in_even_pieces(text: bytes, marks: bytes = VALUE_MARKS) -> list[bytes]:
    """The text in pieces of at most `LINES_PER_PIECE` lines and `MARKS_PER_PIECE` of the marks.

    What is made of a text takes memory by its cells and rows: the shorter they are, the more.
    """
    if len(text) <= LINES_PER_PIECE:
        return [text]
    codes = byte_series(text)
    # The bytes are looked at once: to count what is marked in a part takes next to nothing.
    ends = reduce(or_, (codes == mark for mark in marks))
    spans = _even_spans(codes == b"\n"[0], ends, 0, len(text))
    return [text[start:end] for start, end in spans]


def _even_spans(
    lines: pl.Series, ends: pl.Series, start: int, end: int
) -> Iterator[tuple[int, int]]:
    size = end - start
    if size <= LINES_PER_PIECE or (
        lines.slice(start, size).sum() <= LINES_PER_PIECE
        and ends.slice(start, size).sum() <= MARKS_PER_PIECE
    ):
        yield start, end
        return
    half = start + size // 2
    yield from _even_spans(lines, ends, start, half)
    yield from _even_spans(lines, ends, half, end)


def byte_series(text: bytes | pa.Buffer) -> pl.Series:
    """The bytes as a `UInt8` series, without a copy."""
    array = pa.Array.from_buffers(pa.uint8(), len(text), [None, pa.py_buffer(text)])
    series = pl.from_arrow(array)
    assert isinstance(series, pl.Series)
    return series
