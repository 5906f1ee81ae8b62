"""How many different values a column has, in bounded memory."""

import math
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

HASHES = 2**64
ALL_UNIQUE = 0.95
"""Share of different values from which on a column counts as one of nothing else."""


def _none() -> pa.Array:
    return pa.array([], pa.uint64())


@dataclass(slots=True)
class DistinctCount:
    """Counts different hashes: exactly up to twice `size`, beyond that by the least of them.

    Bottom-k, or KMV: how densely the least hashes lie says how many there are. The standard error
    is 1/sqrt(size) at most: 3.1 % with 1,024. See Bar-Yossef et al., "Counting distinct elements
    in a data stream", 2002. Arrow's functions take no detour through a query, unlike polars'.
    """

    size: int
    _kept: pa.Array = field(default_factory=_none)
    _limit: int | None = None
    """Where some were left out: every hash below it is kept, no other."""
    _waiting: list[pa.Array] = field(default_factory=list)
    """Hashes below the limit that may be there already."""
    _waiting_rows: int = 0
    _seen: int = 0
    _half: tuple[int, int] = (0, 0)
    """How many different ones there were among how many, when there were half as many as now."""
    _next_half: tuple[int, int] = (0, 0)

    @property
    def is_exact(self) -> bool:
        """Whether every hash was kept."""
        return self._limit is None

    def add(self, hashes: pa.Array) -> bool:
        """Count these hashes, `uint64`, in; whether some are new, False once that is not known."""
        first = 4 * self.size
        if self._limit is None and len(hashes) > first:
            # Of many values it shows at once, and the rest need not be looked at so closely.
            is_new = self.add(hashes.slice(0, first))
            return self.add(hashes.slice(first)) or is_new
        self._seen += len(hashes)
        before = len(self._kept)
        if self._limit is not None:
            below = hashes.filter(pc.less(hashes, pa.scalar(self._limit, pa.uint64())))
            self._waiting.append(below)
            self._waiting_rows += len(below)
            if self._waiting_rows > self.size:
                self._take_in()
        else:
            self._waiting.append(pc.unique(hashes))
            self._take_in()
        if self._seen >= 2 * self._next_half[1]:
            self._half, self._next_half = self._next_half, (self._so_far(), self._seen)
        return self._limit is None and len(self._kept) > before

    def estimate(self, rows: int) -> int:
        """How many there are among so many rows, of which `add` saw some, evenly spread.

        Between two ways in which what was not seen may go on: values that are equally frequent,
        and such as get rarer and rarer (Heaps' law). Keys are more often like the former.
        """
        so_far = self._so_far()
        if self.is_exact or rows <= self._seen:
            return min(so_far, rows)
        if so_far >= ALL_UNIQUE * self._seen:
            return round(rows * so_far / self._seen) if so_far < self._seen else rows
        least = _equally_frequent(so_far, self._seen, rows)
        most = self._by_growth(so_far, rows)
        return min(rows, round(math.pow(least, 2 / 3) * math.pow(max(least, most), 1 / 3)))

    def _by_growth(self, so_far: int, rows: int) -> float:
        """With n times the rows come n^a times the values, as when what was seen last doubled."""
        values, seen = self._half
        if not values:
            return so_far
        growth = math.log(max(so_far, values) / values) / math.log(self._seen / seen)
        return float(so_far * (rows / self._seen) ** min(growth, 1.0))

    def _so_far(self) -> int:
        self._take_in()
        if self._limit is None:
            return len(self._kept)
        return round(len(self._kept) * (HASHES / self._limit))

    def _take_in(self) -> None:
        if not self._waiting:
            return
        self._kept = pc.unique(pa.concat_arrays([self._kept, *self._waiting]))
        self._waiting, self._waiting_rows = [], 0
        if len(self._kept) > 2 * self.size:
            least = self._kept.sort()
            # A slice would keep all of them in memory.
            self._kept = pa.concat_arrays([least.slice(0, self.size), _none()])
            self._limit = least[self.size].as_py()


def _equally_frequent(values: int, seen: int, rows: int) -> float:
    """Of how many `rows` show, where `seen` of them showed `values`: n (1 - exp(-rows / n))."""
    low, high = 1e-9, 1e9
    for _ in range(100):
        middle = math.sqrt(low * high)
        if -math.expm1(-middle) / middle > values / seen:
            low = middle
        else:
            high = middle
    all_values = seen / low
    return -all_values * math.expm1(-rows / all_values)
