"""PostgreSQL's binary form of an unbounded NUMERIC, which keeps every digit as it was written."""

import struct

import polars as pl
import pyarrow as pa

_NEGATIVE = 0x4000
_GROUP = 4
_WHOLE_DIGITS, _FRACTION_DIGITS = 10, 8
_FRACTION = 10**_FRACTION_DIGITS
_WORDS = 9
PLAIN_NUMERIC = rf"^-?[0-9]{{1,{_WHOLE_DIGITS}}}(?:\.[0-9]{{1,{_FRACTION_DIGITS}}})?$"
"""Numbers that `plain_numeric_binary` can take: so many digits that they fit 64 bits."""


def plain_numeric_binary(column: pl.Expr) -> pl.Expr:
    """`numeric_binary` of a column of plain numbers, null where one is not plain; vectorised."""
    return column.map_batches(_plain_binary, return_dtype=pl.Binary())


def _plain_binary(texts: pl.Series) -> pl.Series:
    """Always five groups, three of them before the point: PostgreSQL drops those that are zero."""
    plain = texts.str.contains(PLAIN_NUMERIC)
    texts = texts.zip_with(plain.fill_null(value=False), pl.Series([None], dtype=pl.String))
    point = texts.str.find(".", literal=True)
    scale = (texts.str.len_bytes().cast(pl.Int64) - point - 1).fill_null(0)
    digits = texts.str.replace(".", "", literal=True).cast(pl.Int64, strict=False).fill_null(0)
    powers = pl.Series([10**power for power in range(_FRACTION_DIGITS, -1, -1)], dtype=pl.Int64)
    size = digits.abs() * powers.gather(scale)
    whole, fraction = size // _FRACTION, size % _FRACTION
    words = [
        pl.repeat(5, len(texts), dtype=pl.Int64, eager=True),
        pl.repeat(2, len(texts), dtype=pl.Int64, eager=True),
        (digits < 0).cast(pl.Int64) * _NEGATIVE,
        scale,
        whole // 100_000_000,
        whole // 10_000 % 10_000,
        whole % 10_000,
        fraction // 10_000,
        fraction % 10_000,
    ]
    swapped = [(word % 256 * 256 + word // 256).cast(pl.UInt16) for word in words]
    frame = pl.DataFrame({str(at): word for at, word in enumerate(swapped)})
    rows = frame.select(pl.concat_arr(pl.all())).to_series()
    nothing = pl.Series([None], dtype=pl.Binary)
    return _as_binary(rows).zip_with(plain.fill_null(value=False), nothing).alias(texts.name)


def _as_binary(words: pl.Series) -> pl.Series:
    """Rows of 16-bit words, already in network order, as the bytes that they are."""
    flat = words.explode().to_arrow(compat_level=pl.CompatLevel.oldest())
    buffer = flat.buffers()[1].slice(flat.offset * 2, len(flat) * 2)
    array = pa.Array.from_buffers(pa.binary(_WORDS * 2), len(words), [None, buffer])
    series = pl.from_arrow(array.cast(pa.large_binary()))
    assert isinstance(series, pl.Series)
    return series


def numeric_binary(sign: int, digits: str, exponent: int) -> bytes:
    """`numeric_send`'s form of (-1)^sign * digits * 10^exponent; zero has no digits.

    16-bit words: number of groups, weight of the first group, sign, digits shown after the
    point; then the groups, base 10,000.
    """
    scale = max(0, -exponent)
    if not digits:
        return struct.pack(">hhHH", 0, 0, 0, scale)
    if exponent > 0:
        digits += "0" * exponent
        exponent = 0
    before = len(digits) - scale
    if before > 0:
        whole, fraction = digits[:before], digits[before:]
    else:
        whole, fraction = "", "0" * -before + digits
    whole = whole.rjust(-(-len(whole) // _GROUP) * _GROUP, "0")
    fraction = fraction.ljust(-(-len(fraction) // _GROUP) * _GROUP, "0")
    text = whole + fraction
    groups = [int(text[at : at + _GROUP]) for at in range(0, len(text), _GROUP)]
    weight = len(whole) // _GROUP - 1
    while groups and groups[0] == 0:
        del groups[0]
        weight -= 1
    while groups and groups[-1] == 0:
        del groups[-1]
    return struct.pack(
        f">hhHH{len(groups)}H", len(groups), weight, _NEGATIVE if sign else 0, scale, *groups
    )
