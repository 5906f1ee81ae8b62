"""Unbounded NUMERICs read back out of PostgreSQL's binary form, as `judge.numerics` writes it."""

import struct
from decimal import Decimal

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

GROUPS = 5
"""Groups that a double can show: five hold 17 digits or more."""
_NEGATIVE = 0x4000
_HEADER = 8
_WORDS = 9
_PLAIN = (5, 2)
"""Groups and weight of a plain number (`judge.numerics.plain_numeric_binary`)."""


def numeric_values(binary: pl.Series) -> pl.Series:
    """Numbers without nulls as `Float64`, some 16 digits of each; vectorised."""
    words = _plain_words(binary)
    return _any_values(binary) if words is None else words.select(_plain_value()).to_series()


def _plain_words(binary: pl.Series) -> pl.DataFrame | None:
    """The words of each number as `Array`, where all numbers are plain: they are equally long."""
    array = binary.to_arrow(compat_level=pl.CompatLevel.oldest())
    count, size = len(array), 2 * _WORDS
    lengths = pc.min_max(pc.binary_length(array)).as_py()
    if lengths != {"min": size, "max": size}:
        return None
    start = array.buffers()[1].slice(8 * array.offset, 8).to_pybytes()
    data = array.buffers()[2].slice(int.from_bytes(start, "little"), size * count)
    flat = pa.Array.from_buffers(pa.uint16(), _WORDS * count, [None, data])
    words = pl.Series("words", flat).reshape((count, _WORDS)).to_frame()
    plain = words.select(((_word(0) == _PLAIN[0]) & (_word(1) == _PLAIN[1])).all()).item()
    return words if plain else None


def _word(at: int) -> pl.Expr:
    word = pl.col("words").arr.get(at).cast(pl.Int64)
    return word % 256 * 256 + word // 256


def _plain_value() -> pl.Expr:
    whole = (_word(4) * 10_000 + _word(5)) * 10_000 + _word(6)
    fraction = _word(7) * 10_000 + _word(8)
    value = whole.cast(pl.Float64) + fraction.cast(pl.Float64) / 1e8
    return pl.when(_word(2) == _NEGATIVE).then(-value).otherwise(value)


def _any_values(binary: pl.Series) -> pl.Series:
    def word(at: int) -> pl.Expr:
        part = pl.col("").bin.slice(2 * at, 2)
        return part.bin.reinterpret(dtype=pl.Int16, endianness="big").cast(pl.Float64)

    frame = binary.alias("").to_frame()
    weight = word(1)
    groups = [
        word(_HEADER // 2 + at).fill_null(0) * pl.lit(10_000.0).pow(weight - at)
        for at in range(GROUPS)
    ]
    sign = pl.when(word(2) == _NEGATIVE).then(-1.0).otherwise(1.0)
    return frame.select((pl.sum_horizontal(groups) * sign).alias(binary.name)).to_series()


def numeric_text(binary: bytes) -> str:
    """A number with every digit, as PostgreSQL writes it."""
    count, weight, sign, scale = struct.unpack_from(">hhHH", binary)
    groups = struct.unpack_from(f">{count}H", binary, _HEADER)
    digits = "".join(f"{group:04}" for group in groups) or "0"
    exponent = 4 * (weight - count + 1) if count else 0
    number = Decimal((1 if sign == _NEGATIVE else 0, tuple(map(int, digits)), exponent))
    shown, _, fraction = f"{number:f}".partition(".")
    fraction = fraction.ljust(scale, "0")[:scale]
    return f"{shown}.{fraction}" if fraction else shown
