"""What the rows of an import say about one column."""

import math
from dataclasses import dataclass
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from services.ingest.judge.numeric_values import numeric_values
from services.ingest.judge.typed_texts import typed_texts
from services.ingest.load.distinct import DistinctCount
from services.ingest.plan.columns import PlannedColumn
from services.ingest.plan.dtypes import POSTGRESQL_EPOCH_US, dtype_of
from shared.contracts.ingest import Bin, ColumnProfile, CommonValue
from shared.values.types import (
    INTEGER_TYPES,
    NUMBER_TYPES,
    TEXT_TYPES,
    TIMESTAMP_TYPES,
    ColumnType,
    TypeName,
)

COMMON = 10
ENOUGH_IN_SAMPLE = 5
"""What is met less often in a sample says nothing about all rows."""
BINS = 20
SHOWN_CHARS = 100
TIME_TYPES = TIMESTAMP_TYPES | {TypeName.DATE, TypeName.TIME}
WHOLE_TYPES = INTEGER_TYPES | {TypeName.DATE}
"""Types of whole steps."""
EARLIEST, LATEST = -(1 << 63), (1 << 63) - 1
"""-infinity and infinity, in microseconds from PostgreSQL's epoch on."""


@dataclass(frozen=True, slots=True)
class _Extreme:
    """A least or greatest value: what it is compared by, and the cell."""

    key: Any
    cell: Any


@dataclass(slots=True)
class ProfiledColumn:
    """Counts the cells of a column frame by frame."""

    name: str
    type: ColumnType
    distinct: DistinctCount
    nulls: int = 0
    _finite: int = 0
    _total: float = 0.0
    _least: _Extreme | None = None
    _greatest: _Extreme | None = None

    @classmethod
    def of(cls, planned: PlannedColumn, *, hashes: int) -> "ProfiledColumn":
        """A column of which nothing was seen; `hashes` bounds what is kept to count its values."""
        return cls(planned.target, planned.type, DistinctCount(hashes))

    @property
    def is_exact(self) -> bool:
        """Whether its different values are known, so that each cell's hash is needed."""
        return self.distinct.is_exact

    def add(self, cells: pl.Series, hashes: pa.Array | None) -> None:
        """Count the cells of a frame in; with the hash of each, its different values too."""
        nulls = cells.null_count()
        self.nulls += nulls
        if nulls == cells.len():
            return
        if nulls and hashes is not None:
            hash_of_null = pl.Series([None], dtype=cells.dtype).hash()[0]
            hashes = hashes.filter(pc.not_equal(hashes, pa.scalar(hash_of_null, pa.uint64())))
        is_new = hashes is not None and self.distinct.add(hashes)
        kind = self.type.name
        if kind in NUMBER_TYPES | TIME_TYPES or (is_new and kind in TEXT_TYPES):
            keys, cells = _keys(cells, self.type)
            if kind in NUMBER_TYPES:
                self._sum(keys)
            if is_new or kind not in TEXT_TYPES:
                self._widen(keys, cells)

    def _sum(self, keys: pl.Series) -> None:
        count = keys.len() - keys.null_count()
        mean: Any = keys.mean()
        if not math.isfinite(mean):
            keys = keys.filter(keys.is_finite())
            count, mean = keys.len(), keys.mean()
        if count:
            self._finite += count
            self._total += float(mean) * count

    def _widen(self, keys: pl.Series, cells: pl.Series) -> None:
        if cells.dtype == pl.Binary:
            least, greatest = (
                _Extreme(keys[place], cells[place])
                for place in (keys.arg_min(), keys.arg_max())
                if place is not None
            )
        else:
            least, greatest = (_Extreme(key, key) for key in (keys.min(), keys.max()))
        if isinstance(least.key, float) and math.isnan(least.key):
            return  # nothing else is there
        if self._least is None or least.key < self._least.key:
            self._least = least
        if self._greatest is None or greatest.key > self._greatest.key:
            self._greatest = greatest

    def profile(self, sampled: pa.Array, *, rows: int) -> ColumnProfile:
        """With the column's cells in a sample of the rows."""
        values = pl.Series(sampled, dtype=dtype_of(self.type))
        filled = values.len() - values.null_count()
        if filled and self.type.name in TEXT_TYPES and not self.distinct.is_exact:
            # To compare every text with the others would cost more than all the rest.
            self._widen(values, values)
        scale = (rows - self.nulls) / filled if filled else 1.0
        least, greatest = self._least, self._greatest
        distinct = self.distinct.estimate(rows - self.nulls)
        few = self.distinct.is_exact and distinct <= COMMON
        return ColumnProfile(
            column=self.name,
            type=self.type.spelled(),
            nulls=self.nulls,
            distinct=distinct,
            distinct_approximate=not self.distinct.is_exact,
            min=None if least is None else self._texts([least.cell])[0],
            max=None if greatest is None else self._texts([greatest.cell])[0],
            mean=self._total / self._finite if self._finite else None,
            common=self._common(sampled, scale, few=few),
            histogram=self._histogram(values, scale),
        )

    def _texts(self, cells: list[Any]) -> list[str]:
        dtype = dtype_of(self.type)
        if self.type.name in TIMESTAMP_TYPES:
            series = (pl.Series(cells, dtype=pl.Int64) + POSTGRESQL_EPOCH_US).cast(dtype)
        elif self.type.name in TIME_TYPES:
            series = pl.Series(cells, dtype=_counted(dtype)).cast(dtype)
        else:
            series = pl.Series(cells, dtype=dtype)
        return [shortened(text) for text in typed_texts(series, self.type)]

    def _common(self, sampled: pa.Array, scale: float, *, few: bool) -> tuple[CommonValue, ...]:
        """The commonest values; of a column with few different ones all."""
        counted = pc.value_counts(sampled.drop_null())
        counts = counted.field("counts")
        enough = 1 if few else ENOUGH_IN_SAMPLE if scale > 1 else 2
        if not len(counts) or pc.max(counts).as_py() < enough:
            return ()
        order = pc.select_k_unstable(counts, k=COMMON + 1, sort_keys=[("", "descending")])
        values = pl.Series(counted.field("values").take(order), dtype=dtype_of(self.type))
        texts = [shortened(text) for text in typed_texts(values, self.type)]
        pairs = zip(texts, counts.take(order).to_pylist(), strict=True)
        common = [
            CommonValue(value=text, count=round(count * scale))
            for text, count in pairs
            if count >= enough
        ]
        common.sort(key=lambda each: (-each.count, each.value))
        return tuple(common[:COMMON])

    def _histogram(self, values: pl.Series, scale: float) -> tuple[Bin, ...]:
        if self._least is None or self._greatest is None or self.type.name in TEXT_TYPES:
            return ()
        numbers = self._finite_numbers(values)
        least, most = float(self._least.key), float(self._greatest.key)
        if not math.isfinite(most - least) or self._is_infinite():
            if not numbers.len():
                return ()
            least, most = numbers.min(), numbers.max()  # type: ignore[assignment]
        if least == most or not math.isfinite(most - least):
            return ()
        bins = BINS
        if self.type.name in WHOLE_TYPES and most - least < BINS:
            most += 1  # a bin for each value
            bins = round(most - least)
        width = (most - least) / bins
        places = ((numbers - least) / width).cast(pl.Int64).to_arrow()
        counts = [0] * bins
        for item in pc.value_counts(places).to_pylist():
            counts[min(item["values"], bins - 1)] += item["counts"]
        edges = self._edges([least + width * at for at in range(bins)] + [most])
        return tuple(
            Bin(from_=edges[at], to=edges[at + 1], count=round(counts[at] * scale))
            for at in range(bins)
        )

    def _is_infinite(self) -> bool:
        assert self._least is not None
        assert self._greatest is not None
        return self.type.name in TIMESTAMP_TYPES and (
            self._least.key == EARLIEST or self._greatest.key == LATEST
        )

    def _finite_numbers(self, values: pl.Series) -> pl.Series:
        if values.null_count():
            values = values.drop_nulls()
        keys, _ = _keys(values, self.type)
        if self.type.name in TIMESTAMP_TYPES and self._is_infinite():
            keys = keys.filter((keys != EARLIEST) & (keys != LATEST))
        numbers = keys.cast(pl.Float64)
        return numbers.filter(numbers.is_finite()) if keys.dtype.is_float() else numbers

    def _edges(self, numbers: list[float]) -> list[str]:
        if self.type.name in TIME_TYPES:
            return self._texts([round(number) for number in numbers])
        return [f"{number:.6g}" for number in numbers]


def shortened(text: str) -> str:
    """A text of at most `SHOWN_CHARS`, with an ellipsis where something is left out."""
    return text if len(text) <= SHOWN_CHARS else f"{text[: SHOWN_CHARS - 1]}…"


def _counted(dtype: pl.DataType) -> pl.DataType:
    """What a time is counted in: days, or parts of a second."""
    return pl.Int32() if dtype == pl.Date else pl.Int64()


def _keys(cells: pl.Series, kind: ColumnType) -> tuple[pl.Series, pl.Series]:
    """What cells are ordered by, and the cells; without nulls where they are binary."""
    if kind.name in TIMESTAMP_TYPES:
        # From PostgreSQL's epoch on, as the infinities are the ends of 64 bits then.
        return cells.cast(pl.Int64) - POSTGRESQL_EPOCH_US, cells
    if kind.name in TIME_TYPES:
        return cells.cast(_counted(cells.dtype)), cells
    if cells.dtype == pl.Binary:
        if cells.null_count():
            cells = cells.drop_nulls()
        return numeric_values(cells), cells
    return cells, cells
