"""Rows at random, each as likely as any other, in bounded memory."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

ROWS = 2_048
ROWS_OF_A_FRAME = 64
"""Fewer of a frame are not worth the calls: so many of one in several then."""
WINDOW_ROWS = 1_024
"""Few rows are picked out of a part of the frame, which polars copies whole."""
BYTES = 8 << 20
CUT_CHARS = 101
"""What is kept of a long text: one more than is shown, so that it shows that there is more."""
CUT_BYTES = 51
LONG_ROW_BYTES = 1_024
TAG = "\0"
"""A name that no column has."""
COMPACT = pl.CompatLevel.oldest()
"""Arrow's arrays that hold no more than their rows; polars' own share their texts with others."""


@dataclass(slots=True)
class Sample:
    """All rows of up to `ROWS`, so many of more; fewer where they are long."""

    chance: random.Random = field(default_factory=random.Random)
    height: int = 0
    """How many rows it holds."""
    share: float = 1.0
    """How many of the rows, while it is 1 all."""
    _parts: list[pa.Table] = field(default_factory=list)
    """The columns, and behind them a random number below `share` for each row."""
    _size_bytes: int = 0

    @property
    def is_whole(self) -> bool:
        """Whether it holds every row."""
        return self.share == 1.0

    def add(self, cells: pl.DataFrame) -> None:
        """Take some of these rows."""
        while self.height + cells.height * self.share > ROWS:
            self._halve()
        if not self.is_whole:
            window, places = self._places(cells.height)
            if not places:
                return
            cells = cells[window][places]
        tags = pa.array([self.chance.random() * self.share for _ in range(cells.height)])
        part = _cut(cells).to_arrow(compat_level=COMPACT).append_column(TAG, tags)
        self._parts.append(part)
        self.height += cells.height
        self._size_bytes += part.nbytes
        while self._size_bytes > BYTES and self.height > 1:
            self._halve()

    def _places(self, height: int) -> tuple[slice, list[int]]:
        """A part of a frame, and places in it: one at random of each stretch of it."""
        chance, wanted = self.chance.random, height * self.share
        if wanted < ROWS_OF_A_FRAME:
            if chance() * ROWS_OF_A_FRAME > wanted:
                return slice(0), []
            wanted = ROWS_OF_A_FRAME
        size = height if wanted * 4 > WINDOW_ROWS else min(height, WINDOW_ROWS)
        start = self.chance.randrange(height - size + 1)
        count = int(wanted + chance())
        places = [int((number + chance()) * size / wanted) for number in range(count)]
        return slice(start, start + size), [place for place in places if place < size]

    def _halve(self) -> None:
        self.share /= 2
        if self._parts:
            rows = pa.concat_tables(self._parts)
            rows = rows.filter(pc.less(rows.column(TAG), self.share))
            self._parts, self.height, self._size_bytes = [rows], rows.num_rows, rows.nbytes

    def columns(self) -> Iterator[pa.Array]:
        """The cells of each column."""
        for column in pa.concat_tables(self._parts).drop_columns(TAG).columns:
            yield column.combine_chunks()


def _cut(cells: pl.DataFrame) -> pl.DataFrame:
    """Without what is not shown of long cells."""
    if cells.estimated_size() <= LONG_ROW_BYTES * cells.height:
        return cells
    return cells.with_columns(
        pl.col(pl.String).str.slice(0, CUT_CHARS), pl.col(pl.Binary).bin.slice(0, CUT_BYTES)
    )
