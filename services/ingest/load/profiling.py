"""The profile of an import's rows, made frame by frame as they go by, in bounded memory.

Every row counts for nulls, extremes, means and different values; commonest values and histograms
are those of a random sample. A frame costs some nanoseconds a cell and few calls a column, because
most imports are small.
"""

from collections.abc import Sequence

import polars as pl

from services.ingest.load.profiled_column import ProfiledColumn
from services.ingest.load.sample import Sample
from services.ingest.plan.columns import PlannedColumn
from shared.contracts.ingest import Profile

KEPT_HASHES = 1 << 16
"""Of all columns together: 0.5 to 1 MiB."""
MOST_HASHES = 1_024
LEAST_HASHES = 128
HASHED_ROWS = 1 << 16
HASHED_SHARE = 8
"""Beyond so many rows, columns of many values are counted in one frame of so many: to hash each of
their cells would cost more than all the rest."""


class Profiler:
    """Watches the rows that an import loads; CPU-bound, so use it in a thread."""

    def __init__(self, columns: Sequence[PlannedColumn]) -> None:
        self._planned = columns
        self._begin()

    def restart(self) -> None:
        """Forget all: the source is read again."""
        self._begin()

    def _begin(self) -> None:
        size = KEPT_HASHES // max(1, len(self._planned))
        size = max(LEAST_HASHES, min(MOST_HASHES, size))
        self._columns = [ProfiledColumn.of(each, hashes=size) for each in self._planned]
        self._sample = Sample()
        self._rows = 0
        self._hashed = 0
        """Rows of which every column was hashed."""

    def add(self, good: pl.DataFrame) -> None:
        """Count rows in; columns as in `Judged.good`."""
        if not good.height:
            return
        all_of_it = self._hashed < HASHED_ROWS or self._hashed * HASHED_SHARE < self._rows
        for column in self._columns:
            cells = good[column.name]
            # A query of all columns would take longer to set up than it takes to hash one.
            is_hashed = all_of_it or column.is_exact
            column.add(cells, cells.hash().rechunk().to_arrow() if is_hashed else None)
        self._sample.add(good)
        self._rows += good.height
        self._hashed += good.height if all_of_it else 0

    def profile(self) -> Profile | None:
        """What was seen; None where no row was."""
        if not self._rows:
            return None
        sample = self._sample
        return Profile(
            rows=self._rows,
            sampled_rows=None if sample.is_whole else sample.height,
            columns=tuple(
                column.profile(values, rows=self._rows)
                for column, values in zip(self._columns, sample.columns(), strict=True)
            ),
        )
