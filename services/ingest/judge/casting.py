"""Vectorised casts of text columns: what they take is surely right, the rest is read by `exact`.

Each cast is narrower than, or the same as, its row of the type table; regular expressions stand
before those polars casts that would take more (`2024- 1- 1` is a date to them, 12:00:60 a time).
"""

import re
from dataclasses import dataclass

import polars as pl

from services.ingest.domain.outcome import RejectCode
from services.ingest.judge.alike import all_between
from services.ingest.judge.exact import WHITE_SPACE, CellError, CellReader, CellValue
from services.ingest.judge.numerics import plain_numeric_binary
from services.ingest.judge.rewriting import iso_texts, plain_numbers
from services.ingest.plan.dtypes import dtype_of
from shared.values.dates import DateFormat, Epoch
from shared.values.notation import TYPE_TABLE, Notation
from shared.values.types import (
    FALSE_WORDS,
    FLOAT_TYPES,
    INTEGER_TYPES,
    NUMBER_TYPES,
    TEXT_TYPES,
    TIMESTAMP_TYPES,
    TRUE_WORDS,
    ColumnType,
    TypeName,
)

# Years 1 to 9999.
_DAY = (
    "(?:[0-9]{3}[1-9]|[0-9]{2}[1-9]0|[0-9][1-9]00|[1-9]000)"
    "-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
)
_MINUTES = "(?:[01][0-9]|2[0-3]):[0-5][0-9]"
_SECONDS = r":[0-5][0-9](?:\.[0-9]{1,6}0*)?"
_UTC = "(?:Z|z|UTC|[+-]00(?::?00)?(?: UTC)?)"
_ZONE = f"(?: ?(?:{_UTC}|[+-](?:0[0-9]|1[0-5])(?::?[0-5][0-9])?))"
_MIDNIGHT = rf"[Tt ]00:00(?::00(?:\.0+)?)?(?: ?{_UTC})?$"
_UUID = "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"
_UUID_DIGITS = "[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}"
_ANY_UUID = rf"^(?:{_UUID_DIGITS}|\{{{_UUID_DIGITS}\}})$"
_BYTEA = r"^\\x(?:[0-9a-fA-F]{2})*$"
_SPELLINGS = (str.lower, str.upper, str.capitalize)
_TRUE = sorted({spell(word) for word in TRUE_WORDS for spell in _SPELLINGS})
_FALSE = sorted({spell(word) for word in FALSE_WORDS for spell in _SPELLINGS})
_TIMESTAMP = re.compile(
    rf".{{10}}([Tt ]){_MINUTES}(:[0-5][0-9](?:\.([0-9]{{1,6}}))?)?({_ZONE})?", re.ASCII
)
_BASIC = (
    (r"^([0-9]{4})([0-9]{2})([0-9]{2})[Tt]([0-9]{2})([0-9]{2})([0-9]{2})", "$1-$2-$3T$4:$5:$6"),
    (r"^([0-9]{4})([0-9]{2})([0-9]{2})[Tt]([0-9]{2})([0-9]{2})", "$1-$2-$3T$4:$5"),
)
"""ISO 8601's basic format, with and without seconds, and the extended one."""
_FRACTIONS = (0, 3, 6)
"""Digits that polars has a format for."""
_LEAST, _MOST = "1000-00-00 00:00:00", "9999-99-99 99:99:59"
"""Of dates and times that are written with characters between these, polars takes the real ones."""
_COMPARED_WORDS = 8
_SECOND_TRY_FROM = 32
"""Fewer cells than this are read one by one at once."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One refused cell."""

    row: int
    code: RejectCode
    message: str


@dataclass(frozen=True, slots=True)
class TextRules:
    """How the cells of one text column are read."""

    type: ColumnType
    notation: Notation = TYPE_TABLE
    null_values: tuple[str, ...] = ()

    @property
    def trims(self) -> bool:
        """Whether white space around a cell means nothing."""
        return self.type.name not in TEXT_TYPES


def fast_cast(series: pl.Series, rules: TextRules) -> pl.Expr:
    """An expression over the column named like `series`: the cast value, or null if unsure."""
    column = pl.col(series.name)
    if rules.null_values:
        column = pl.when(_is_none_of(column, rules.null_values)).then(column)
    return _cast(_in_digits(column, rules), rules, series)


def _in_digits(column: pl.Expr, rules: TextRules) -> pl.Expr:
    """Numbers of another notation in the type table's own; every other column as it is."""
    numbers = rules.notation.numbers
    if rules.type.name not in NUMBER_TYPES or numbers.is_plain:
        return column
    return plain_numbers(column, numbers)


def _is_none_of(column: pl.Expr, words: tuple[str, ...]) -> pl.Expr:
    """Comparing with a few words takes half the time of looking them up."""
    if len(words) > _COMPARED_WORDS:
        return ~column.is_in(list(words))
    return pl.all_horizontal(column != word for word in words)


def finish(series: pl.Series, cast: pl.Series, rules: TextRules) -> tuple[pl.Series, list[Fault]]:
    """Read what `fast_cast` left open; the typed column is null where a cell is null or refused."""
    if cast.null_count() == series.null_count():
        return cast, []
    open_rows = (series.is_not_null() & cast.is_null()).arg_true()
    left = series.gather(open_rows)
    if rules.trims:
        left = left.str.strip_chars(WHITE_SPACE)
        nulls = left.is_in(["", *rules.null_values])
    else:
        nulls = left.is_in(list(rules.null_values))
    if nulls.any():
        open_rows, left = open_rows.filter(~nulls), left.filter(~nulls)
    if len(left) >= _SECOND_TRY_FROM:
        again = _second_try(left, rules)
        done = again.is_not_null()
        cast = cast.scatter(open_rows.filter(done), again.filter(done))
        open_rows, left = open_rows.filter(~done), left.filter(~done)
    return _read_singly(cast, open_rows, left, rules)


def _read_singly(
    cast: pl.Series, open_rows: pl.Series, left: pl.Series, rules: TextRules
) -> tuple[pl.Series, list[Fault]]:
    reader = CellReader(rules.type, rules.notation)
    known: dict[str, CellValue | CellError] = {}
    rows: list[int] = []
    values: list[CellValue] = []
    faults: list[Fault] = []
    for row, text in zip(open_rows.to_list(), left.to_list(), strict=True):
        if text not in known:
            try:
                known[text] = reader.read(text)
            except CellError as error:
                known[text] = error
        found = known[text]
        if isinstance(found, CellError):
            faults.append(Fault(row, found.code, found.message))
        else:
            rows.append(row)
            values.append(found)
    if rows:
        instants = rules.type.name in TIMESTAMP_TYPES
        read = pl.Series(values, dtype=pl.Int64() if instants else dtype_of(rules.type))
        cast = cast.scatter(rows, read.cast(dtype_of(rules.type)))
    return cast, faults


def _first(series: pl.Series) -> str:
    """The column's first cell: the others are probably written like it."""
    first = series[0] if len(series) else None
    if first is None and series.null_count() < len(series):
        first = series[series.is_not_null().arg_max()]
    return first or ""


def _cast(  # noqa: C901, PLR0911 - one case per type is the clearest
    column: pl.Expr, rules: TextRules, cells: pl.Series
) -> pl.Expr:
    kind, dtype = rules.type.name, dtype_of(rules.type)
    match kind:
        case TypeName.TEXT:
            return column
        case TypeName.VARCHAR | TypeName.CHAR:
            return pl.when(column.str.len_chars() <= rules.type.length).then(column)
        case TypeName.SMALLINT | TypeName.INTEGER | TypeName.BIGINT:
            return column.cast(dtype, strict=False)
        case TypeName.REAL | TypeName.DOUBLE:
            return _float(column, dtype)
        case TypeName.NUMERIC:
            return _numeric(column, rules.type, dtype)
        case TypeName.BOOLEAN:
            false = pl.when(column.is_in(_FALSE)).then(pl.lit(value=False))
            return pl.when(column.is_in(_TRUE)).then(pl.lit(value=True)).otherwise(false)
        case TypeName.DATE:
            return _date(column, rules.notation.dates, cells)
        case TypeName.TIMESTAMP | TypeName.TIMESTAMPTZ:
            return _timestamp(column, rules, cells)
        case TypeName.TIME:
            clock = column.str.to_time("%H:%M:%S%.f", strict=False, cache=False)
            return pl.when(column.str.contains(f"^{_MINUTES}{_SECONDS}$")).then(clock)
        case TypeName.UUID:
            digits = column.str.replace_all("-", "", literal=True)
            return pl.when(column.str.contains(_UUID)).then(digits.str.decode("hex", strict=False))
        case TypeName.BYTEA:
            digits = column.str.slice(2)
            return pl.when(column.str.contains(_BYTEA)).then(digits.str.decode("hex", strict=False))
        case TypeName.JSON | TypeName.INTERVAL:
            return pl.repeat(None, pl.len(), dtype=dtype)


def _float(column: pl.Expr, dtype: pl.DataType, *, long_zeros: bool = False) -> pl.Expr:
    """What is too small for the type becomes 0, so a zero must be written as one.

    A text of up to four characters is never too small; longer zeros are left to the second try.
    """
    number = column.cast(dtype, strict=False)
    small = ~column.str.contains("[1-9]") if long_zeros else column.str.len_bytes() <= 4
    return pl.when(number.is_finite() & ((number != 0) | small)).then(number)


def _numeric(column: pl.Expr, column_type: ColumnType, dtype: pl.DataType) -> pl.Expr:
    if column_type.precision is None:
        return plain_numeric_binary(column)
    scale = column_type.scale or 0
    before = column_type.precision - scale
    whole = f"[0-9]{{1,{before}}}" if before else "0"
    fraction = rf"(?:\.[0-9]{{0,{scale}}}0*)?"
    shape = f"^[+-]?{whole}{fraction}$"
    return pl.when(column.str.contains(shape)).then(column.cast(dtype, strict=False))


def _date(column: pl.Expr, dates: DateFormat, cells: pl.Series) -> pl.Expr:
    if dates.patterns:
        column = iso_texts(column, dates, timed=False)
    day = column.str.to_date("%Y-%m-%d", strict=False, cache=False)
    if not dates.patterns and all_between(cells, _LEAST[:10], _MOST[:10]):
        return day
    return pl.when(column.str.contains(f"^{_DAY}$")).then(day)


def _timestamp(column: pl.Expr, rules: TextRules, cells: pl.Series) -> pl.Expr:
    """Cells written like the first one: polars is seven times as fast on a fixed format."""
    if rules.notation.dates.formats is not None:
        return _written_timestamp(column, rules)
    separator, seconds, fraction, zone = _timestamp_parts(_first(cells), rules.type)
    written = f"%Y-%m-%d{separator}%H:%M{':%S' if seconds else ''}"
    shape = f"^{_DAY}{separator}{_MINUTES}{':[0-5][0-9]' if seconds else ''}"
    if fraction:
        written, shape = f"{written}.%{fraction}f", rf"{shape}\.[0-9]{{{fraction}}}"
    shape = f"{shape}{re.escape(zone)}$"
    # The cache of polars makes distinct texts seven times as slow as none.
    instant = column.str.to_datetime(written + zone, strict=False, time_unit="us", cache=False)
    plain = separator == " " and seconds and not fraction and not zone
    if plain and all_between(cells, _LEAST, _MOST):
        return instant
    taken = column.str.contains(shape)
    digits = "".join(filter(str.isdecimal, zone))
    if digits.strip("0"):  # an offset: it can lead out of the first and the last year
        east = pl.duration(hours=int(digits[:2]), minutes=int(digits[2:] or 0))
        taken &= instant.dt.year().is_between(2, 9998)
        instant = instant + east if "-" in zone else instant - east
    return pl.when(taken).then(instant)


def _written_timestamp(column: pl.Expr, rules: TextRules) -> pl.Expr:
    """Timestamps in formats of their own; dates and numbers together are read singly."""
    dates, zoned = rules.notation.dates, rules.type.name is TypeName.TIMESTAMPTZ
    if dates.epoch is None:
        return _any_timestamp(iso_texts(column, dates, timed=True), zoned=zoned)
    if dates.patterns:
        return pl.repeat(None, pl.len(), dtype=pl.Datetime("us"))
    count = column.cast(pl.Int64, strict=False) * dates.epoch.microseconds
    # So few digits that the instant lies between the years 1 and 9999.
    digits = 10 if dates.epoch is Epoch.SECONDS else 13
    fits = column.str.contains(f"^(?:[0-9]{{1,{digits + 1}}}|-[0-9]{{1,{digits}}})$")
    return pl.when(fits).then(count.cast(pl.Datetime("us")))


def _timestamp_parts(like: str, column_type: ColumnType) -> tuple[str, bool, int, str]:
    """Separator, whether there are seconds, digits of their fraction, and the zone as written.

    Of a cell that is written otherwise: the parts of the plainest form.
    """
    found = _TIMESTAMP.fullmatch(like)
    if found is None:
        return " ", True, 0, ""
    separator, seconds, fraction, zone = found.groups()
    zoned = column_type.name is TypeName.TIMESTAMPTZ
    if (zone and not zoned) or len(fraction or "") not in _FRACTIONS:
        return separator, True, 0, ""
    return separator, bool(seconds), len(fraction or ""), zone or ""


def _second_try(left: pl.Series, rules: TextRules) -> pl.Series:
    """The same casts on trimmed cells, and the rarer spellings."""
    kind, dtype = rules.type.name, dtype_of(rules.type)
    ways = rules.notation.dates.formats
    if kind is TypeName.DATE:
        left = left.str.replace(_MIDNIGHT, "")
    elif kind in TIMESTAMP_TYPES and ways is None:
        for basic, extended in _BASIC:
            left = left.str.replace(basic, extended)
    column = _in_digits(pl.col("cell"), rules)
    cast = _cast(column, rules, left)
    if kind in TIMESTAMP_TYPES and ways is None:
        cast = pl.coalesce(cast, _any_timestamp(column, zoned=kind is TypeName.TIMESTAMPTZ))
    elif kind is TypeName.UUID:
        digits = column.str.replace_all("[{}-]", "").str.decode("hex", strict=False)
        cast = pl.when(column.str.contains(_ANY_UUID)).then(digits)
    elif kind in INTEGER_TYPES:
        cast = column.str.replace(r"\.0+$", "").cast(dtype, strict=False)
    elif kind in FLOAT_TYPES:
        cast = _float(column, dtype, long_zeros=True)
    elif kind is TypeName.TIME:
        minutes = pl.when(column.str.contains(f"^{_MINUTES}$"))
        clock = (column + ":00").str.to_time("%H:%M:%S", strict=False, cache=False)
        cast = pl.coalesce(cast, minutes.then(clock))
    return left.alias("cell").to_frame().select(cast.alias("cell")).to_series()


def _any_timestamp(column: pl.Expr, *, zoned: bool) -> pl.Expr:
    """Either separator, with or without seconds, a date alone, and a zone where there may be one.

    The first and the last year are left to the exact reader: a zone can lead out of them.
    """
    zone = f"{_ZONE}?" if zoned else ""
    shape = f"^{_DAY}(?:[Tt ]{_MINUTES}(?:{_SECONDS})?{zone})?$"
    day = column.str.slice(0, 10).str.to_date("%Y-%m-%d", strict=False, cache=False)
    written = column.str.extract(r"^.{11}([0-9:.]+)")
    clock = pl.when(written.str.len_bytes() == 5).then(written + ":00").otherwise(written)
    time_us = clock.str.to_time("%H:%M:%S%.f", strict=False, cache=False).cast(pl.Int64) // 1000
    offset = column.str.extract(r"^.{11}[0-9:.]+ ?([+-][0-9:]+)").str.replace(":", "")
    minutes = (
        offset.str.slice(1, 2).cast(pl.Int64, strict=False) * 60
        + offset.str.slice(3, 2).cast(pl.Int64, strict=False).fill_null(0)
    ) * pl.when(offset.str.starts_with("-")).then(-1).otherwise(1)
    moved_us = time_us.fill_null(0) - minutes.fill_null(0) * 60_000_000
    instant = day.cast(pl.Datetime("us")) + moved_us.cast(pl.Duration("us"))
    inner = day.dt.year().is_between(2, 9998)
    return pl.when(column.str.contains(shape) & inner).then(instant)
