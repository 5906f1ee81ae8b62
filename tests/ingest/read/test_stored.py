"""Text in pieces that take bounded memory once they are split into cells."""

import pytest

from services.ingest.read.pieces import (
    LINES_PER_PIECE,
    MARKS_PER_PIECE,
    VALUE_MARKS,
    in_even_pieces,
)


@pytest.mark.parametrize(
    ("text", "marks"),
    [
        (b"1\n" * (3 * LINES_PER_PIECE), b","),
        (b"," * (3 * MARKS_PER_PIECE), b","),
        (b"a b " * MARKS_PER_PIECE, VALUE_MARKS),
        (b'"x",' * MARKS_PER_PIECE, VALUE_MARKS),
    ],
)
def test_pieces_have_few_lines_and_cells(text: bytes, marks: bytes) -> None:
    pieces = in_even_pieces(text, marks)
    assert len(pieces) > 1
    assert b"".join(pieces) == text
    for piece in pieces:
        assert piece.count(b"\n") <= LINES_PER_PIECE
        assert sum(map(piece.count, marks)) <= MARKS_PER_PIECE


def test_what_ends_no_cell_splits_nothing() -> None:
    text = b'a b "c" d;' * MARKS_PER_PIECE
    assert in_even_pieces(text, b",") == [text]
