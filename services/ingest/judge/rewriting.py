"""Columns of texts in a notation of their own, rewritten as the type table has them; vectorised.

What is rewritten is surely right; everything else becomes null, and is read by `exact`.
"""

from functools import reduce

import polars as pl

from shared.values.dates import MONTHS, DateFormat, DatePattern
from shared.values.number_formats import MINUS, PLAIN_NUMBER, SPACES, NumberFormat

_MINUS = rf"[+\-{MINUS}]"
_REST = (
    r"^(?:[Tt ,]+(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})"
    r"(?::(?P<second>[0-9]{2})(?P<fraction>\.[0-9]+)?)?"
    "(?:[ \u00a0\u202f]?(?P<half>[AaPp])\\.?[Mm]\\.?)?(?P<zone> ?[A-Za-z+-].*)?)?$"
)


def plain_numbers(column: pl.Expr, numbers: NumberFormat) -> pl.Expr:
    """The column's numbers with a point and without anything else around their digits."""
    number = _lenient(column, numbers) if numbers.lenient else _signed(column, numbers)
    if not numbers.beside_plain:
        return number
    plain = column.str.contains(f"^{PLAIN_NUMBER}$")
    same = plain & (number.is_null() | (number == column))
    return pl.when(same).then(column).when(~plain).then(number)


def _signed(column: pl.Expr, numbers: NumberFormat) -> pl.Expr:
    shape = rf"^[+-]?{numbers.core}$"
    return pl.when(column.str.contains(shape)).then(_digits(column, numbers))


def _lenient(column: pl.Expr, numbers: NumberFormat) -> pl.Expr:
    currency = rf"\p{{Sc}}[{SPACES}]*"
    parts = column.str.extract_groups(
        rf"^(?P<open>\()?(?P<before>{_MINUS})?(?P<currency>{currency})?(?P<within>{_MINUS})?"
        rf"(?P<core>{numbers.core})(?:[{SPACES}]*(?P<tail>[%\p{{Sc}}]))?(?P<behind>[\-{MINUS}])?"
        rf"(?P<close>\))?$"
    )
    field = parts.struct.field
    signs = [field(name) for name in ("open", "before", "within", "behind")]
    tail = field("tail")
    fits = (
        (sum(sign.is_not_null().cast(pl.Int8) for sign in signs) <= 1)
        & (field("open").is_null() == field("close").is_null())
        & (tail.is_null() | (tail == "%") | field("currency").is_null())
        & ((tail != "%").fill_null(value=True) | ~field("core").str.contains("[eE]"))
    )
    minus = pl.any_horizontal(sign.is_in(["(", "-", MINUS]) for sign in signs)
    rewritten = pl.concat_str(
        pl.when(minus.fill_null(value=False)).then(pl.lit("-")).otherwise(pl.lit("")),
        _digits(field("core"), numbers),
        pl.when(tail == "%").then(pl.lit("e-2")).otherwise(pl.lit("")),
    )
    return pl.when(fits).then(rewritten)


def _digits(column: pl.Expr, numbers: NumberFormat) -> pl.Expr:
    for character in "".join(numbers.separators):
        column = column.str.replace_all(character, "", literal=True)
    if numbers.decimal == ".":
        return column
    return column.str.replace(numbers.decimal, ".", literal=True)


def iso_texts(column: pl.Expr, dates: DateFormat, *, timed: bool) -> pl.Expr:
    """Dates in one of the formats as ISO dates, with what is behind them where there are times.

    A text that is two days by two formats is null; one of no format's shape stays as it is.
    """
    written = [_iso_text(column, pattern, timed=timed) for pattern in dates.patterns]
    shaped = pl.any_horizontal(
        column.str.contains(f"^{pattern.shape}") for pattern in dates.patterns
    )
    if len(written) == 1:
        return pl.when(shaped).then(written[0]).otherwise(column)
    days = [
        text.str.slice(0, 10).str.to_date("%Y-%m-%d", strict=False, cache=False) for text in written
    ]
    one = pl.coalesce(
        pl.when(day.is_not_null()).then(t) for day, t in zip(days, written, strict=True)
    )
    same = reduce(
        lambda all_same, day: all_same & (day == pl.coalesce(days)).fill_null(value=True),
        days,
        pl.lit(value=True),
    )
    return pl.when(~shaped).then(column).when(same).then(one)


def _iso_text(column: pl.Expr, pattern: DatePattern, *, timed: bool) -> pl.Expr:
    parts = column.str.extract_groups(f"^{pattern.shape}(?P<rest>.*)$")
    field = parts.struct.field
    day = pl.concat_str(
        _year(parts, pattern), pl.lit("-"), _month(parts, pattern), pl.lit("-"),
        field("d").str.zfill(2),
    )  # fmt: skip
    if not timed:
        return pl.when(field("rest") == "").then(day)
    return (
        pl.when(field("rest") == "").then(day).otherwise(pl.concat_str(day, _clock(field("rest"))))
    )


def _year(parts: pl.Expr, pattern: DatePattern) -> pl.Expr:
    if "Y" in pattern.directives:
        return parts.struct.field("Y")
    first = pattern.century_from
    assert first is not None
    of_hundred = parts.struct.field("y").cast(pl.Int32, strict=False)
    return (first + (of_hundred - first) % 100).cast(pl.String).str.zfill(4)


def _month(parts: pl.Expr, pattern: DatePattern) -> pl.Expr:
    if "m" in pattern.directives:
        return parts.struct.field("m").str.zfill(2)
    whole = "B" in pattern.directives
    names = {(name if whole else name[:3]): f"{at:02}" for at, name in enumerate(MONTHS, 1)}
    name = parts.struct.field("B" if whole else "b").str.to_lowercase()
    return name.replace_strict(names, default=None, return_dtype=pl.String())


def _clock(rest: pl.Expr) -> pl.Expr:
    """The time behind a date, with hours of a day of 24; null where it is none."""
    field = rest.str.extract_groups(_REST).struct.field
    hour = field("hour").cast(pl.Int8, strict=False)
    afternoon = field("half").str.to_lowercase() == "p"
    of_half = pl.when(hour.is_between(1, 12)).then(hour % 12 + afternoon.cast(pl.Int8) * 12)
    hours = pl.when(field("half").is_null()).then(hour).otherwise(of_half)
    return pl.concat_str(
        pl.lit("T"), hours.cast(pl.String).str.zfill(2), pl.lit(":"), field("minute"),
        pl.lit(":"), field("second").fill_null("00"), field("fraction").fill_null(""),
        field("zone").fill_null(""),
    )  # fmt: skip
